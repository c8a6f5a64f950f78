import assert from "node:assert/strict";
import { LocalMesh } from "../support/local_mesh.ts";

interface BootResult {
  up: { name: string; already: boolean }[];
  failed: { name: string; reason: string; message: string }[];
}

function parse(text: string): BootResult {
  return JSON.parse(text) as BootResult;
}

Deno.test("boot here: four daemons come up, and only once", async () => {
  await using mesh = await LocalMesh.start({ boot: false });
  const first = await mesh.must("boot", "--hosts", mesh.file);
  for (const name of ["n1", "n2", "n3", "n4"]) {
    assert.match(first, new RegExp(`^${name} {2}up in \\d+\\.\\d s$`, "m"));
  }
  assert.match(first, /^4 of 4 hosts are up after .*: n\[1-4\]$/m);
  assert.equal(mesh.processes().length, 4);
  const pids = await Promise.all(["n1", "n2", "n3", "n4"].map((name) => mesh.pidOf(name)));

  const again = parse(await mesh.must("boot", "--hosts", mesh.file, "--json"));
  assert.deepEqual(again.up.map(({ already }) => already), [true, true, true, true]);
  assert.deepEqual(
    await Promise.all(["n1", "n2", "n3", "n4"].map((name) => mesh.pidOf(name))),
    pids,
  );

  // Keys are nobody else's business, and there are none on the daemons' disks.
  for (const file of ["root.key", "user.key", "psk", "nodes.json", "policy.signed"]) {
    assert.equal((Deno.statSync(`${mesh.home}/${file}`).mode ?? 0) & 0o777, 0o600, file);
  }
  assert.equal((Deno.statSync(mesh.home).mode ?? 0) & 0o777, 0o700);
  const state = [...Deno.readDirSync(mesh.stateFolder("n1"))].map(({ name }) => name).sort();
  assert.deepEqual(state.filter((name) => !["audit", "log", "pid", "sock"].includes(name)), []);

  // What dies is brought back by its name, from the file that the mesh was booted with.
  await mesh.signal("n3", "SIGKILL");
  const grown = parse(await mesh.must("grow", "-w", "n[3-4]", "--json"));
  assert.deepEqual(grown.failed, []);
  assert.deepEqual(grown.up.map(({ name }) => name).sort(), ["n3", "n4"]);
  assert.equal(mesh.processes().length, 4);
});

Deno.test("boot here: two boots at once make one mesh, with one set of keys", async () => {
  await using mesh = await LocalMesh.start({ boot: false });
  const boots = await Promise.all([1, 2].map(() => mesh.run("boot", "--hosts", mesh.file)));
  assert.deepEqual(boots.map(({ code }) => code), [0, 0], JSON.stringify(boots));
  const already = boots.filter(({ stdout }) => stdout.includes("n1  up already"));
  assert.equal(already.length, 1);
  assert.deepEqual((await mesh.nodes()).map(({ state }) => state), ["up", "up", "up", "up"]);
  assert.equal(mesh.processes().length, 4);
});

Deno.test("boot here: says which host failed and why, and the exit code says how many", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  await using mesh = await LocalMesh.start({
    boot: false,
    nodes: "n1",
    more: `[[hosts]]\nnames = "n2"\nlauncher = "local"\nport = ${port}\n`,
  });
  const some = await mesh.run("boot", "--hosts", mesh.file);
  assert.equal(some.code, 1, some.stderr);
  assert.match(some.stdout, new RegExp(`^n2 {2}port taken: .*127\\.0\\.0\\.1:${port}`, "m"));
  assert.match(some.stdout, /^1 of 2 hosts are up after .*: n1; not up: n2$/m);
  const none = await mesh.run("boot", "--hosts", mesh.file, "-w", "n2", "--json");
  assert.equal(none.code, 3);
  assert.equal(parse(none.stdout).failed[0]?.reason, "port-taken");
  const last = JSON.parse(await Deno.readTextFile(`${mesh.home}/boot.json`));
  assert.deepEqual(last.failed.map(({ name }: { name: string }) => name), ["n2"]);
});

Deno.test("boot here: a host that is not in the file, or no file, is told before anything is done", async () => {
  await using mesh = await LocalMesh.start({ boot: false, nodes: "n[1-2]" });
  const unknown = await mesh.run("boot", "--hosts", mesh.file, "-w", "n7");
  assert.equal(unknown.code, 2);
  assert.match(unknown.stderr, /There is no host "n7" in the file/);
  const missing = await mesh.run("boot", "--hosts", "/nowhere.toml");
  assert.equal(missing.code, 2);
  assert.match(missing.stderr, /Cannot read mesh file "\/nowhere\.toml"/);
  assert.match((await mesh.run("boot")).stderr, /Option --hosts is missing/);
  assert.deepEqual([...Deno.readDirSync(mesh.folder)].map(({ name }) => name), ["hosts.toml"]);
});

Deno.test("boot here: two meshes of one file live side by side, and a dead mesh does not grow", async () => {
  await using mesh = await LocalMesh.start({ nodes: "n[1-2]" });
  const other = await mesh.must("boot", "--hosts", mesh.file, "--mesh", "other");
  assert.match(other, /^2 of 2 hosts are up/m);
  assert.equal(mesh.processes().length, 4);
  for (const node of ["n1", "n2"]) await mesh.signal(node, "SIGKILL");
  const grown = await mesh.run("grow", "-w", "n1");
  assert.equal(grown.code, 4);
  assert.match(grown.stderr, /Mesh "lab" does not live: Cannot reach any of 2 known nodes/);
  assert.match(await mesh.must("boot", "--hosts", mesh.file), /^2 of 2 hosts are up/m);
});
