/** Nodes that are not who they seem: an old disk, a cloned machine, one name given twice, a wrong clock. */

import assert from "node:assert/strict";
import { type Daemon, InstalledMesh } from "../support/installed_mesh.ts";

const RUNNING = /"message":"Running"/;

/** Another machine that has n2's folder of keys, with ports of its own. */
async function secondMachine(mesh: InstalledMesh, from: string): Promise<() => Daemon> {
  const folder = `${mesh.local.folder}/${from}-elsewhere`;
  await Deno.mkdir(folder, { mode: 0o700 });
  for (const { name } of Deno.readDirSync(mesh.keys(from))) {
    await Deno.copyFile(`${mesh.keys(from)}/${name}`, `${folder}/${name}`);
    await Deno.chmod(`${folder}/${name}`, 0o600);
  }
  const text = await Deno.readTextFile(`${folder}/mesh.toml`);
  const [before = "", own = ""] = text.split(`names = "${from}"`);
  const port = freePort();
  const elsewhere = own.replace(/^port = .*$/m, `port = ${port}`).replace(
    /^listen = .*$/m,
    `listen = ["tcp:127.0.0.1:${port}"]`,
  );
  await Deno.writeTextFile(`${folder}/mesh.toml`, `${before}names = "${from}"${elsewhere}`);
  return () =>
    mesh.start(from, {
      config: `${folder}/mesh.toml`,
      env: { XDG_STATE_HOME: `${mesh.local.folder}/${from}-state` },
    });
}

/** Free a moment ago. */
function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

Deno.test("identity: a node restored from an old disk is believed again", async () => {
  await using mesh = await InstalledMesh.prepare({ nodes: ["n1", "n2"] });
  mesh.start("n1");
  const first = mesh.start("n2");
  await mesh.settled("n1", "n2");
  first.kill("SIGTERM");
  await first.status;
  const state = mesh.local.stateFolder("n2");
  const old = await Deno.readTextFile(`${state}/incarnation`);
  for (const life of [2, 3]) {
    const daemon = mesh.start("n2");
    await daemon.line(new RegExp(`Life ${life} of`));
    await mesh.settled("n1", "n2");
    daemon.kill("SIGKILL");
    await daemon.status;
  }
  await Deno.writeTextFile(`${state}/incarnation`, old);
  const restored = mesh.start("n2");
  await restored.line(/Life 2 of/);
  await mesh.settled("n1", "n2");
});

Deno.test("identity: of one key on two machines the second is refused, and is told why", async () => {
  await using mesh = await InstalledMesh.prepare({ nodes: ["n1", "n2"] });
  mesh.start("n1");
  mesh.start("n2");
  await mesh.settled("n1", "n2");
  const clone = (await secondMachine(mesh, "n2"))();
  await clone.line(RUNNING);
  await clone.line(/in use by another daemon that is linked to us; two machines must not share/);
  await mesh.settled("n1", "n2");
});

Deno.test("identity: two keys under one name are both shown, and status says what to do", async () => {
  await using mesh = await InstalledMesh.prepare({ nodes: ["n1", "n2"] });
  const { local } = mesh;
  const again = await secondMachine(mesh, "n2");
  await local.must("mesh", "provision", "n2", "--out", `${local.folder}/again`);
  for (const file of ["node.key", "node.cert"]) {
    await Deno.copyFile(`${local.folder}/again/n2/${file}`, `${local.folder}/n2-elsewhere/${file}`);
  }
  mesh.start("n1");
  mesh.start("n2");
  await mesh.settled("n1", "n2");
  again();
  await mesh.settled("n1", "n2", "n2");
  const { code, stdout } = await local.run("status");
  assert.equal(code, 1);
  const text = /! n2: two nodes live under this name, with keys ([0-9a-f]{16}) and [0-9a-f]{16}/;
  assert.match(stdout, text);
});

Deno.test("identity: of a clock that is an hour off both ends are told, and what to do", async () => {
  await using mesh = await InstalledMesh.prepare({ nodes: ["n1", "n2"] });
  const { local } = mesh;
  const main = new URL("rig/skewed_main.ts", import.meta.url).pathname;
  const program = [Deno.execPath(), "run", "--quiet", "--no-check", "--allow-all", main];
  const skewed = (ms: number) => mesh.start("n2", { program, env: { SKEW_MS: `${ms}` } });
  const first = mesh.start("n1");
  const ahead = skewed(3_600_000);
  await mesh.settled("n1", "n2");
  await first.line(/The clock of ..n2.. is 3\d{3} s ahead of ours: its requests are refused/);
  await ahead.line(/The clock of ..n1.. is 3\d{3} s behind ours: its requests are refused/);
  // It is seen and answers, but what must be fresh is not believed there.
  const { code, stdout, stderr } = await local.run("exec", "-n", "-w", "n1,n2", "/bin/echo", "hi");
  assert.equal(stdout, "n1: hi\n");
  assert.match(stderr, /n2: refused: Request [0-9a-f]+ expired \d+ ms ago, .*: is a clock wrong/);
  assert.equal(code, 125);
  ahead.kill("SIGTERM");
  await ahead.status;
  // What has been signed meanwhile comes from its future.
  const behind = skewed(-3_600_000);
  await behind.line(/was issued \d+ ms in the future, 30000 ms is allowed: is a clock wrong/);
  // A clock is set sooner or later: a service manager tries again.
  assert.equal((await behind.status).code, 1);
});
