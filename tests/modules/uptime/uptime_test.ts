import assert from "node:assert/strict";
import * as v from "valibot";
import { VERSION } from "../../../core/mod.ts";
import { UptimeReport } from "../../../modules/uptime/report.ts";
import { coarseUptime, type Uptime, UptimeSchema } from "../../../modules/uptime/uptime.ts";
import { GroupResult } from "../../../modules/shared/group_result.ts";
import { runUptime } from "../../../modules/uptime/uptime_command.ts";
import { knownNode, runCommand } from "../group/command_line.ts";
import { startMesh, type TestMesh, told, until } from "../group/daemons.ts";

type Options = Parameters<typeof runUptime>[1];

const N4 = ["n1", "n2", "n3", "n4"];
const DEFAULTS: Options = {
  nodes: [],
  exclude: [],
  group: [],
  all: false,
  fold: false,
  watch: false,
  interval: 1,
  timeout: 60_000,
  json: false,
};

function uptime(mesh: TestMesh, options: Partial<Options> = {}, signal?: AbortSignal) {
  return runCommand(mesh, (context) => runUptime(context, { ...DEFAULTS, ...options }), {
    ...(signal === undefined ? {} : { signal }),
  });
}

async function killed(mesh: TestMesh, name: string): Promise<void> {
  const { keyId } = mesh.get(name).host.self;
  const others = mesh.daemons.filter((other) => other.name !== name);
  mesh.get(name).kill();
  await until(() => others.every(({ host }) => host.links.get(keyId) === undefined));
  await until(() =>
    mesh.board.view("n1").nodes.some((node) => node.name === name && node.state === "down")
  );
  await told();
}

const UPTIME: Uptime = {
  host: "h1",
  bootedMs: 1_700_000_000_000,
  upMs: 3 * 86_400_000 + 5_000_000,
  load: [0.49, 1.51, 0],
  cores: 8,
  memory: { totalBytes: 64.2e9, freeBytes: 50e9 },
  users: 2,
  daemon: {
    version: VERSION,
    upMs: 59_000,
    links: 3,
    messages: 777,
    residentBytes: 5e7,
    cpuMs: 1_234,
  },
};

Deno.test("uptime: a node tells facts about its host and its daemon", async () => {
  await using mesh = await startMesh(["n1", "n2"]);
  const answer = v.parse(
    UptimeSchema,
    await mesh.get("n1").daemon.caller("uptime").request("uptime.get"),
  );
  assert.equal(answer.host, Deno.hostname());
  assert.equal(answer.daemon.version, VERSION);
  assert.equal(answer.daemon.links, 1);
  assert.ok(answer.upMs > 0 && answer.cores > 0);
  assert.ok(answer.memory.totalBytes >= answer.memory.freeBytes);
});

Deno.test("uptime: nodes in the same state give the same coarse answer", () => {
  const coarse = coarseUptime(UPTIME);
  assert.deepEqual(coarse, {
    host: "",
    bootedMs: 0,
    upMs: 3 * 86_400_000,
    load: [0, 2, 0],
    cores: 8,
    memory: { totalBytes: 64e9, freeBytes: 51.2e9 },
    users: 2,
    daemon: { version: VERSION, upMs: 0, links: 3, messages: 0, residentBytes: 0, cpuMs: 0 },
  });
  const other = { ...UPTIME, host: "h2", upMs: UPTIME.upMs + 1, load: [0.1, 1.6, 0.2] } as Uptime;
  assert.deepEqual(coarseUptime(other), coarse);
  const small = { ...UPTIME, memory: { totalBytes: 0.97e9, freeBytes: 0.31e9 } };
  assert.deepEqual(coarseUptime(small).memory, { totalBytes: 1e9, freeBytes: 0.3e9 });
});

Deno.test("uptime: the table has a line for each node, and a summary", async () => {
  await using mesh = await startMesh(N4);
  const { code, stdout, stderr } = await uptime(mesh);
  assert.equal(code, 0);
  assert.equal(stderr, "");
  const lines = stdout.trimEnd().split("\n");
  assert.match(
    lines[0] ?? "",
    /^NODE +UP +LOAD +CORES +MEMORY +USERS +DAEMON +STARTS +LINKS +MESSAGES +VERSION$/,
  );
  assert.deepEqual(lines.slice(1, 5).map((line) => line.split(" ")[0]), N4);
  for (const line of lines.slice(1, 5)) assert.ok(line.endsWith(VERSION), line);
  assert.match(lines[5] ?? "", /^4 up, load \d+\.\d\d( to \d+\.\d\d)?$/);
  assert.equal(lines.length, 6);
});

Deno.test("uptime: a node that is down is shown with how long, and fails only who asked for it", async () => {
  await using mesh = await startMesh(N4);
  await killed(mesh, "n3");
  const { code, stdout, stderr } = await uptime(mesh);
  assert.equal(code, 0);
  assert.match(stdout, /^n3 {2,}down \d+ (ms|s)( |$)/m);
  assert.match(stdout, /^3 up, 1 down, load /m);
  assert.equal(stderr, "");
  assert.equal((await uptime(mesh, { nodes: ["n[2-3]"] })).code, 1);
  assert.equal((await uptime(mesh, { nodes: ["n3"] })).code, 3);
  assert.equal((await uptime(mesh, { exclude: ["n3"] })).stdout.match(/^n\d/gm)?.length, 3);
});

