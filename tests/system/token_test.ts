/** Machines that join by a token: one name, one key, one registrar, one expiry. */

import assert from "node:assert/strict";
import { InstalledMesh } from "../support/installed_mesh.ts";

const RUNNING = /"message":"Running"/;

/** They have nothing but the mesh file, as machines that were just installed. */
const NEWCOMERS = ["n2", "n3", "n4", "n5"] as const;

Deno.test("token: one name, one key, one registrar, one expiry", async (test) => {
  await using mesh = await InstalledMesh.prepare({
    nodes: ["reg", ...NEWCOMERS],
    hostKeys: { reg: 'groups = ["registrar"]', n2: 'groups = ["compute"]' },
  });
  for (const node of NEWCOMERS) {
    for (const file of ["node.key", "node.cert", "root.pub", "psk", "policy.signed"]) {
      await Deno.remove(`${mesh.keys(node)}/${file}`);
    }
  }
  const step = async (name: string, run: (mesh: InstalledMesh) => Promise<void>) => {
    if (!await test.step(name, () => run(mesh))) throw new Error("The steps after it stand on it");
  };
  await step("what is wrong with one is said, and nothing is written", refuseWrongTokens);
  await step("a machine joins with it, keeps its key, and needs it no more", joinOnce);
  await step("keys by the root key may be copied over those of a token", provisionOver);
  await step("another key cannot use it again, the same one can, also after a restart", joinAgain);
});

async function joinOnce(mesh: InstalledMesh): Promise<void> {
  const { local } = mesh;
  const file = `${local.folder}/n2.token`;
  const create = ["token", "create", "--name", "n2", "--groups", "compute", "--out", file];
  assert.match(
    await local.must(...create),
    /^Token for "n2" of registrar "reg" is in ".*n2\.token"$/m,
  );
  assert.equal((Deno.statSync(file).mode ?? 0) & 0o777, 0o600);
  const joined = mesh.start("n2", { args: ["--token-file", file] });
  await joined.line(RUNNING);
  await mesh.settled("reg", "n2");
  const { nodes } = await local.json("nodes") as { nodes: { name: string; groups: string[] }[] };
  assert.deepEqual(nodes.find(({ name }) => name === "n2")?.groups, ["compute"]);
  const key = await Deno.readFile(`${mesh.keys("n2")}/node.key`);
  // The next start is one of any node; the token may be gone, and the registrar too.
  joined.kill("SIGTERM");
  await joined.status;
  await Deno.remove(file);
  await mesh.start("n2", { args: ["--token-file", file] }).line(RUNNING);
  assert.deepEqual(await Deno.readFile(`${mesh.keys("n2")}/node.key`), key);
  await mesh.settled("reg", "n2");
}

async function provisionOver(mesh: InstalledMesh): Promise<void> {
  const { local } = mesh;
  const file = `${local.folder}/n3.token`;
  await local.must("token", "create", "--name", "n3", "--out", file);
  const joined = mesh.start("n3", { args: ["--token-file", file] });
  await joined.line(RUNNING);
  joined.kill("SIGTERM");
  await joined.status;
  const issuer = await Deno.readFile(`${mesh.keys("n3")}/issuer.cert`);
  await local.must("mesh", "provision", "n3", "--out", `${local.folder}/new`);
  for (const { name } of Deno.readDirSync(`${local.folder}/new/n3`)) {
    await Deno.copyFile(`${local.folder}/new/n3/${name}`, `${mesh.keys("n3")}/${name}`);
  }
  // What signed the earlier ones lies there still, and does no harm.
  assert.deepEqual(await Deno.readFile(`${mesh.keys("n3")}/issuer.cert`), issuer);
  await mesh.start("n3").line(RUNNING);
  await mesh.settled("reg", "n2", "n3");
}

async function joinAgain(mesh: InstalledMesh): Promise<void> {
  const { local } = mesh;
  const file = `${local.folder}/n4.token`;
  await local.must("token", "create", "--name", "n4", "--out", file);
  const join = () => mesh.start("n4", { args: ["--token-file", file] });
  const first = join();
  await first.line(RUNNING);
  first.kill("SIGTERM");
  await first.status;
  await local.signal("reg", "SIGKILL");
  await mesh.start("reg").line(RUNNING);
  // Its answer was lost, as far as it knows.
  await Deno.remove(`${mesh.keys("n4")}/node.cert`);
  const again = join();
  await again.line(RUNNING);
  again.kill("SIGTERM");
  await again.status;
  // Somebody else has found the token.
  await Deno.remove(`${mesh.keys("n4")}/node.cert`);
  await Deno.remove(`${mesh.keys("n4")}/node.key`);
  const thief = join();
  await thief.line(/Cannot join at .*: Token for "n4" was used already, by another key/);
  assert.equal((await thief.status).code, 1);
}

async function refuseWrongTokens(mesh: InstalledMesh): Promise<void> {
  const { local } = mesh;
  const file = `${local.folder}/token`;
  const refused = async (code: number, text: RegExp) => {
    const daemon = mesh.start("n5", { args: ["--token-file", file] });
    await daemon.line(text);
    assert.equal((await daemon.status).code, code);
  };
  await refused(2, /There is no token file ".*token"/);
  await Deno.writeTextFile(file, "nonsense");
  await refused(1, /token" is open to others \(mode 0644\): run: chmod 600/);
  await Deno.chmod(file, 0o600);
  await refused(1, /This is no token of a mesh/);
  // Nobody can make one while no registrar is up.
  const nobody = await local.run("token", "create", "--name", "n5");
  assert.equal(nobody.code, 4);
  await mesh.start("reg").line(RUNNING);
  const create = (...words: readonly string[]) => local.run("token", "create", ...words);
  const cases: [args: string[], code: number, text: RegExp][] = [
    [[], 2, /Option --name is missing/],
    [["--name", "N5"], 2, /"N5" is no name/],
    [["--name", "n5", "--ttl", "90d"], 2, /A token lives from 1\.?0? s to 30 d.*, not 90 d/],
    [["--name", "n5", "--groups", "ops"], 5, /may not sign .* group "ops" is not among/],
  ];
  for (const [args, code, text] of cases) {
    const result = await create(...args);
    assert.equal(result.code, code, result.stderr);
    assert.match(result.stderr, text);
  }
  await Deno.writeTextFile(file, (await create("--name", "n7")).stdout);
  await refused(2, /The token is for "n7" of mesh "lab", and this is "n5" of mesh "lab"/);
  const whole = (await create("--name", "n5")).stdout;
  await Deno.writeTextFile(file, whole.slice(0, -9));
  await refused(1, /Token/);
  await Deno.writeTextFile(file, (await create("--name", "n5", "--ttl", "1s")).stdout);
  await new Promise((resolve) => setTimeout(resolve, 1_100));
  await refused(2, /The token has expired\nMake another one|The token has expired/);
  assert.deepEqual([...Deno.readDirSync(mesh.keys("n5"))].map(({ name }) => name), ["mesh.toml"]);
}
