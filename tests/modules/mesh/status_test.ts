import assert from "node:assert/strict";
import { meshStatus, type OwnLinks, type StatusInput } from "../../../modules/mesh/status.ts";
import { parseStatusGoal } from "../../../modules/mesh/status_goal.ts";
import {
  linkTable,
  nodeTable,
  problemLines,
  statusJson,
  statusSummary,
} from "../../../modules/mesh/status_report.ts";
import type { NodeView } from "../../../modules/shared/mesh_view.ts";

const NOW = 100_000;

function node(name: string, change: Partial<NodeView> = {}): NodeView {
  return {
    name,
    keyId: `key of ${name}`,
    groups: [],
    segment: "a",
    endpoints: ["tcp:10.0.0.1:7117"],
    state: "up",
    since: 40_000,
    version: "0.1.0",
    instance: "",
    incarnation: 1,
    links: [],
    ...change,
  };
}

function key(name: string): string {
  return `key of ${name}`;
}

/** Nodes that all claim each other, but for the pairs in `without` ("claims it not > claimed by"). */
function fully(nodes: readonly NodeView[], without: readonly string[] = []): NodeView[] {
  const up = nodes.filter(({ state }) => state === "up");
  return nodes.map((one) => ({
    ...one,
    links: up.filter((other) => other !== one && !without.includes(`${one.name}>${other.name}`))
      .map(({ keyId }) => keyId),
  }));
}

/** Each of them measures that round trip on each of its links. */
function measured(nodes: readonly NodeView[], ms: (from: string) => number): Map<string, OwnLinks> {
  return new Map(nodes.map(({ name, links }) => [
    name,
    links.map((keyId) => ({ keyId, since: 90_000, roundTripMs: ms(name) })),
  ]));
}

function statusOf(nodes: readonly NodeView[], change: Partial<StatusInput> = {}) {
  return meshStatus({
    view: { self: key("n1"), nodes: [...nodes] },
    links: measured(nodes, () => 1),
    silent: new Map(),
    slowMs: 100,
    slowBetweenSegmentsMs: 500,
    ...change,
  });
}

Deno.test("status: a mesh where all is as it should be is healthy, and one line long", () => {
  const status = statusOf(fully([
    node("n1"),
    node("n2"),
    node("n3"),
    node("n9", {
      state: "left",
      since: 99_000,
    }),
  ]));
  assert.deepEqual(problemLines(status, NOW), []);
  assert.equal(statusSummary(status), "healthy: 3 up, 1 left, 3 links, round trip 1.00 ms");
  assert.deepEqual(nodeTable(status, NOW).rows, [
    ["a", "n[1-3]", "up", "1 min", "2 of 2", "1.00 ms", "-", "0.1.0"],
    ["a", "n9", "left", "1 s", "-", "-", "-", "0.1.0"],
  ]);
});

Deno.test("status: the smaller measurement of both ends is the link's, and the later start", () => {
  const nodes = fully([node("n2"), node("n10")]);
  const links = measured(nodes, (from) => from === "n2" ? 7 : 0.25);
  links.get("n2")?.splice(0, 1, { keyId: key("n10"), since: 95_000, roundTripMs: 7 });
  const { links: found } = statusOf(nodes, { links });
  assert.deepEqual(found, [
    { from: "n2", to: "n10", since: 95_000, roundTripMs: 0.25, measuredMs: [7, 0.25] },
  ]);
  assert.deepEqual(linkTable(found, NOW).rows, [["n2", "n10", "0.25 ms", "5 s"]]);
});

Deno.test("status: a link that no end has told of yet is there all the same", () => {
  const status = statusOf(fully([node("n1"), node("n2")]), { links: new Map() });
  assert.deepEqual(linkTable(status.links, NOW).rows, [["n1", "n2", "-", "-"]]);
  assert.equal(statusSummary(status), "healthy: 2 up, 1 link");
});

Deno.test("status: a node whose protocol nobody speaks is named with what it said", () => {
  const shut = new Map([["n7", 'Peer "n7" at 10.0.0.7:1 speaks protocol 0 to 0, we speak 1 to 1']]);
  const status = statusOf(fully([node("n1"), node("n2")]), { shutOut: shut });
  assert.deepEqual(problemLines(status, NOW), [`n7: ${shut.get("n7")}`]);
  assert.match(statusSummary(status), /^degraded: 2 up/);
});

