import assert from "node:assert/strict";
import { ConnectionError, MinimeError, UsageError } from "../../../core/errors.ts";
import { type KnownNode, MeshHomes } from "../../../modules/shared/mesh_home.ts";
import { makePlace } from "./place.ts";

const node = (name: string): KnownNode => ({
  name,
  keyId: "ab".repeat(32),
  endpoints: [`tcp:${name}:7117`],
  groups: ["io"],
  seen: 1_700_000_000_000,
});
const boot = (at: number) => ({
  at,
  file: "/etc/hosts.toml",
  up: ["n1"],
  failed: [{ name: "n2", reason: "refused" }],
});
const modeOf = (path: string) => (Deno.lstatSync(path).mode ?? 0) & 0o777;

Deno.test("mesh home: folders are 0700 and files 0600, and what was stored comes back", async () => {
  using place = makePlace();
  const homes = new MeshHomes(place.env);
  assert.equal(homes.folder, `${place.folder}/.config/minime`);
  const home = await homes.create("lab");
  await home.store("root.key", new Uint8Array([1, 2, 3]));
  await home.store("mesh.toml", 'name = "lab"');
  await home.storeNodes([node("n2"), node("n1")]);
  await home.storeLastBoot(boot(5));
  const again = await homes.open("lab");
  assert.deepEqual(await again?.load("root.key"), new Uint8Array([1, 2, 3]));
  assert.deepEqual(await again?.nodes(), [node("n2"), node("n1")]);
  assert.deepEqual(await again?.lastBoot(), boot(5));
  assert.equal(modeOf(home.folder), 0o700);
  for (const entry of Deno.readDirSync(home.folder)) {
    assert.equal(modeOf(`${home.folder}/${entry.name}`), 0o600, entry.name);
  }
});

Deno.test("mesh home: what was never stored is undefined, empty, or named when required", async () => {
  using place = makePlace();
  const home = await new MeshHomes(place.env).create("lab");
  assert.equal(await home.load("psk"), undefined);
  assert.deepEqual(await home.nodes(), []);
  assert.equal(await home.lastBoot(), undefined);
  await assert.rejects(
    home.require("user.cert"),
    new MinimeError(`The home of mesh "lab" has no user.cert ("${home.folder}/user.cert")`),
  );
});

Deno.test("mesh home: XDG_CONFIG_HOME is used when absolute, a relative one is not", () => {
  using absolute = makePlace({ HOME: "/nowhere", XDG_CONFIG_HOME: "{folder}/c/" });
  assert.equal(new MeshHomes(absolute.env).folder, `${absolute.folder}/c/minime`);
  using relative = makePlace({ HOME: "{folder}", XDG_CONFIG_HOME: "c" });
  assert.equal(new MeshHomes(relative.env).folder, `${relative.folder}/.config/minime`);
  using neither = makePlace({});
  assert.throws(
    () => new MeshHomes(neither.env).folder,
    new MinimeError("Neither XDG_CONFIG_HOME nor HOME names a folder: set one of them"),
  );
});

Deno.test("mesh home: a folder or file open to others is refused with the command that closes it", async () => {
  using place = makePlace();
  const homes = new MeshHomes(place.env);
  const home = await homes.create("lab");
  await home.store("root.key", "k");
  Deno.chmodSync(home.path("root.key"), 0o640);
  const path = home.path("root.key");
  await assert.rejects(
    home.load("root.key"),
    new MinimeError(`"${path}" is open to others (mode 0640): run: chmod 600 ${path}`),
  );
  Deno.chmodSync(home.folder, 0o755);
  await assert.rejects(
    homes.open("lab"),
    new MinimeError(
      `"${home.folder}" is open to others (mode 0755): run: chmod 700 ${home.folder}`,
    ),
  );
});

Deno.test("mesh home: a path that a shell would split is quoted in the command", async () => {
  using place = makePlace({ HOME: "{folder}/a b" });
  const home = await new MeshHomes(place.env).create("lab");
  Deno.chmodSync(home.folder, 0o750);
  await assert.rejects(new MeshHomes(place.env).open("lab"), {
    message: /run: chmod 700 '.*a b.*'$/,
  });
});

