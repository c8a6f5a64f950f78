import assert from "node:assert/strict";
import { runPing } from "../../../modules/mesh/ping_command.ts";
import { createRouter } from "../../../modules/router/mod.ts";
import { runRoute } from "../../../modules/router/route_command.ts";
import { runTrace } from "../../../modules/router/trace_command.ts";
import { knownNode, runCommand } from "../group/command_line.ts";
import { line, startMesh, type TestMesh, told, until } from "../group/daemons.ts";

const N4 = ["n1", "n2", "n3", "n4"];
const start = () => startMesh(N4, line(N4), { modules: () => [createRouter()] });

function route(mesh: TestMesh, ...args: string[]) {
  return runCommand(mesh, (context) => runRoute(context, { json: false }, args));
}

function trace(
  mesh: TestMesh,
  options: Partial<Parameters<typeof runTrace>[1]>,
  ...args: string[]
) {
  const all = { class: undefined, count: 2, timeout: 30_000, json: false, ...options };
  return runCommand(mesh, (context) => runTrace(context, all, args));
}

Deno.test("route: both ways of each target, and what would be dialled", async () => {
  await using mesh = await start();
  const { code, stdout, stderr } = await route(mesh, "n[2,4]");
  assert.deepEqual([code, stderr], [0, ""]);
  const lines = stdout.trimEnd().split("\n").map((one) => one.split(/ {2,}/));
  assert.deepEqual(lines, [
    ["FROM", "TO", "CLASS", "HOPS", "WAY"],
    ["n1", "n2", "low", "1", "n2"],
    ["n1", "n2", "high", "1", "n2"],
    ["n1", "n4", "low", "3", "n2, n3, n4"],
    ["n1", "n4", "high", "1", "n4 (dialled)"],
  ]);
  const other = await route(mesh, "n4", "n2");
  assert.match(other.stdout, /^n4 +n2 +low +2 +n3, n2$/m);
});

Deno.test("route: a node that is down has no way, and that fails", async () => {
  await using mesh = await start();
  mesh.get("n4").kill();
  await until(() => mesh.board.view("n1").nodes.some(({ state }) => state === "down"));
  await told();
  const { code, stdout } = await route(mesh, "n4");
  assert.equal(code, 3);
  assert.match(stdout, /^n1 +n4 +low +- +"n4" is down$/m);
  assert.equal((await route(mesh, "n[3-4]")).code, 1);
});

Deno.test("route: mistakes are named", async () => {
  await using mesh = await start();
  assert.deepEqual(await route(mesh, "n1"), {
    code: 2,
    stdout: "",
    stderr: "Both ends are the same node\n",
  });
  assert.match((await route(mesh, "n[1-2]", "n3")).stderr, /begin at one node, "n\[1-2\]" means 2/);
  assert.match((await route(mesh, "n7")).stderr, /The mesh has no node "n7"/);
});

// Both said that the mesh has no such node, of one that nodes and status show.
Deno.test("route, trace: a node that only the home knows is missing", async () => {
  await using mesh = await start();
  const known = [knownNode("m4")];
  const why = '"m4" is missing, not seen since "n1" started';
  const run = (args: string[]) =>
    runCommand(mesh, (context) => runRoute(context, { json: false }, args), { known });
  const routes = await run(["m4,n2"]);
  assert.equal(routes.code, 1);
  assert.match(routes.stdout, new RegExp(`^n1 +m4 +low +- +${why}\nn1 +m4 +high +- +${why}$`, "m"));
  const from = await run(["m4", "n2"]);
  assert.deepEqual([from.code, from.stderr], [4, `Node ${why}\n`]);
  const traceOptions = { class: "low", count: 1, timeout: 30_000, json: false } as const;
  const traced = await runCommand(mesh, (c) => runTrace(c, traceOptions, ["m4"]), { known });
  assert.equal(traced.code, 3);
  assert.equal(traced.stdout, `From n1 to m4, class low: no way\n${why}\n`);
});