Deno.test("status: a mesh is not healthy while nodes are missing that its home names", () => {
  const known = (name: string) => ({ name, keyId: "", endpoints: [], groups: [], seen: 0 });
  const nodes = fully([node("n1"), node("n2")]);
  const missing = { nodes: ["n3", "n4"].map(known), via: "n1", since: 40_000 };
  const status = statusOf(nodes, { missing });
  assert.deepEqual(problemLines(status, NOW), ["n[3-4]: not seen since n1 started 1 min ago"]);
  assert.equal(
    statusSummary(status),
    "degraded: 2 up, 2 missing, 1 link, round trip 1.00 ms",
  );
  assert.deepEqual(nodeTable(status, NOW).rows.at(-1)?.slice(0, 4), [
    "-",
    "n[3-4]",
    "missing",
    "-",
  ]);
  assert.deepEqual(statusJson(status).missing, [
    { name: "n3", keyId: "", segment: null },
    { name: "n4", keyId: "", segment: null },
  ]);
  assert.equal(parseStatusGoal("up=all").lacks(status), "not up: n[3-4]");
  // Why that one is not in is known.
  const explained = statusOf(nodes, { missing, shutOut: new Map([["n3", "too old"]]) });
  assert.deepEqual(problemLines(explained, NOW), [
    "n4: not seen since n1 started 1 min ago",
    "n3: too old",
  ]);
});

Deno.test("status: what nodes say now of their links counts more than their adverts", () => {
  const late = fully([node("n1"), node("n2"), node("n3")], ["n1>n2", "n2>n1", "n2>n3"]);
  const links = measured(fully(late), () => 1);
  const now = statusOf(late, { links });
  assert.deepEqual(problemLines(now, NOW), []);
  assert.equal(now.links.length, 3);
  // Of two nodes with one name nobody knows which has answered: adverts count.
  const twice = statusOf([...late, node("n2", { keyId: "other" })], { links });
  assert.ok(problemLines(twice, NOW).some((line) => line.startsWith("n3: claims a link with n2")));
  // And a link that is gone counts no more, though adverts still tell of it.
  const gone = measured(late, () => 1);
  assert.deepEqual(problemLines(statusOf(fully(late), { links: gone }), NOW), [
    "n1: no link with n2",
    "n3: claims a link with n2, which does not",
  ]);
});

Deno.test("status: lost nodes say where and since when, those of one place together", () => {
  const lost = { state: "down", lostAt: "n1" } as const;
  const status = statusOf(fully([
    node("n1"),
    node("n3", { ...lost, since: 98_000 }),
    node("n4", { ...lost, since: 40_000 }),
    node("n5", { state: "down", since: 99_500 }),
  ]));
  assert.deepEqual(problemLines(status, NOW), [
    "n[3-4]: lost at n1 2 s to 1 min ago",
    "n5: lost 500 ms ago",
  ]);
  assert.equal(statusSummary(status), "degraded: 1 up, 3 lost, 0 links");
});

Deno.test("status: a node that does not answer is shown as that, with the reason", () => {
  const nodes = fully([node("n1"), node("n2")]);
  const status = statusOf(nodes, { silent: new Map([["n2", "No account in time"]]) });
  assert.deepEqual(problemLines(status, NOW), ["n2: no answer: No account in time"]);
  assert.equal(nodeTable(status, NOW).rows[1]?.[2], "no answer");
  assert.equal(
    statusSummary(status),
    "degraded: 1 up, 1 without an answer, 1 link, round trip 1.00 ms",
  );
});

Deno.test("status: missing links are told by the node that lacks most, once each", () => {
  const cut = ["n1", "n2", "n3"].flatMap((name) => [`n4>${name}`, `${name}>n4`]);
  const status = statusOf(
    fully([node("n1"), node("n2"), node("n3"), node("n4"), node("n5")], [
      ...cut,
      "n1>n2",
      "n2>n1",
    ]),
  );
  assert.deepEqual(problemLines(status, NOW), [
    "n4: no link with n[1-3]",
    "n1: no link with n2",
  ]);
  assert.deepEqual(nodeTable(status, NOW).rows.map((row) => [row[1], row[4]]), [
    ["n[1-2]", "2 of 4"],
    ["n3", "3 of 4"],
    ["n4", "1 of 4"],
    ["n5", "4 of 4"],
  ]);
});