Deno.test("uptime: a node that only the home knows is missing, and fails only who asked for it", async () => {
  await using mesh = await startMesh(["n1", "n2"]);
  const ask = (options: Partial<Options>) =>
    runCommand(mesh, (context) => runUptime(context, { ...DEFAULTS, ...options }), {
      known: [knownNode("n1"), knownNode("m4")],
    });
  const { code, stdout, stderr } = await ask({});
  assert.deepEqual([code, stderr], [0, ""]);
  assert.match(stdout, /^m4 {2,}missing .+\nn1 /m);
  assert.match(stdout, /^2 up, 1 missing, load /m);
  assert.match((await ask({ fold: true })).stdout, /^m4 {2,}missing /m);
  const some = await ask({ nodes: ["n1,m4"], json: true });
  assert.equal(some.code, 1);
  const { nodes: [m4], counts } = JSON.parse(some.stdout);
  assert.deepEqual([m4.name, m4.state, m4.failure.ran, counts.asked], [
    "m4",
    "missing",
    "never",
    2,
  ]);
  assert.equal((await ask({ nodes: ["m4"] })).code, 3);
});

Deno.test("uptime: -b shows nodes in the same state as one line", async () => {
  await using mesh = await startMesh(N4);
  await killed(mesh, "n3");
  const { stdout } = await uptime(mesh, { fold: true });
  const [header, folded, down, summary] = stdout.split("\n");
  assert.ok(!header?.includes("MESSAGES"));
  assert.match(folded ?? "", /^n\[1-2,4\] +3 d +0 0 0 +\d+ +1\.6 GB of 8\.0 GB /);
  assert.match(down ?? "", /^n3 {2,}down /);
  assert.equal(summary, "3 up, 1 down, load 0");
});

Deno.test("uptime: little memory in use is not told as none", () => {
  const result = new GroupResult();
  const value = coarseUptime({ ...UPTIME, memory: { totalBytes: 25.3e9, freeBytes: 24.4e9 } });
  const nobody = { failed: [], refused: [], unreachable: [], timedOut: [] };
  result.add({ account: { answered: "n1", ...nobody }, values: [["n1", value]] });
  const report = new UptimeReport(result, { view: { self: "", nodes: [] }, now: 0 });
  assert.equal(report.foldedTable().rows[0]?.[4], "under 5 % of 25.0 GB");
});

Deno.test("uptime: --json says all of it, folded or not", async () => {
  await using mesh = await startMesh(N4);
  await killed(mesh, "n4");
  const plain = JSON.parse((await uptime(mesh, { json: true })).stdout);
  assert.equal(plain.mesh, "test");
  assert.equal(plain.via, "n1");
  assert.deepEqual(plain.nodes.map(({ name }: { name: string }) => name), N4);
  v.parse(UptimeSchema, plain.nodes[0].uptime);
  assert.equal(plain.nodes[0].starts, 1);
  assert.equal(plain.nodes[3].state, "down");
  assert.equal(plain.nodes[3].uptime, null);
  assert.equal(plain.nodes[3].failure.set, "unreachable");
  assert.deepEqual(plain.counts, {
    asked: 4,
    answered: 3,
    failed: 0,
    refused: 0,
    unreachable: 1,
    timedOut: 0,
  });
  const folded = JSON.parse((await uptime(mesh, { json: true, fold: true })).stdout);
  assert.equal(folded.nodes.at(-1).nodes, "n4");
  // What differs from node to node is left out, and not zero.
  assert.deepEqual(Object.keys(folded.nodes[0].uptime.daemon).sort(), ["links", "upMs", "version"]);
  assert.ok(!("host" in folded.nodes[0].uptime) && !("bootedMs" in folded.nodes[0].uptime));
});

Deno.test("uptime: --watch looks again until it is stopped", async () => {
  await using mesh = await startMesh(["n1", "n2"]);
  const stop = new AbortController();
  const served = () => mesh.get("n2").daemon.caller("core").request("core.stats");
  const before = (await served() as { served: number }).served;
  const watching = uptime(mesh, { watch: true }, stop.signal);
  while ((await served() as { served: number }).served < before + 50) await told();
  stop.abort(new Error("^C"));
  const { stdout } = await watching;
  assert.ok((stdout.match(/^2 up/gm)?.length ?? 0) >= 2, stdout);
});

Deno.test("uptime: a set that happens to be empty does not mean all nodes", async () => {
  await using mesh = await startMesh(["n1", "n2"]);
  for (const options of [{ nodes: [""] }, { exclude: ["n[1-2]"] }, { nodes: ["n1!n1"] }]) {
    assert.deepEqual(await uptime(mesh, options), {
      code: 2,
      stdout: "",
      stderr: "No node is selected\n",
    });
  }
});
