/** Certificates that are renewed by a registrar, while nodes run and after they were away. */

import assert from "node:assert/strict";
import { endedIssuer } from "../support/ended_issuer.ts";
import { InstalledMesh } from "../support/installed_mesh.ts";
import { until } from "./rig/wait.ts";

const RUNNING = /"message":"Running"/;
const RENEWED = /"message":"Certificate was renewed, for another/;

Deno.test("renewal: a node renews while it runs, and comes back after it has expired, when its registrar does", async () => {
  await using mesh = await InstalledMesh.prepare({
    nodes: ["reg", "n2", "n3"],
    hostKeys: { reg: 'groups = ["registrar"]' },
    lives: { n2: "3s" },
  });
  const registrar = mesh.start("reg");
  await registrar.line(RUNNING);
  const second = mesh.start("n2");
  await second.line(RENEWED);
  await registrar.line(/"Certificate of \\"n2\\" was renewed here"/);
  const kept = `${mesh.local.stateFolder("n2")}/node.chain`;
  assert.equal((Deno.statSync(kept).mode ?? 0) & 0o777, 0o600);
  await mesh.settled("reg", "n2");
  // Away for longer than its certificate lasts.
  second.kill("SIGKILL");
  await second.status;
  await new Promise((resolve) => setTimeout(resolve, 3_200));
  const again = mesh.start("n2");
  await again.line(/Certificate of \\"n2\\" has expired: asking a registrar/);
  await again.line(RUNNING);
  await mesh.settled("reg", "n2");
  again.kill("SIGKILL");
  await again.status;
  registrar.kill("SIGTERM");
  await registrar.status;
  await waitForRegistrar(mesh);
});

// It waited before it wrote its pid file: its init script ended it after a minute, and systemd did so too.
async function waitForRegistrar(mesh: InstalledMesh): Promise<void> {
  const pidFile = `${mesh.local.folder}/n2.pid`;
  const read = (path: string) => Deno.readTextFile(path).catch(() => "");
  const start = async () => {
    const daemon = mesh.start("n2", { args: ["--pid-file", pidFile] });
    const says =
      /^Waiting for a new certificate from "reg": No certificate from "reg" at tcp:.*\n$/;
    await until("it says so", async () => says.test(await read(`${pidFile}.waiting`)));
    assert.equal(await read(pidFile), `${daemon.pid}\n`);
    return daemon;
  };
  // What it has in its folder of keys has expired long since.
  await Deno.remove(`${mesh.local.stateFolder("n2")}/node.chain`);
  const first = await start();
  first.kill("SIGTERM");
  assert.equal((await first.status).code, 0);
  const inState = `${mesh.local.stateFolder("n2")}/waiting`;
  const files = [pidFile, `${pidFile}.waiting`, inState];
  assert.deepEqual(await Promise.all(files.map(read)), ["", "", ""]);
  // A file that says where nobody listens is put right while it waits.
  const file = `${mesh.keys("n2")}/mesh.toml`;
  const right = await Deno.readTextFile(file);
  const port = /^port = (\d+)$/m.exec(right)?.[1] as string;
  const wrong = right.replaceAll(port, "1");
  await Deno.writeTextFile(file, wrong);
  const second = await start();
  const log = await mesh.local.run("log");
  assert.equal(log.code, 4);
  assert.match(
    log.stderr,
    /The daemon "n2" of this machine is not in mesh ".*" yet: Waiting for a new certificate/,
  );
  await mesh.start("reg").line(RUNNING);
  await Deno.writeTextFile(file, `${right}nonsense =\n`);
  second.kill("SIGHUP");
  await second.line(/The mesh file stays as it was: Cannot use .*mesh\.toml: 1 problem/);
  await Deno.writeTextFile(file, right);
  const reload = await mesh.local.run("reload", "--name", "n2");
  assert.equal(reload.code, 0, reload.stderr);
  assert.match(reload.stdout, /^"n2" reads its mesh file again, and asks at once\. Waiting for/);
  await second.line(/Mesh file read again/);
  await second.line(RUNNING);
  await mesh.settled("reg", "n2");
  await until("it waits no more", async () => await read(`${pidFile}.waiting`) === "");
  second.kill("SIGKILL");
  await second.status;
  // With the wrong file again: another node reaches the registrar for it.
  await Deno.writeTextFile(file, wrong);
  await Deno.remove(`${mesh.local.stateFolder("n2")}/node.chain`);
  const third = mesh.start("n3");
  await third.line(RUNNING);
  await mesh.start("n2").line(RUNNING);
  await third.line(/"Certificate of \\"n2\\" has expired: a registrar has renewed it through us"/);
}

// It asked other registrars, of which there were none, and the mesh stayed down.
Deno.test("renewal: a registrar that was away for longer than its certificate comes up alone", async () => {
  await using mesh = await InstalledMesh.prepare({
    nodes: ["reg"],
    hostKeys: { reg: 'groups = ["registrar"]' },
    lives: { reg: "2s" },
  });
  await new Promise((resolve) => setTimeout(resolve, 2_200));
  const registrar = mesh.start("reg");
  await registrar.line(/Certificate of \\"reg\\" has expired: its own issuer renews it/);
  await registrar.line(RUNNING);
});

// Its daemon ended with exit code 5, and the words of a node whose own certificate has expired.
Deno.test("renewal: a registrar whose issuer has ended stays a node, and gets another issuer", async () => {
  await using mesh = await InstalledMesh.prepare({
    nodes: ["reg"],
    hostKeys: { reg: 'groups = ["registrar"]' },
  });
  const { local } = mesh;
  const folder = mesh.keys("reg");
  const key = await Deno.readFile(`${folder}/registrar.key`);
  const rootSeed = await Deno.readFile(`${local.home}/root.key`);
  await Deno.writeFile(
    `${folder}/registrar.cert`,
    await endedIssuer({ name: "reg", key, rootSeed }),
  );
  const registrar = mesh.start("reg");
  await registrar.line(
    /The issuer of this registrar has expired: this registrar renews and admits/,
  );
  await mesh.settled("reg");
  const refused = await local.run("token", "create", "--name", "n3");
  assert.equal(refused.code, 5);
  assert.match(refused.stderr, /Certificate of issuer "reg" expired \d+ s ago/);
  await local.must("mesh", "rotate", "issuer");
  await local.must("token", "create", "--name", "n3");
});
