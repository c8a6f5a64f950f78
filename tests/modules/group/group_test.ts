import assert from "node:assert/strict";
import { toHex } from "../../../core/mod.ts";
import { callGroup, type GroupCallOptions } from "../../../modules/shared/group_client.ts";
import type { GroupResult } from "../../../modules/shared/group_result.ts";
import { fullMesh, isCallError, line, startMesh, type TestMesh, told, until } from "./daemons.ts";
import { reach } from "./command_line.ts";

const N4 = ["n1", "n2", "n3", "n4"];
const N6 = ["n1", "n2", "n3", "n4", "n5", "n6"];

/** Runs it from a daemon and asserts that the account adds up, whatever happened. */
async function group(
  mesh: TestMesh,
  origin: string,
  options: GroupCallOptions,
): Promise<GroupResult> {
  return addsUp(await callGroup(mesh.get(origin).group, options));
}

function addsUp(result: GroupResult): GroupResult {
  const { asked, answered, failed, refused, unreachable, timedOut } = result.counts;
  assert.equal(answered + failed + refused + unreachable + timedOut, asked);
  for (const name of result.targets) {
    assert.notEqual(result.answered.has(name), result.failures.has(name), name);
  }
  return result;
}

const say = [{ verb: "probe.say" }];
const id = () => toHex(crypto.getRandomValues(new Uint8Array(16)));

Deno.test("group: equal answers of all nodes fold into one", async () => {
  await using mesh = await startMesh(N6);
  const result = await group(mesh, "n3", { targets: "", steps: say });
  assert.deepEqual(result.folded(), [{ nodeset: "n[1-6]", names: N6, value: "ok" }]);
  assert.deepEqual(result.counts, {
    asked: 6,
    answered: 6,
    failed: 0,
    refused: 0,
    unreachable: 0,
    timedOut: 0,
  });
  for (const { probe } of mesh.daemons) assert.deepEqual(probe.ran, ["say"]);
});

Deno.test("group: a call for all begins when the daemon knows the others, one for names at once", async () => {
  const names = ["n1", "n2", "n3"];
  await using mesh = await startMesh(names, fullMesh(names), { groups: { n3: ["gpu"] } });
  const { promise, resolve } = Promise.withResolvers<void>();
  mesh.board.settling = promise;
  const all = ["", "*", "n1,@gpu", "n?"].map((targets) =>
    group(mesh, "n1", { targets, steps: say })
  );
  await group(mesh, "n1", { targets: "n2", steps: say });
  assert.deepEqual(mesh.daemons.map(({ probe }) => probe.ran.length), [0, 1, 0]);
  resolve();
  const results = await Promise.all(all);
  assert.deepEqual(results.map(({ counts }) => counts.answered), [3, 3, 2, 3]);
});

Deno.test("group: relays carry a call along a line, and each node answers for itself", async () => {
  await using mesh = await startMesh(N6, line(N6));
  for (const { name, probe } of mesh.daemons) probe.answer = { name, half: name < "n4" };
  const result = await group(mesh, "n1", { targets: "n[2-6]", steps: say });
  assert.deepEqual(result.values.get("n6"), { name: "n6", half: false });
  assert.equal(result.values.size, 5);
  assert.deepEqual(mesh.get("n1").probe.ran, []);
  const halves = await group(mesh, "n6", {
    targets: "",
    steps: say,
    reduce: { kind: "fold", field: "half" },
  });
  assert.deepEqual(halves.folded().map(({ nodeset, value }) => [nodeset, value]), [
    ["n[1-3]", true],
    ["n[4-6]", false],
  ]);
});

Deno.test("group: groups and operators in a nodeset mean what the mesh knows", async () => {
  await using mesh = await startMesh(N4, fullMesh(N4), {
    groups: { n2: ["gpu"], n4: ["gpu"] },
  });
  const result = await group(mesh, "n1", { targets: "@gpu,n1!n4", steps: say });
  assert.deepEqual([...result.answered], ["n1", "n2"]);
});

