import assert from "node:assert/strict";
import { callGroup } from "../../../modules/shared/group_client.ts";
import { ORPHAN_MS } from "../../../modules/group/limits.ts";
import { evil } from "./evil.ts";
import { isCallError, line, startMesh, told, until } from "./daemons.ts";

const N3 = ["n1", "n2", "n3"];
const say = [{ verb: "probe.say" }];

for (
  const [what, answer, why] of [
    ["names a target twice", { answered: [1, 2], failed: [[[1, 1], { reason: "x" }]] }, "twice"],
    ["names somebody else's target", { answered: [0, 0], state: [[[0, 0], 1]] }, "is not owed"],
    ["leaves a target out", { answered: [1, 1], state: [[[1, 1], 1]] }, "1 targets are missing"],
    ["gives answers for others", { answered: [1, 2], state: [[[1, 1], 1]] }, "of other targets"],
    ["stands for all targets there are again and again", {
      answered: [1, 2],
      state: Array.from({ length: 20_000 }, () => [[0, 65_535], null]),
    }, "more than 2 targets"],
    ["has answers of nobody", { answered: [1, 2], state: [[[], 1]] }, "an answer of no target"],
    ["is no account at all", "yes", "malformed"],
    ["is a million things that it should not be", Array(1_000_000).fill(null), "malformed"],
    ["has wrong ranges", { answered: [2, 1] }, "is wrong"],
  ] as const
) {
  Deno.test(`group: an account from a relay which ${what} never adds up wrongly`, async () => {
    await using mesh = await startMesh(N3, line(N3), {
      group: (name) => name === "n2" ? evil((args) => args, () => answer) : undefined,
    });
    const result = await callGroup(mesh.get("n1").group, {
      targets: "",
      steps: say,
    });
    const { asked, answered, unreachable } = result.counts;
    assert.equal(answered + unreachable, asked);
    const failure = result.failures.get("n3");
    assert.equal(failure?.ran, "maybe");
    assert.ok(failure?.reason.startsWith('Account from relay "n2" is wrong: '), failure?.reason);
    assert.ok(failure?.reason.includes(why), failure?.reason);
  });
}

Deno.test("group: a relay that swallows what it carries costs the time, and its targets may have run", async () => {
  const swallowed = Promise.withResolvers<unknown>();
  await using mesh = await startMesh(N3, line(N3), {
    group: (name) => name === "n2" ? evil((args) => args, () => swallowed.promise) : undefined,
  });
  const result = await callGroup(mesh.get("n1").group, {
    targets: "",
    steps: say,
    // Time for n1 to answer, on a machine that does much else.
    deadlineMs: 1_500,
  });
  assert.deepEqual([...result.answered], ["n1"]);
  for (const name of ["n2", "n3"]) {
    const { set, reason, ran } = result.failures.get(name) ?? {};
    assert.deepEqual({ set, reason, ran }, {
      set: "timedOut",
      reason: 'No account from relay "n2" in time',
      ran: "maybe",
    });
  }
  swallowed.resolve({});
});

/** n1 - e1 - e2 - n4 is the shortest way, n1 - h1 - h2 - h3 - n4 the honest one. */
const TWO_WAYS = [
  ["n1", "e1"],
  ["e2", "n4"],
  ["n1", "h1"],
  ["h1", "h2"],
  ["h2", "h3"],
  ["h3", "n4"],
] as const;
const ALL = ["n1", "n4", "e1", "e2", "h1", "h2", "h3"];

Deno.test("group: a link that one end claims and the other denies leads nobody astray", async () => {
  await using mesh = await startMesh(ALL, TWO_WAYS);
  mesh.board.lie("e1", "e2");
  await told();
  const result = await callGroup(mesh.get("n1").group, { targets: "", steps: say });
  assert.equal(result.answered.size, ALL.length);
  for (const { name, probe } of mesh.daemons) assert.deepEqual(probe.ran, ["say"], name);
});