Deno.test("status: what thousands of nodes lack is worked out at once", () => {
  const many = Array.from({ length: 4_096 }, (_, index) => {
    const keyId = index.toString(16).padStart(3, "0").repeat(22).slice(0, 64);
    return node(`n${index}`, { keyId });
  });
  const { problems } = statusOf(many, { links: new Map() });
  const told = problems.filter(({ kind }) => kind === "no-link");
  assert.ok(told.length > 1_000 && told.length < many.length, `${told.length}`);
});

Deno.test("status: a link that only one end claims is that, and not a missing one as well", () => {
  const status = statusOf(fully([node("n1"), node("n2"), node("n3")], ["n2>n3"]));
  assert.deepEqual(problemLines(status, NOW), ["n3: claims a link with n2, which does not"]);
});

Deno.test("status: between segments a round trip may take longer than within one", () => {
  const nodes = fully([node("n1"), node("n2"), node("m1", { segment: "b" })]);
  const status = statusOf(nodes, { links: measured(nodes, () => 120) });
  assert.deepEqual(
    status.problems.filter(({ kind }) => kind === "slow"),
    [{ kind: "slow", node: "n1", to: "n2", roundTripMs: 120, limitMs: 100 }],
  );
  assert.ok(
    problemLines(status, NOW).includes("n1: round trip to n2 takes 120 ms, more than 100 ms"),
  );
});

Deno.test("status: a segment that has lost gateways and has one left is named, one by design is not", () => {
  const gateway = { groups: ["gateway"] };
  const nodes = fully([
    node("g1", gateway),
    node("g2", { ...gateway, state: "down" }),
    node("h1", { ...gateway, segment: "b" }),
    node("h2", { segment: "b" }),
    node("i1", { segment: "c" }),
  ]);
  const status = statusOf(nodes);
  assert.deepEqual(problemLines(status, NOW).filter((line) => line.startsWith("segment")), [
    "segment a: only one gateway is left, g1",
    "segment c: no gateway is up",
  ]);
  assert.equal(nodeTable(status, NOW).rows[0]?.[6], "gateway");
  const alone = statusOf(fully([node("g1", gateway), node("g2", { ...gateway, state: "down" })]));
  assert.deepEqual(alone.problems.map(({ kind }) => kind), ["lost"]);
});

Deno.test("status: several versions are named with who has them", () => {
  const status = statusOf(fully([node("n1"), node("n2", { version: "0.2.0" }), node("n3")]));
  assert.deepEqual(problemLines(status, NOW), [
    "versions differ: n[1,3] has 0.1.0, n2 has 0.2.0",
  ]);
});

Deno.test("status: programs get every node, link and problem", () => {
  const json = statusJson(
    statusOf(fully([node("n1"), node("n2", { state: "down", lostAt: "n1" })])),
  );
  assert.equal(json.healthy, false);
  assert.deepEqual(json.problems, [{ kind: "lost", nodes: "n2", lostAt: "n1" }]);
  assert.deepEqual((json.nodes as Record<string, unknown>[])[1], {
    ...{ name: "n2", keyId: key("n2"), segment: "a", state: "down", since: 40_000, lostAt: "n1" },
    ...{ gateway: false, version: "0.1.0", answers: false, silence: null, links: 0 },
    linksWanted: 0,
  });
});

Deno.test("status --wait: goals say what they lack", () => {
  const nodes = fully([node("n1"), node("n2"), node("n3", { state: "left" })]);
  const status = statusOf(nodes, { silent: new Map([["n2", "frozen"]]) });
  const lacks = (goal: string) => parseStatusGoal(goal).lacks(status);
  assert.equal(lacks("up=1"), undefined);
  assert.equal(lacks("up=2"), "1 of 2 nodes up");
  assert.equal(lacks("up=all"), "not up: n2");
  assert.equal(lacks("healthy"), "1 thing is wrong");
  assert.equal(parseStatusGoal("healthy").lacks(statusOf(nodes)), undefined);
  for (const wrong of ["", "up", "up=0", "up=x", "down=1"]) {
    assert.throws(() => parseStatusGoal(wrong), {
      name: "UsageError",
      message: `"${wrong}" is nothing to wait for`,
    });
  }
});