Deno.test("group: unknown names are refused as a whole and named", async () => {
  await using mesh = await startMesh(["n1", "n2"]);
  await assert.rejects(group(mesh, "n1", { targets: "n[2-4]", steps: say }), {
    name: "UsageError",
    message: 'The mesh has no node "n[3-4]"',
  });
  await assert.rejects(group(mesh, "n1", { targets: "@gpu", steps: say }), {
    name: "UsageError",
    message: /^Cannot read nodeset "@gpu": There is no group "gpu" \(character 1\)/,
  });
  assert.deepEqual(mesh.get("n2").probe.ran, []);
});

Deno.test("group: each kind of failure has its set, and the rest still answers", async () => {
  await using mesh = await startMesh(N6);
  const reasons = async (verb: string, limit: { deadlineMs?: number } = {}) => {
    const { failures } = await group(mesh, "n1", {
      targets: "n[1-2]",
      steps: [{ verb }],
      ...limit,
    });
    return [...failures.values()].map(({ set, reason, ran }) => [set, reason, ran]);
  };
  const twice = (entry: unknown) => [entry, entry];
  assert.deepEqual(await reasons("probe.fail"), twice(["failed", "The disk is full", undefined]));
  assert.deepEqual(
    await reasons("probe.throw"),
    twice(["failed", "There is no such file", undefined]),
  );
  assert.deepEqual(await reasons("probe.refuse"), twice(["refused", "Not on a Sunday", undefined]));
  assert.deepEqual(
    await reasons("probe.act"),
    twice(["refused", '"probe.act" needs a request signed by a user', undefined]),
  );
  assert.deepEqual(
    await reasons("no.such"),
    twice(["failed", 'Nothing here executes "no.such"', undefined]),
  );
  const hung = await reasons("probe.hang", { deadlineMs: 200 });
  assert.deepEqual(hung.map(([set, , ran]) => [set, ran]), twice(["timedOut", "maybe"]));
});

Deno.test("group: several steps stop at a node's first failure and say which", async () => {
  await using mesh = await startMesh(["n1", "n2"]);
  const steps = (last: string) => [
    { verb: "probe.say", args: { text: "a" } },
    { verb: last, args: { text: "b" } },
    { verb: "probe.say", args: { text: "c" } },
  ];
  const failed = await group(mesh, "n1", { targets: "", steps: steps("probe.fail") });
  assert.deepEqual([...failed.failures.values()].map(({ step }) => step), [1, 1]);
  assert.deepEqual(mesh.get("n2").probe.ran, ["say a", "fail b"]);
  const answered = await group(mesh, "n1", { targets: "n2", steps: steps("probe.say") });
  assert.deepEqual(answered.values.get("n2"), ["ok", "ok", "ok"]);
});

Deno.test("group: a node that is down is unreachable at once, with since when", async () => {
  await using mesh = await startMesh(N4);
  mesh.get("n3").kill();
  await until(() => mesh.board.view("n1").nodes.some(({ state }) => state === "down"));
  await told();
  const result = await group(mesh, "n1", { targets: "", steps: say });
  assert.deepEqual([...result.answered], ["n1", "n2", "n4"]);
  const failure = result.failures.get("n3");
  assert.equal(failure?.set, "unreachable");
  assert.equal(failure?.reason, "Down");
  assert.equal(failure?.ran, "never");
  assert.equal(typeof failure?.since, "number");
});

Deno.test("group: a node that left is not among all, but can be named", async () => {
  await using mesh = await startMesh(N4);
  mesh.board.leave("n2");
  await told();
  assert.deepEqual((await group(mesh, "n1", { targets: "", steps: say })).targets, [
    "n1",
    "n3",
    "n4",
  ]);
  const result = await group(mesh, "n1", { targets: "n2", steps: say });
  assert.equal(result.failures.get("n2")?.reason, "Has left the mesh");
});

Deno.test("group: a target killed while it runs may have run, and the call ends without it", async () => {
  await using mesh = await startMesh(N4);
  const running = group(mesh, "n1", { targets: "n[2-3]", steps: [{ verb: "probe.hang" }] });
  await until(() => mesh.get("n3").probe.ran.length === 1);
  mesh.get("n3").kill();
  mesh.get("n2").probe.release();
  const result = await running;
  assert.deepEqual([...result.answered], ["n2"]);
  const { set, ran, at } = result.failures.get("n3") ?? {};
  assert.deepEqual({ set, ran, at }, { set: "unreachable", ran: "maybe", at: "n3" });
});

