/** Policy and revocation list reach every node: those that are up at once, others when they are back. */

import assert from "node:assert/strict";
import { InstalledMesh } from "../support/installed_mesh.ts";
import { LocalMesh } from "../support/local_mesh.ts";

interface Published {
  version: number;
  revoked: { name: string; keyId: string }[];
  counts: string[];
  lacking: string[];
  away: string[];
}

Deno.test("revoke: a node is shut out everywhere at once, stops, and stays out", async () => {
  await using mesh = await InstalledMesh.prepare({ nodes: ["n1", "n2", "n3"] });
  mesh.start("n1");
  mesh.start("n2");
  const third = mesh.start("n3");
  await mesh.settled("n1", "n2", "n3");
  const { local } = mesh;
  const { revoked, counts, lacking, version } = await local.json("revoke", "n3") as Published;
  assert.deepEqual(revoked.map(({ name }) => name), ["n3"]);
  assert.deepEqual([version, lacking], [1, []]);
  assert.deepEqual(counts.filter((name) => name !== "n3"), ["n1", "n2"]);
  // It learns why, and does not come back.
  await third.line(/Key [0-9a-f]{64} of \\"n3\\" is revoked: this node stops/);
  // As one that was started after: a service manager shows that a person is needed.
  assert.equal((await third.status).code, 5);
  await mesh.settled("n1", "n2");
  const again = mesh.start("n3");
  await again.line(/Key [0-9a-f]{64} of "n3" is revoked/);
  assert.equal((await again.status).code, 5);
  // One from a backup, who knows of nothing, is refused by everybody.
  await Deno.remove(`${local.stateFolder("n3")}/revocations.signed`);
  const restored = mesh.start("n3");
  await restored.line(/refuses us: Key [0-9a-f]{64} of \\"n3\\" is revoked/);
  await mesh.settled("n1", "n2");
});

Deno.test("revoke: a node that was away learns it from its neighbours, and keeps it", async () => {
  await using mesh = await InstalledMesh.prepare({ nodes: ["n1", "n2", "n3"] });
  const { local } = mesh;
  const first = mesh.start("n1");
  await mesh.settled("n1");
  const { counts, away } = await local.json("revoke", "n3") as Published;
  assert.deepEqual([counts, away], [["n1"], []]);
  const second = mesh.start("n2");
  await second.line(/Version 1 of revocations counts now, from \\"n1\\"/);
  // With the one that told it gone, it still knows.
  first.kill("SIGTERM");
  second.kill("SIGTERM");
  await Promise.all([first.status, second.status]);
  mesh.start("n2");
  mesh.start("n3");
  await mesh.settled("n2");
  const refused = await local.run("ping", "n3");
  assert.notEqual(refused.code, 0);
});

Deno.test("revoke: a person is cut off in a mesh that boot made, and so are their programs", async () => {
  await using mesh = await LocalMesh.start({ nodes: "n[1-2]" });
  const folder = `${mesh.folder}/hers/minime/lab`;
  await Deno.mkdir(`${mesh.folder}/hers/minime`, { recursive: true, mode: 0o700 });
  await mesh.must("user", "add", "alice", "--groups", "users", "--out", folder);
  const hers = { XDG_CONFIG_HOME: `${mesh.folder}/hers`, XDG_STATE_HOME: `${mesh.folder}/none` };
  assert.equal((await mesh.runWith(hers, "nodes")).code, 0);
  const stdout = await mesh.must("revoke", "alice");
  assert.match(stdout, /^Revoked: alice, key [0-9a-f]{16}$/m);
  assert.match(stdout, /^Revocation list 1 counts on n\[1-2\] after \d+ ms$/m);
  const { code, stderr } = await mesh.runWith(hers, "nodes");
  assert.equal(code, 4);
  assert.match(stderr, /refuses us: Key [0-9a-f]{64} of "alice" is revoked/);
  // Again with the same name and another key she is somebody else.
  await Deno.remove(folder, { recursive: true });
  await mesh.must("user", "add", "alice", "--groups", "users", "--out", folder);
  assert.equal((await mesh.runWith(hers, "nodes")).code, 0);
  const second = await mesh.json("revoke", "alice") as Published;
  assert.deepEqual([second.version, second.revoked.length], [2, 2]);
});

Deno.test("revoke: a name means every key that was ever made for it here", async () => {
  await using mesh = await InstalledMesh.prepare({ nodes: ["n1"] });
  const { local } = mesh;
  const keyIds: string[] = [];
  for (const folder of ["second", "third"]) {
    const out = `${local.home}/../${folder}`;
    const { nodes } = await local.json("mesh", "provision", "n1", "--out", out) as {
      nodes: { keyId: string }[];
    };
    keyIds.push(...nodes.map(({ keyId }) => keyId));
  }
  const { code, stdout } = await local.run("revoke", "n1", "--json");
  assert.equal(code, 4);
  const { revoked } = JSON.parse(stdout) as Published;
  assert.equal(revoked.length, 3);
  const all = new Set(revoked.map(({ keyId }) => keyId));
  assert.deepEqual(keyIds.filter((keyId) => !all.has(keyId)), []);
});

Deno.test("revoke: what makes no sense is refused, and nothing is written", async () => {
  await using mesh = await InstalledMesh.prepare({ nodes: ["n1"] });
  const { local } = mesh;
  const own = (await local.json("mesh", "show") as { user: { keyId: string } }).user.keyId;
  const cases: [args: string[], text: RegExp][] = [
    [["n7"], /Nobody called "n7" is known here, did you mean "n1"\?\nSomebody who got/],
    [[own], /That is your own key: the mesh would not let you in any more/],
  ];
  for (const [args, text] of cases) {
    const { code, stderr } = await local.run("revoke", ...args);
    assert.equal(code, 2, stderr);
    assert.match(stderr, text);
  }
  const { revoked } = await local.json("mesh", "show") as { revoked: unknown };
  assert.deepEqual(revoked, { version: 0, keys: 0 });
  // Nobody is up: the home keeps it, and the mesh is told later.
  const later = await local.run("revoke", "ab".repeat(32));
  assert.equal(later.code, 4);
  assert.match(later.stderr, /Nobody was told yet: .*"minime mesh publish" tells the mesh later/);
  mesh.start("n1");
  await mesh.settled("n1");
  assert.match(
    await local.must("mesh", "publish"),
    /^Mesh "lab", policy version 1, revocations version 1: counts on n1 after \d+ ms$/m,
  );
  await Deno.remove(`${local.home}/root.key`);
  const rootless = await local.run("revoke", "n1");
  assert.equal(rootless.code, 2);
  assert.match(rootless.stderr, /Only the root key may sign a revocation list, and this home has/);
});

Deno.test("mesh publish: another policy counts on all nodes, without a restart", async () => {
  await using mesh = await InstalledMesh.prepare({ nodes: ["n1", "n2"] });
  const { local } = mesh;
  mesh.start("n1");
  mesh.start("n2");
  await mesh.settled("n1", "n2");
  const rule = '[[policy.allow]]\nwho = ["group:nobody"]\nverbs = ["core.*"]\non = ["*"]\n' +
    'as = ["root"]\n';
  await Deno.writeTextFile(local.file, `${await Deno.readTextFile(local.file)}${rule}`);
  assert.match(
    await local.must("mesh", "publish", "--config", local.file),
    /^Mesh "lab", policy version 2: counts on n\[1-2\] after \d+ ms$/m,
  );
  const halt = await local.run("halt");
  assert.notEqual(halt.code, 0);
  assert.match(halt.stdout + halt.stderr, /Policy has no rule for user/);
  await mesh.settled("n1", "n2");
});