Deno.test("ping: a node that only the home knows is missing, until it is there", async () => {
  await using mesh = await start();
  const known = [knownNode("m4")];
  const options = { count: 1, interval: 1, timeout: 30_000, class: "low", json: false } as const;
  const ping = (record: boolean, ...args: string[]) =>
    runCommand(mesh, (c) => runPing(c, { ...options, record }, args), { known });
  for (const record of [false, true]) {
    const { code, stdout } = await ping(record, "m4,n2");
    assert.equal(code, 1);
    assert.match(stdout, /^m4: seq=1 Not seen since "n1" started$/m);
    assert.match(stdout, /^From n2: seq=1 /m);
    assert.match(stdout, /^--- m4 ping statistics ---\n1 sent, 0 answered/m);
  }
  assert.match((await ping(false, "m5")).stderr, /The mesh has no node "m5"/);
});

Deno.test("trace: a table for each class, with a line for each hop", async () => {
  await using mesh = await start();
  const { code, stdout } = await trace(mesh, {}, "n3");
  assert.equal(code, 0);
  const [low = "", high = ""] = stdout.split("\n\n");
  const time = String.raw` +\d+\.\d{3} +\d+\.\d{3} +\d+\.\d{3}`;
  assert.match(
    low,
    new RegExp(`^From n1 to n3, class low: 2 hops\n.*\n +1 +n2${time} +main\n +2 +n3${time}`),
  );
  // The first echo made the conduit that the second one found.
  assert.match(high, new RegExp(`^From n1 to n3, class high: 1 hop\n.*\n +1 +n3 .on demand.`));
});

Deno.test("trace: what does not answer is said, with how far one gets", async () => {
  await using mesh = await start();
  mesh.board.freeze();
  mesh.get("n4").kill();
  await until(() => mesh.get("n3").host.links.list().length === 1);
  const { code, stdout } = await trace(mesh, { count: 1, class: "low" }, "n4");
  assert.equal(code, 3);
  assert.match(stdout, /^From n1 to n4, class low: 3 hops, 0 of 1 echoes answered$/m);
  assert.match(stdout, /^ +2 +n3 +\d/m);
  assert.match(stdout, /^ +3 +n4 +- +- +- /m);
  assert.match(stdout, /^Lost behind "n3", on the way to "n4": no link to the next hop$/m);
  assert.match((await trace(mesh, {}, "n1")).stderr, /"n1" is the node where every way begins/);
});

Deno.test("trace: --json gives every time", async () => {
  await using mesh = await start();
  const { stdout } = await trace(mesh, { json: true, class: "low", count: 3 }, "n[2-3]");
  const { mesh: name, via, traces } = JSON.parse(stdout);
  assert.deepEqual([name, via, traces.length], ["test", "n1", 2]);
  const { to, sent, answered, hops } = traces[1];
  assert.deepEqual([to, sent, answered], ["n3", 3, 3]);
  assert.deepEqual(hops.map((hop: { name: string }) => hop.name), ["n2", "n3"]);
  for (const { timesMs } of hops) assert.equal(timesMs.length, 3);
});

Deno.test("ping: -R goes by the router's packets, and shows the way of each answer", async () => {
  await using mesh = await start();
  const options = {
    count: 2,
    interval: 1,
    timeout: 30_000,
    record: true,
    class: "low",
    json: false,
  } as const;
  const { code, stdout } = await runCommand(mesh, (c) => runPing(c, options, ["n4"]));
  assert.equal(code, 0);
  assert.match(stdout, /^From n4: seq=1 hops=3 time=\d+\.\d{3} ms way=n2,n3,n4$/m);
  assert.match(stdout, /2 sent, 2 answered/);
  const high = { ...options, class: "high" } as const;
  const direct = await runCommand(mesh, (c) => runPing(c, high, ["n4"]));
  assert.match(direct.stdout, /^From n4: seq=2 hops=1 .* way=n4$/m);
});

Deno.test("ping: -R in class high takes the links when the direct way failed a moment ago", async () => {
  await using mesh = await start();
  const options = { count: 2, interval: 1, timeout: 30_000, record: true, json: false } as const;
  // It listens no more, and its links are as they were, as far as anybody was told.
  mesh.board.freeze();
  await mesh.get("n4").daemon.stop("gone");
  const { stdout, code } = await runCommand(
    mesh,
    (c) => runPing(c, { ...options, class: "high" }, ["n4"]),
  );
  assert.equal(code, 1);
  assert.match(stdout, /seq=1 Lost behind "n1", on the way to "n4": Cannot dial "n4": .*refused/);
  assert.match(stdout, /seq=2 Lost behind "n3", on the way to "n4": /);
});