Deno.test("group: a relay killed in the middle costs nobody behind it, and nothing runs twice", async () => {
  // n1 - n2 - n4 - n5 and n1 - n3 - n4: the shortest way to n4 and n5 ends when n2 or n3 dies.
  const names = ["n1", "n2", "n3", "n4", "n5"];
  await using mesh = await startMesh(names, [
    ["n1", "n2"],
    ["n2", "n4"],
    ["n4", "n5"],
    ["n1", "n3"],
    ["n3", "n4"],
  ]);
  const first = mesh.get("n1").host.links;
  const next =
    [mesh.get("n2"), mesh.get("n3")].sort((a, b) =>
      a.host.self.keyId < b.host.self.keyId ? -1 : 1
    )[0];
  assert.equal(first.list().length, 2);
  const running = group(mesh, "n1", { targets: "n[4-5]", steps: [{ verb: "probe.hang" }] });
  await until(() => ["n4", "n5"].every((name) => mesh.get(name).probe.ran.length === 1));
  next?.kill();
  await until(() => first.list().length === 1);
  // Long enough for the copy to arrive by the other way and attach.
  await new Promise((resolve) => setTimeout(resolve, 150));
  mesh.get("n4").probe.release();
  mesh.get("n5").probe.release();
  const result = await running;
  assert.deepEqual([...result.answered], ["n4", "n5"]);
  for (const name of ["n4", "n5"]) assert.deepEqual(mesh.get(name).probe.ran, ["hang"]);
});

Deno.test("group: a copy of a finished operation gets the same answer and runs nothing", async () => {
  await using mesh = await startMesh(N4);
  const options = { id: id(), targets: "", steps: say };
  const first = await group(mesh, "n1", options);
  for (const { probe } of mesh.daemons) probe.answer = "changed";
  const copy = await group(mesh, "n2", options);
  assert.deepEqual(copy.folded(), first.folded());
  for (const { probe } of mesh.daemons) assert.deepEqual(probe.ran, ["say"]);
  // The same id with other steps is another operation.
  const other = await group(mesh, "n2", { ...options, steps: [...say, ...say] });
  assert.deepEqual(other.values.get("n1"), ["changed", "changed"]);
});

Deno.test("group: what comes after its latest start never runs", async () => {
  await using mesh = await startMesh(["n1", "n2"]);
  const result = await group(mesh, "n1", { targets: "", steps: say, startBy: Date.now() - 90_000 });
  for (const { set, ran, reason } of result.failures.values()) {
    assert.deepEqual({ set, ran }, { set: "timedOut", ran: "never" });
    assert.match(reason, /^Came 1 min( \d+ s)? after its latest start$/);
  }
  assert.equal(result.failures.size, 2);
  assert.deepEqual(mesh.get("n2").probe.ran, []);
});

// A client whose clock was five seconds behind had no time to begin, and one ahead had too much.
Deno.test("group: the latest start is one by the clock of who asks, wherever that is", async () => {
  await using mesh = await startMesh(["n1", "n2"]);
  for (const skewMs of [-20_000, 20_000]) {
    const options = { local: false, user: mesh.user, skewMs };
    const { calls } = await reach(mesh, "n1", options);
    const ask = (leftMs: number) =>
      callGroup(calls, { targets: "", steps: say, startBy: Date.now() + skewMs + leftMs });
    assert.equal((await ask(5_000)).counts.answered, 2);
    assert.equal((await ask(-5_000)).counts.timedOut, 2);
    await calls.close("done");
  }
});

Deno.test("group: cancelling reaches every target", async () => {
  await using mesh = await startMesh(N4, line(N4));
  const controller = new AbortController();
  const running = callGroup(mesh.get("n1").group, {
    targets: "",
    steps: [{ verb: "probe.hang" }],
    signal: controller.signal,
  });
  await until(() => mesh.daemons.every(({ probe }) => probe.ran.length === 1));
  controller.abort(new Error("enough"));
  await assert.rejects(running, isCallError("cancelled", /^Cancelled: enough$/));
  await until(() => mesh.daemons.every(({ probe }) => probe.aborted.length === 1));
});