Deno.test("mesh home: what belongs to another user is refused", async () => {
  using place = makePlace({ HOME: "{folder}" }, { uid: 4_711 });
  await assert.rejects(
    new MeshHomes(place.env).create("lab"),
    { message: /belongs to user \d+, not to you \(user 4711\): if you trust .* run: chown 4711 / },
  );
});

Deno.test("mesh home: a symbolic link is no folder and no file", async () => {
  using place = makePlace();
  const homes = new MeshHomes(place.env);
  const home = await homes.create("lab");
  Deno.symlinkSync(home.folder, `${homes.folder}/link`);
  await assert.rejects(homes.open("link"), { message: /must be a folder, it is a symbolic link/ });
  Deno.symlinkSync("/etc/hostname", home.path("psk"));
  await assert.rejects(home.load("psk"), { message: /must be a file, it is a symbolic link/ });
});

Deno.test("mesh home: spoilt lists are named, with the way out", async () => {
  using place = makePlace();
  const home = await new MeshHomes(place.env).create("lab");
  const path = `${home.folder}/nodes.json`;
  const write = (text: string) => Deno.writeTextFileSync(path, text, { mode: 0o600 });
  write("{");
  await assert.rejects(
    home.nodes(),
    { message: `"${path}" is not JSON: it is made again when you remove it: rm ${path}` },
  );
  write('[{"name":"../x","keyId":"","endpoints":[],"groups":[],"seen":0}]');
  await assert.rejects(
    home.nodes(),
    new MinimeError(
      `"${path}" is wrong at 0.name (this is no name): it is made again when you remove it: rm ${path}`,
    ),
  );
});

Deno.test("mesh home: the mesh is the named one, the only one, or the one made or booted last", async () => {
  using place = makePlace();
  const homes = new MeshHomes(place.env);
  await assert.rejects(
    homes.choose(),
    new ConnectionError(
      "unknown-name",
      `No mesh in "${homes.folder}": boot one with "minime boot --hosts FILE", or make the keys of ` +
        'one by "minime mesh init --config FILE"',
    ),
  );
  const chosen = async (name?: string) => {
    const { home, others } = await homes.choose(name);
    return [home.name, others];
  };
  await (await homes.create("lab")).storeLastBoot(boot(1));
  assert.deepEqual(await chosen(), ["lab", 0]);
  await (await homes.create("prod")).storeLastBoot(boot(3));
  await (await homes.create("test")).storeLastBoot(boot(2));
  assert.deepEqual(await homes.list(), ["lab", "prod", "test"]);
  assert.deepEqual(await chosen(), ["prod", 2]);
  assert.deepEqual(await chosen("test"), ["test", 0]);
  await assert.rejects(
    homes.choose("prd"),
    new ConnectionError("unknown-name", `No mesh "prd" in "${homes.folder}", did you mean "prod"?`),
  );
  await assert.rejects(
    homes.choose("../prod"),
    new UsageError('"../prod" is no name of a mesh', {
      hint: "A name has 1 to 63 of a-z 0-9 . _ - and starts with a letter or digit",
    }),
  );
});

Deno.test("mesh home: one that cannot be read does not hide the others", async () => {
  using place = makePlace();
  const homes = new MeshHomes(place.env);
  await (await homes.create("lab")).storeLastBoot(boot(1));
  const bad = await homes.create("bad");
  await bad.storeLastBoot(boot(9));
  Deno.chmodSync(`${bad.folder}/boot.json`, 0o644);
  assert.equal((await homes.choose()).home.name, "lab");
});

Deno.test("mesh home: writers at the same time never tear a file", async () => {
  using place = makePlace();
  const homes = new MeshHomes(place.env);
  const lists = [["a"], ["b", "c"], ["d", "e", "f"]].map((names) => names.map(node));
  const home = await homes.create("lab");
  await home.storeNodes(lists[0] ?? []);
  const writers = lists.map(async (list) => {
    for (let i = 0; i < 10; i++) await home.storeNodes(list);
  });
  const readers = Array.from({ length: 20 }, async () => {
    const read = await home.nodes();
    assert.ok(lists.some((list) => list.length === read.length && list[0]?.name === read[0]?.name));
  });
  await Promise.all([...writers, ...readers]);
});