Deno.test("group: a link which both ends claim and which is not there is gone around", async () => {
  await using mesh = await startMesh(ALL, TWO_WAYS);
  for (const [from, to] of [["e1", "e2"], ["e2", "e1"]] as const) mesh.board.lie(from, to);
  await told();
  const result = await callGroup(mesh.get("n1").group, { targets: "", steps: say });
  assert.equal(result.answered.size, ALL.length, JSON.stringify([...result.failures]));
  for (const { name, probe } of mesh.daemons) assert.deepEqual(probe.ran, ["say"], name);
});

Deno.test("group: two that lie of their link and of what they carry cost their targets an error, and soon", async () => {
  const answer = { unreachable: [[[0, 1], { reason: "No way to it", ran: "never", lost: true }]] };
  await using mesh = await startMesh(ALL, TWO_WAYS, {
    group: (name) => name === "e1" ? evil((args) => args, () => answer) : undefined,
  });
  for (const [from, to] of [["e1", "e2"], ["e2", "e1"]] as const) mesh.board.lie(from, to);
  await told();
  // Not when the time is over: that would be another set.
  const { failures } = await callGroup(mesh.get("n1").group, { targets: "e2,n4", steps: say });
  for (const name of ["e2", "n4"]) {
    const { set, reason, ran } = failures.get(name) ?? {};
    assert.deepEqual([set, reason, ran], ["unreachable", "No way to it", "never"]);
    assert.deepEqual(mesh.get(name).probe.ran, []);
  }
});

Deno.test("group: a relay takes only whole and well-formed work", async () => {
  await using mesh = await startMesh(["n1", "n2"]);
  const { links, self } = mesh.get("n2").host;
  const link = mesh.get("n1").host.links.get(self.keyId);
  assert.equal(links.list().length, 1);
  const work = {
    id: "0".repeat(32),
    reduce: { kind: "fold" },
    startBy: Date.now() + 60_000,
    bytesPerNodeMax: 10,
  };
  const args = {
    work: { ...work, steps: say },
    mine: [0, 0],
    names: "n2",
    deadlineMs: 60_000,
    slackMs: 0,
    via: ["n1"],
    avoid: [],
  };
  const wrong: [unknown, RegExp][] = [
    [{ ...args, mine: [0, 1] }, /^Targets of a group operation are wrong$/],
    [{ ...args, mine: [1, 0] }, /^Targets of a group operation are wrong$/],
    [{ ...args, names: "n[" }, /^Targets of a group operation are wrong$/],
    [{ ...args, work }, /^Work has neither steps nor a signed request, or both$/],
    [{ ...args, via: [] }, /^Arguments of "group.relay" are wrong at "via"/],
    [{ ...args, work: { ...args.work, id: "x" } }, /wrong at "work.id": Not 32 hex digits$/],
    [{ ...args, extra: 1 }, /wrong at "extra"/],
  ];
  for (const [body, text] of wrong) {
    await assert.rejects(link!.request("group.relay", body), isCallError("invalid", text));
  }
  assert.deepEqual(await link!.request("group.relay", args), {
    answered: [0, 0],
    state: [[[0, 0], "ok"]],
  });
});

// It ran on for ever behind two nodes, though the one above them had ended its own part.
Deno.test("group: what runs behind a relay ends when the origin has died and does not send again", async () => {
  const orphaned: { run: () => void; isCancelled: boolean }[] = [];
  await using mesh = await startMesh(N3, line(N3), {
    after(ms, run) {
      if (ms !== ORPHAN_MS) return undefined;
      const timer = { run, isCancelled: false };
      orphaned.push(timer);
      return { cancel: () => timer.isCancelled = true };
    },
  });
  const { probe } = mesh.get("n3");
  const steps = [{ verb: "probe.hang" }];
  const calling = callGroup(mesh.get("n1").group, { targets: "n3", steps });
  const lost = assert.rejects(calling);
  await until(() => probe.ran.length === 1);
  const stopping = mesh.get("n1").daemon.stop("test");
  mesh.get("n1").kill();
  await until(() => orphaned.length === 1);
  assert.deepEqual(probe.aborted, []);
  orphaned[0]?.run();
  await until(() => probe.aborted.length === 1);
  await until(() => orphaned.every(({ isCancelled }) => isCancelled));
  await stopping;
  await lost;
});
