/** PSK and issuers are exchanged while the mesh is up; who was away is told what it needs. */

import assert from "node:assert/strict";
import { InstalledMesh } from "../support/installed_mesh.ts";
import { LocalMesh } from "../support/local_mesh.ts";

const RUNNING = /"message":"Running"/;

interface Certificates {
  readonly nodes: { name: string; issuer: { keyId: string } | null; trouble: string | null }[];
}

Deno.test("rotation: nodes and people go over to another PSK, and who was away is told why", async () => {
  await using mesh = await InstalledMesh.prepare({ nodes: ["n1", "n2", "n3"] });
  const { local } = mesh;
  const folder = `${local.folder}/hers/minime/lab`;
  await Deno.mkdir(`${local.folder}/hers/minime`, { recursive: true, mode: 0o700 });
  await local.must("user", "add", "alice", "--groups", "users", "--out", folder);
  const hers = { XDG_CONFIG_HOME: `${local.folder}/hers`, XDG_STATE_HOME: `${local.folder}/none` };
  const first = mesh.start("n1");
  await mesh.settled("n1");
  assert.match(
    await local.must("mesh", "rotate", "psk"),
    /^PSK version 1 counts on n1 after \d+ ms$\n^The one before is accepted for another 7 d$/m,
  );
  const again = await local.run("mesh", "rotate", "psk");
  assert.deepEqual([again.code, /is accepted for another/.test(again.stderr)], [2, true]);
  // Both know the old one alone, and are told.
  const second = mesh.start("n2");
  await second.line(/Version 1 of secrets counts now, from \\"n1\\"/);
  await mesh.settled("n1", "n2");
  assert.equal((await local.runWith(hers, "nodes")).code, 0);
  assert.deepEqual(
    await Deno.readFile(`${folder}/secrets.signed`),
    await Deno.readFile(`${local.home}/secrets.signed`),
  );
  await local.must("mesh", "rotate", "psk", "--finish");
  assert.equal((await local.runWith(hers, "nodes")).code, 0);
  // A restart does not bring the old one back.
  for (const daemon of [first, second]) daemon.kill("SIGKILL");
  await Promise.all([first.status, second.status]);
  mesh.start("n1");
  mesh.start("n2");
  await mesh.settled("n1", "n2");
  const third = mesh.start("n3");
  await third.line(/without a word: perhaps it is of another mesh, or the mesh has another PSK/);
  third.kill("SIGTERM");
  await third.status;
  await Deno.copyFile(`${local.home}/secrets.signed`, `${mesh.keys("n3")}/secrets.signed`);
  mesh.start("n3");
  await mesh.settled("n1", "n2", "n3");
});

Deno.test("rotation: registrars get new issuers, nodes renew by them, the old ones are revoked", async () => {
  await using mesh = await InstalledMesh.prepare({
    nodes: ["reg", "n2"],
    hostKeys: { reg: 'groups = ["registrar"]' },
  });
  const { local } = mesh;
  const registrar = mesh.start("reg");
  mesh.start("n2");
  await mesh.settled("reg", "n2");
  await local.must("mesh", "renew");
  const issuers = async () => {
    const { nodes } = await local.json("mesh", "certificates") as Certificates;
    return [...new Set(nodes.map(({ issuer }) => issuer?.keyId))];
  };
  const [before] = await issuers();
  // Which groups there are is for the file to say, as it is now.
  const late = ["token", "create", "--name", "n3", "--groups", "late", "--out"];
  const early = await local.run(...late, `${local.folder}/early.token`);
  assert.match(early.stderr, /"late"/);
  assert.notEqual(early.code, 0);
  const more = '[groups]\nlate = "n2"\n';
  await Deno.writeTextFile(`${local.home}/mesh.toml`, more, { append: true });
  const { exchanged, kept } = await local.json("mesh", "rotate", "issuer") as {
    exchanged: { registrar: string | null; keyId: string; formerKeyId: string }[];
    kept: unknown[];
  };
  assert.deepEqual(kept, []);
  assert.deepEqual(exchanged.map(({ registrar }) => registrar), [null, "reg"]);
  assert.equal(exchanged[1]?.formerKeyId, before);
  await local.must(...late, `${local.folder}/late.token`);
  // The new one is there after a restart too.
  registrar.kill("SIGKILL");
  await registrar.status;
  await mesh.start("reg").line(RUNNING);
  await mesh.settled("reg", "n2");
  assert.match(await local.must("mesh", "renew"), /^reg,n2: valid for another|^n2,reg: valid/m);
  assert.deepEqual(await issuers(), [exchanged[1]?.keyId]);
  await local.must("revoke", before as string);
  await mesh.settled("reg", "n2");
  await local.must("mesh", "renew");
  const wrong = await local.run("mesh", "rotate", "keys");
  assert.deepEqual([wrong.code, /"keys" cannot be rotated/.test(wrong.stderr)], [2, true]);
});

Deno.test("rotation: a mesh that boot made has no issuer, and says so", async () => {
  await using mesh = await LocalMesh.start({ nodes: "n1" });
  const { code, stderr } = await mesh.run("mesh", "rotate", "issuer");
  assert.equal(code, 2);
  assert.match(stderr, /Mesh ".*" has no issuer: its root key signs for all nodes/);
});