Deno.test("group: answers above the limit fail with both numbers", async () => {
  await using mesh = await startMesh(["n1", "n2"]);
  mesh.get("n2").probe.answer = "x".repeat(5_000);
  const result = await group(mesh, "n1", { targets: "", steps: say, bytesPerNodeMax: 100 });
  assert.deepEqual([...result.answered], ["n1"]);
  assert.equal(
    result.failures.get("n2")?.reason,
    "Answer of 5008 bytes is too large: 100 bytes per node are allowed",
  );
});

Deno.test("group: many large answers come in parts, none lost", async () => {
  await using mesh = await startMesh(N6, line(N6));
  const sizes = new Map(N6.map((name, i) => [name, 400_000 + i]));
  for (const { name, probe } of mesh.daemons) probe.answer = "x".repeat(sizes.get(name) as number);
  let parts = 0;
  const result = await group(mesh, "n1", {
    targets: "",
    steps: say,
    bytesPerNodeMax: 1024 * 1024,
    onPart: () => parts++,
  });
  for (const [name, value] of result.values) {
    assert.equal((value as string).length, sizes.get(name));
  }
  assert.equal(result.values.size, 6);
  assert.ok(parts > 0);
});

Deno.test("group: partial results come up while others still run", async () => {
  await using mesh = await startMesh(N4, line(N4));
  mesh.get("n4").probe.release();
  mesh.get("n2").probe.release();
  const seen = Promise.withResolvers<string[]>();
  const running = group(mesh, "n1", {
    targets: "n[2-4]",
    steps: [{ verb: "probe.hang" }],
    onPart: ({ answered }) => {
      if (answered.size === 2) seen.resolve([...answered].sort());
    },
  });
  assert.deepEqual(await seen.promise, ["n2", "n4"]);
  mesh.get("n3").probe.release();
  assert.equal((await running).answered.size, 3);
});

Deno.test("group: reducers see each node once, wherever the operation starts", async () => {
  await using mesh = await startMesh(N6, line(N6));
  mesh.daemons.forEach(({ probe }, i) => probe.answer = { load: [i * 10], up: true });
  const reduced = async (reduce: GroupCallOptions["reduce"], origin = "n3") => {
    const result = await group(
      mesh,
      origin,
      { targets: "", steps: say, ...{ reduce } } as GroupCallOptions,
    );
    assert.equal(result.values.size, 0);
    return result.reduced;
  };
  const field = "load.0";
  for (const origin of ["n1", "n4"]) {
    assert.equal(await reduced({ kind: "count" }, origin), 6);
    assert.equal(await reduced({ kind: "sum", field }, origin), 150);
    assert.equal(await reduced({ kind: "mean", field }, origin), 25);
    assert.deepEqual(await reduced({ kind: "min", field }, origin), { value: 0, node: "n1" });
    assert.deepEqual(await reduced({ kind: "max", field }, origin), { value: 50, node: "n6" });
    assert.deepEqual(await reduced({ kind: "top", field, count: 2 }, origin), [
      { value: 50, node: "n6" },
      { value: 40, node: "n5" },
    ]);
    assert.deepEqual(await reduced({ kind: "histogram", field, width: 20 }, origin), {
      width: 20,
      buckets: [[0, 2], [20, 2], [40, 2]],
    });
    assert.equal(await reduced({ kind: "first-error" }, origin), null);
  }
  const wrong = await group(mesh, "n1", {
    targets: "n[1-2]",
    steps: say,
    reduce: { kind: "sum", field: "up" },
  });
  assert.equal(
    wrong.failures.get("n2")?.reason,
    "Answer is no number but of type boolean: name a field",
  );
  const first = await group(mesh, "n6", {
    targets: "n[2-4]",
    steps: [{ verb: "probe.fail" }],
    reduce: { kind: "first-error" },
  });
  assert.deepEqual(first.reduced, { node: "n2", set: "failed", reason: "The disk is full" });
});

Deno.test("group: a group operation is no step of another one", async () => {
  await using mesh = await startMesh(["n1", "n2"]);
  const nested = { verb: "group.call", args: { targets: "", steps: say } };
  const result = await group(mesh, "n1", { targets: "", steps: [nested] });
  assert.deepEqual([...result.failures.values()].map(({ set, reason }) => [set, reason]), [
    ["failed", "A group operation cannot be a step of another one"],
    ["failed", "A group operation cannot be a step of another one"],
  ]);
  assert.deepEqual(mesh.get("n2").probe.ran, []);
});
