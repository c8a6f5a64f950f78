/** Keys of a mesh that comes up with its machines: made, shown, given out, and what is refused. */

import assert from "node:assert/strict";
import { LocalMesh, type Result } from "../support/local_mesh.ts";

const MORE = `port = 7117
groups = ["compute"]
[[hosts]]
names = "reg"
address = "127.0.0.9"
port = 7117
gateway = true
groups = ["registrar"]
[[policy.allow]]
who = ["group:users"]
verbs = ["core.ping"]
on = ["*"]
as = ["$user"]
`;

const prepared = () => LocalMesh.start({ boot: false, nodes: "n[1-2]", more: addressed(MORE) });

/** Two hosts of one address and port would be a mistake. */
function addressed(more: string): string {
  return `address = "127.0.0.[1-2]"\n${more}`;
}

function refused({ code, stderr }: Result, expected: number, text: RegExp): void {
  assert.equal(code, expected, stderr);
  assert.match(stderr, text);
}

function namesIn(folder: string): string[] {
  return [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
}

Deno.test("mesh init: makes keys once, and shows them without their secrets", async () => {
  await using mesh = await prepared();
  refused(
    await mesh.run("mesh", "init", "--config", "/nowhere.toml"),
    2,
    /Cannot read mesh file "\/nowhere\.toml"/,
  );
  refused(
    await mesh.run("mesh", "init", "--config", mesh.file, "--mesh", "other"),
    2,
    /hosts\.toml" is of mesh "lab", not of "other"/,
  );
  assert.match(
    await mesh.must("mesh", "init", "--config", mesh.file),
    /^Mesh "lab" has its keys, in ".*config\/minime\/lab"\nYou are ".+", who may do everything/,
  );
  for (const file of ["root.key", "issuer.key", "user.key", "psk", "policy.signed"]) {
    assert.equal((Deno.statSync(`${mesh.home}/${file}`).mode ?? 0) & 0o777, 0o600, file);
  }
  refused(
    await mesh.run("mesh", "init", "--config", mesh.file),
    2,
    /Mesh "lab" has its keys already, in ".*"\nSee them: minime mesh show --mesh lab/,
  );
  const facts = await mesh.json("mesh", "show") as Record<string, unknown>;
  assert.deepEqual(
    [facts["mesh"], facts["root"], facts["policyVersion"], facts["nodes"]],
    ["lab", true, 1, 0],
  );
  const shown = await mesh.must("mesh", "show");
  assert.match(shown, /^root key {4}here$/m);
  assert.match(shown, /^issuer {6}issuer key [0-9a-f]{16}, valid for another 36\d d/m);
  const secret = Deno.readFileSync(`${mesh.home}/root.key`).toHex();
  assert.ok(!JSON.stringify(facts).includes(secret.slice(0, 16)));
});

Deno.test("mesh init: a mesh file and a name in the wrong place are put into the right one", async () => {
  await using mesh = await prepared();
  refused(await mesh.run("mesh", "init", "a.toml"), 2, /did you mean --config a\.toml\?/);
  refused(await mesh.run("init", "install", "a.toml"), 2, /did you mean --config a\.toml\?/);
  refused(await mesh.run("boot", "a.toml"), 2, /did you mean --hosts a\.toml\?/);
  refused(await mesh.run("token", "create", "n3"), 2, /did you mean --name n3\?/);
  refused(
    await mesh.run("init", "install", "--config", mesh.folder, "--dry-run"),
    2,
    new RegExp(
      `"${mesh.folder}" is a folder\nName the mesh file in it: --config ${mesh.folder}/mesh.toml`,
    ),
  );
});

Deno.test("mesh init: the mesh that was made last is the one that commands mean", async () => {
  await using mesh = await prepared();
  const unnamed = { MINIME_MESH: "" };
  for (const name of ["zoo", "lab"]) {
    const made = await mesh.runWith(unnamed, "mesh", "init", "--mesh", name);
    assert.equal(made.code, 0, made.stderr);
    assert.equal(
      /^Commands mean this mesh from now on; another one of yours: --mesh zoo$/m.test(made.stderr),
      name === "lab",
    );
    const shown = await mesh.runWith(unnamed, "mesh", "show", "--json");
    assert.equal(JSON.parse(shown.stdout).mesh, name);
  }
});

Deno.test("mesh init: keys that boot made get an issuer and stay what they are", async () => {
  await using mesh = await LocalMesh.start({ nodes: "n1" });
  const root = Deno.readFileSync(`${mesh.home}/root.key`);
  await mesh.must("mesh", "init", "--config", mesh.file);
  assert.deepEqual(Deno.readFileSync(`${mesh.home}/root.key`), root);
  assert.deepEqual((await mesh.nodes()).map(({ name, state }) => [name, state]), [["n1", "up"]]);
});

Deno.test("mesh provision: a private folder for each node, made once; a registrar gets an issuer", async () => {
  await using mesh = await prepared();
  await mesh.must("mesh", "init", "--config", mesh.file);
  const out = `${mesh.folder}/nodes`;
  refused(await mesh.run("mesh", "provision", "n1"), 2, /Option --out is missing/);
  refused(
    await mesh.run("mesh", "provision", "n7", "--out", out),
    2,
    /There is no host "n7" in the file, did you mean "n1" or "n2"\?\nAdd it to the mesh file/,
  );
  const { nodes } = await mesh.json("mesh", "provision", "n1,reg", "--out", out) as {
    nodes: { name: string; groups: string[]; folder: string }[];
  };
  assert.deepEqual(nodes.map(({ name, groups }) => [name, groups]), [
    ["n1", ["compute"]],
    ["reg", ["registrar", "gateway"]],
  ]);
  const files = ["mesh.toml", "node.cert", "node.key", "policy.signed", "psk", "root.pub"];
  assert.deepEqual(namesIn(`${out}/n1`), files);
  assert.deepEqual(
    namesIn(`${out}/reg`),
    [...files, "registrar.cert", "registrar.key"].sort(),
  );
  assert.equal((Deno.statSync(`${out}/n1`).mode ?? 0) & 0o777, 0o700);
  assert.equal((Deno.statSync(`${out}/n1/node.key`).mode ?? 0) & 0o777, 0o600);
  // Nothing is written when one of them is there.
  refused(
    await mesh.run("mesh", "provision", "n[1-2]", "--out", out),
    2,
    /nodes\/n1" is there already, and its node would get another key\nIf that is .*: rm -r /,
  );
  assert.deepEqual(namesIn(out), ["n1", "reg"]);
  const known = JSON.parse(Deno.readTextFileSync(`${mesh.home}/nodes.json`));
  assert.deepEqual(
    known.map(({ name, endpoints }: { name: string; endpoints: string[] }) => [name, endpoints]),
    [["n1", ["tcp:127.0.0.1:7117"]], ["reg", ["tcp:127.0.0.9:7117"]]],
  );
});

Deno.test("mesh provision: where nobody will renew what it makes, that is said", async () => {
  await using mesh = await prepared();
  await mesh.must("mesh", "init", "--config", mesh.file);
  const provision = (out: string) =>
    mesh.run("mesh", "provision", "--config", mesh.file, "n1", "--out", `${mesh.folder}/${out}`);
  assert.doesNotMatch((await provision("a")).stderr, /renew/);
  const file = await Deno.readTextFile(mesh.file);
  await Deno.writeTextFile(mesh.file, file.replace('"registrar"', '"registar"'));
  assert.match(
    (await provision("b")).stderr,
    /Nobody renews their certificates, which end after 90 d.*: give a host groups = \["registrar"\]/,
  );
});

Deno.test("mesh provision: hosts without a port are warned of", async () => {
  await using mesh = await LocalMesh.start({ boot: false, nodes: "n1" });
  await mesh.must("mesh", "init", "--config", mesh.file);
  const { code, stderr } = await mesh.run("mesh", "provision", "n1", "--out", `${mesh.folder}/o`);
  assert.equal(code, 0);
  assert.match(stderr, /Warning: n1 would listen on any free port, where nobody finds it: write/);
  // Those that look around find each other all the same.
  await Deno.writeTextFile(mesh.file, `discover = true\n${await Deno.readTextFile(mesh.file)}`);
  const again = await mesh.run(
    ...["mesh", "provision", "n1", "--out", `${mesh.folder}/p`, "--config", mesh.file],
  );
  assert.equal(again.code, 0);
  assert.match(again.stderr, /Warning: Nodes will find each other, but commands find none from/);
  assert.doesNotMatch(again.stderr, /any free port/);
});

Deno.test("mesh provision: an issuer makes nodes where the root key was taken away, and no more", async () => {
  await using mesh = await prepared();
  await mesh.must("mesh", "init", "--config", mesh.file);
  await Deno.remove(`${mesh.home}/root.key`);
  const out = `${mesh.folder}/nodes`;
  await mesh.must("mesh", "provision", "n1", "--out", out);
  assert.ok(namesIn(`${out}/n1`).includes("issuer.cert"));
  refused(
    await mesh.run("mesh", "provision", "reg", "--out", out),
    2,
    /Only the root key may sign the issuer of registrar "reg", and this home has none\nRun this where/,
  );
  refused(
    await mesh.run("user", "add", "bob", "--groups", "ops", "--out", `${mesh.folder}/bob`),
    2,
    /Only the root key may sign a certificate in group "ops", and this home has none/,
  );
  refused(
    await mesh.run("user", "add", "bob", "--groups", "wheel", "--out", `${mesh.folder}/bob`),
    5,
    /Issuer "issuer" may not sign the certificate of "bob": group "wheel" is not among/,
  );
  assert.deepEqual(namesIn(mesh.folder), ["config", "hosts.toml", "nodes"]);
  // Groups of the policy are people's.
  await mesh.must("user", "add", "bob", "--groups", "users", "--out", `${mesh.folder}/bob`);
  assert.match(await mesh.must("mesh", "show"), /^root key {4}not here$/m);
});

Deno.test("user add: writes the home of somebody else, who reaches the mesh with it", async () => {
  await using mesh = await LocalMesh.start({ nodes: "n1" });
  const folder = `${mesh.folder}/alice`;
  const add = ["user", "add", "alice"];
  refused(await mesh.run(...add), 2, /Option --out is missing\nIt names a folder: --out alice/);
  refused(
    await mesh.run(...add, "--groups", "users,B", "--out", folder),
    2,
    /"B" is no name of a group \(a-z, 0-9, and inside also \. _ -\)/,
  );
  refused(
    await mesh.run("user", "add", "5th", "--out", folder),
    2,
    /"5th" is no name of a unix user\nName one: --unix-user NAME/,
  );
  assert.match(
    await mesh.must(...add, "--groups", "users", "--out", folder),
    /^User "alice" \(in users\) of mesh "lab": /,
  );
  refused(await mesh.run(...add, "--out", folder), 2, /alice" is there already/);
  // Alice's own account knows this home only.
  await Deno.mkdir(`${mesh.folder}/hers/minime`, { recursive: true, mode: 0o700 });
  await Deno.rename(folder, `${mesh.folder}/hers/minime/lab`);
  const hers = { XDG_CONFIG_HOME: `${mesh.folder}/hers`, XDG_STATE_HOME: `${mesh.folder}/none` };
  const nodes = await mesh.runWith(hers, "nodes", "--json");
  assert.equal(nodes.code, 0, nodes.stderr);
  assert.match(nodes.stdout, /"name":"n1"/);
  const halt = await mesh.runWith(hers, "halt");
  assert.notEqual(halt.code, 0);
  assert.match(halt.stderr + halt.stdout, /Policy has no rule for user "alice" \(groups "users"\)/);
});
