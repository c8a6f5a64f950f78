import assert from "node:assert/strict";
import { runCall } from "../../../modules/group/call_command.ts";
import { parseReduce } from "../../../modules/group/reduce_option.ts";
import { knownNode, runCommand } from "./command_line.ts";
import { startMesh, type TestMesh } from "./daemons.ts";

type Options = Parameters<typeof runCall>[1];

const N4 = ["n1", "n2", "n3", "n4"];
const DEFAULTS: Options = {
  nodes: [],
  exclude: [],
  group: [],
  all: false,
  reduce: { kind: "fold" },
  timeout: 60_000,
  sign: false,
  json: false,
};

function call(mesh: TestMesh, args: readonly string[], options: Partial<Options> = {}) {
  return runCommand(mesh, (context) => runCall(context, { ...DEFAULTS, ...options }, args));
}

Deno.test("call: equal answers are printed once, under their nodes", async () => {
  await using mesh = await startMesh(N4);
  mesh.get("n3").probe.answer = { state: "odd" };
  assert.deepEqual(await call(mesh, ["probe.say"]), {
    code: 0,
    stdout: [
      "---------------",
      "n[1-2,4] (3)",
      "---------------",
      "ok",
      "---------------",
      "n3",
      "---------------",
      "{",
      '  "state": "odd"',
      "}",
      "",
    ].join("\n"),
    stderr: "",
  });
});

Deno.test("call: a node that only the home knows is unreachable, and nobody is asked in its place", async () => {
  await using mesh = await startMesh(["n1", "n2"]);
  const ask = (options: Partial<Options>) =>
    runCommand(mesh, (context) => runCall(context, { ...DEFAULTS, ...options }, ["probe.say"]), {
      known: [knownNode("m4")],
    });
  const all = await ask({ all: true });
  assert.equal(all.code, 1);
  assert.match(all.stdout, /n\[1-2\] \(2\)/);
  assert.match(
    all.stderr,
    /^m4: unreachable: Not seen since "n1" started \(.*nothing was run\)\n$/,
  );
  const { code, stdout } = await ask({ nodes: ["m4"], sign: true });
  assert.deepEqual([code, stdout], [3, ""]);
  const named = await ask({ nodes: ["n1,m4"] });
  assert.deepEqual([named.code, named.stderr.replace(/for [^,]*, /, "")], [
    1,
    'm4: unreachable: Not seen since "n1" started (nothing was run)\n',
  ]);
  // What is made of all answers was made without them.
  const reduced = await ask({ all: true, reduce: { kind: "first-error" }, json: true });
  assert.equal(JSON.parse(reduced.stdout).reduced.node, "m4");
  const counted = await ask({ nodes: ["m4"], reduce: { kind: "count" } });
  assert.deepEqual([counted.code, counted.stdout], [3, "0\n"]);
});

Deno.test("call: who did not answer is named on stderr, and the exit code says some or all", async () => {
  await using mesh = await startMesh(N4);
  mesh.get("n3").probe.answer = "x".repeat(100_000);
  const some = await call(mesh, ["probe.say"]);
  assert.equal(some.code, 1);
  assert.equal(
    some.stderr,
    "n3: failed: Answer of 100010 bytes is too large: 65536 bytes per node are allowed\n",
  );
  const all = await call(mesh, ["probe.act"], { nodes: ["n[1-2]"] });
  assert.equal(all.code, 5);
  assert.equal(all.stderr, 'n[1-2]: refused: "probe.act" needs a request signed by a user\n');
});

Deno.test("call: --sign makes guarded verbs run as the user", async () => {
  await using mesh = await startMesh(["n1", "n2"]);
  const ran = await call(mesh, ["probe.act", '{"text":"a"}'], { sign: true, json: true });
  assert.equal(ran.code, 0);
  assert.deepEqual(JSON.parse(ran.stdout).answers, [{ nodes: "n[1-2]", value: { by: "alice" } }]);
  assert.deepEqual(mesh.get("n2").probe.ran, ["act a"]);
});

Deno.test("call: reducers and lists are printed and given as JSON", async () => {
  await using mesh = await startMesh(["n1", "n2"]);
  mesh.get("n1").probe.answer = { load: 3 };
  mesh.get("n2").probe.answer = { load: 4 };
  const sum = { kind: "sum", field: "load" } as const;
  assert.equal((await call(mesh, ["probe.say"], { reduce: sum })).stdout, "7\n");
  const { reduced, counts } = JSON.parse(
    (await call(mesh, ["probe.say"], { reduce: sum, json: true })).stdout,
  );
  assert.equal(reduced, 7);
  assert.equal(counts.answered, 2);
  assert.equal(
    (await call(mesh, ["probe.say"], { reduce: { kind: "list" } })).stdout,
    'n1: {"load":3}\nn2: {"load":4}\n',
  );
});

Deno.test("call: wrong command lines are explained", async () => {
  await using mesh = await startMesh(["n1", "n2"]);
  const json = await call(mesh, ["probe.say", "{x}"]);
  assert.equal(json.code, 2);
  assert.match(json.stderr, /^Cannot read arguments "\{x\}"\n/);
  // Another one that nobody has seen is known to the home.
  const options = { ...DEFAULTS, nodes: ["n1,n22,m4"] };
  const unknown = await runCommand(mesh, (context) => runCall(context, options, ["probe.say"]), {
    known: [knownNode("m4")],
  });
  assert.equal(unknown.code, 2);
  assert.equal(unknown.stderr, 'The mesh has no node "n22", did you mean "n2"?\n');
  const none = await call(mesh, ["probe.say"], { exclude: ["n1,n2"] });
  assert.equal(none.code, 2);
  assert.equal(none.stderr, "No node is selected\n");
});

Deno.test("call: --reduce reads kind, field and number", () => {
  assert.deepEqual(parseReduce("max:load.0"), { kind: "max", field: "load.0" });
  assert.deepEqual(parseReduce("top::3"), { kind: "top", count: 3 });
  assert.deepEqual(parseReduce("histogram:a:0.5"), { kind: "histogram", field: "a", width: 0.5 });
  assert.deepEqual(parseReduce("first-error"), { kind: "first-error" });
  for (
    const [text, message] of [
      ["folt", 'There is no way to reduce "folt", did you mean "fold"?'],
      ["sum:a:1", '"sum:a:1" has more parts than "sum" takes'],
      ["top:a:0", '"0" in "top:a:0" is no number above 0'],
    ] as const
  ) assert.throws(() => parseReduce(text), { name: "UsageError", message });
});
