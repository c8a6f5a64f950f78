/** Nodes as services: files for an image, and the init script on a machine of its own. */

import assert from "node:assert/strict";
import { choosePrimitives, parseCertificate } from "../../core/mod.ts";
import { commandOf, ensureBinary } from "../../tools/binary.ts";
import { InstalledMesh } from "../support/installed_mesh.ts";
import { LoneMachine } from "../support/lone_machine.ts";
import { systemTest, until } from "./rig/mod.ts";

const built = await ensureBinary();

function files(folder: string): string[] {
  const found: string[] = [];
  for (const { name, isDirectory } of Deno.readDirSync(folder)) {
    if (isDirectory) found.push(...files(`${folder}/${name}`));
    else found.push(`${folder}/${name}`);
  }
  return found.sort();
}

Deno.test("init install: a dry run prints what it would write, and writes nothing", async () => {
  await using mesh = await InstalledMesh.prepare({ nodes: ["n1", "n2"] });
  const run = (...words: readonly string[]) => mesh.local.run("init", "install", ...words);
  const config = `${mesh.keys("n1")}/mesh.toml`;
  const { code, stdout, stderr } = await run("--config", config, "--dry-run", "--systemd");
  assert.equal(code, 0, stderr);
  assert.match(
    stdout,
    /^# \/etc\/minime\/lab\/node\.key \(mode 0600\): a copy of .*n1\/node\.key$/m,
  );
  assert.match(stdout, /^# \/etc\/systemd\/system\/minime-lab\.service \(mode 0644\)$/m);
  assert.match(stdout, /^ExecStart=.* daemon --config \/etc\/minime\/lab\/mesh\.toml --name n1$/m);
  // Whatever the machine is called, the keys say who it is.
  const script = await run("--config", config, "--dry-run", "--sysv");
  assert.match(script.stdout, /^# \/etc\/init\.d\/minime-lab \(mode 0755\)\n#!\/bin\/sh$/m);
  assert.match(script.stdout, /daemon --config \/etc\/minime\/lab\/mesh\.toml --name n1 \\$/m);
  const both = await run("--config", config, "--systemd", "--sysv");
  assert.equal(both.code, 2);
  assert.match(both.stderr, /Options --systemd and --sysv exclude each other/);
  const none = await run("--config", "/nowhere.toml", "--dry-run");
  assert.equal(none.code, 2);
  assert.match(none.stderr, /There is no mesh file "\/nowhere\.toml"/);
  // What the daemon would refuse at every start is refused before.
  const foreign = await run("--config", config, "--dry-run", "--sysv", "--name", "n2");
  assert.equal(foreign.code, 2);
  assert.match(foreign.stderr, /The keys in ".*" are those of "n1", not of "n2"/);
  const unknown = await run("--config", config, "--dry-run", "--sysv", "--name", "n7");
  assert.match(unknown.stderr, /There is no host "n7" in ".*mesh\.toml"/);
  // The file that is named is the one that is copied, whatever its name.
  const renamed = config.replace(/mesh\.toml$/, "hosts.toml");
  await Deno.copyFile(config, renamed);
  const copied = await run("--config", renamed, "--dry-run", "--sysv");
  assert.match(copied.stdout, /mesh\.toml \(mode 0600\): a copy of .*\/hosts\.toml$/m);
});

Deno.test("init install: into an image, again without a change, and edited files are kept", async () => {
  await using mesh = await InstalledMesh.prepare({ nodes: ["n1", "n2"] });
  const root = `${mesh.local.folder}/root`;
  await Deno.mkdir(`${root}/etc`, { recursive: true });
  const install = (node: string) =>
    mesh.local.run(
      ...["init", "install", "--config", `${mesh.keys(node)}/mesh.toml`],
      ...["--root", root, "--sysv"],
    );
  const first = await install("n1");
  assert.equal(first.code, 0, first.stderr);
  const program = built.kind === "compiled" ? [`${root}/usr/local/bin/minime`] : [];
  const keys = ["mesh.toml", "node.cert", "node.key", "policy.signed", "psk", "root.pub"];
  assert.deepEqual(files(root), [
    `${root}/etc/init.d/minime-lab`,
    ...keys.map((file) => `${root}/etc/minime/lab/${file}`),
    ...program,
  ]);
  for (const file of keys) {
    assert.equal((Deno.statSync(`${root}/etc/minime/lab/${file}`).mode ?? 0) & 0o777, 0o600);
  }
  assert.equal((Deno.statSync(`${root}/etc/minime/lab`).mode ?? 0) & 0o777, 0o700);
  assert.equal((Deno.statSync(`${root}/etc/init.d`).mode ?? 0) & 0o777, 0o755);
  assert.match((await install("n1")).stdout, /^All files are as they should be$/m);

  const edited = `${root}/etc/minime/lab/mesh.toml`;
  await Deno.writeTextFile(edited, `${await Deno.readTextFile(edited)}# mine\n`);
  const kept = await install("n1");
  assert.match(kept.stderr, /etc\/minime\/lab\/mesh\.toml is there already and stays as it is/);
  assert.match(await Deno.readTextFile(edited), /# mine\n$/);
  const other = await install("n2");
  assert.equal(other.code, 2);
  assert.match(
    other.stderr,
    /node\.key" is there already, of another node or an earlier key\nIf the new one counts/,
  );

  const ask = (...words: readonly string[]) =>
    mesh.local.runWith({ MINIME_MESH: "" }, "init", ...words, "--root", root, "--sysv");
  assert.match(
    (await ask("status")).stdout,
    /^minime-lab \(sysv, .*\): installed, and not of here$/m,
  );
  const gone = await ask("uninstall");
  assert.match(gone.stdout, /init\.d\/minime-lab is removed$/m);
  assert.match(gone.stderr, /Keys and state of the node stay; to remove them: rm -r /);
  assert.deepEqual(files(root).filter((path) => path.includes("init.d")), []);
  assert.match((await ask("uninstall")).stdout, /^No node is installed here$/m);
  assert.equal((await ask("status")).code, 1);
});

Deno.test("init install: keys that no daemon would take are refused, and what to do is said", async () => {
  await using mesh = await InstalledMesh.prepare({ nodes: ["n1", "n2"] });
  const folder = mesh.keys("n1");
  const root = `${mesh.local.folder}/root`;
  const refused = async (code: number, text: RegExp) => {
    const result = await mesh.local.run(
      ...["init", "install", "--config", `${folder}/mesh.toml`, "--root", root, "--systemd"],
    );
    assert.equal(result.code, code, result.stderr);
    assert.match(result.stderr, text);
    assert.throws(() => Deno.statSync(root), Deno.errors.NotFound);
  };
  const key = await Deno.readFile(`${folder}/node.key`);
  await Deno.writeFile(`${folder}/node.key`, key.slice(1));
  await refused(1, /node\.key" has 63 bytes, a key has 64: copy the folder here again/);
  await Deno.copyFile(`${mesh.keys("n2")}/node.key`, `${folder}/node.key`);
  await refused(5, /n1\/node\.cert" is not for the key in ".*n1\/node\.key"/);
  await Deno.writeFile(`${folder}/node.key`, key);
  await Deno.remove(`${folder}/psk`);
  await refused(2, /There is no psk in ".*n1"\n.*minime mesh provision.*--token-file FILE/);
  for (const file of ["node.key", "node.cert", "root.pub", "policy.signed"]) {
    await Deno.remove(`${folder}/${file}`);
  }
  await refused(2, /There is no node\.key, node\.cert, root\.pub and psk in ".*n1"\n/);
});

Deno.test("init install: keys whose certificate has ended are installed, since nodes renew theirs", async () => {
  await using mesh = await InstalledMesh.prepare({ nodes: ["n1"], lives: { n1: "1s" } });
  using primitives = await choosePrimitives();
  const bytes = await Deno.readFile(`${mesh.keys("n1")}/node.cert`);
  const { notAfter } = parseCertificate(primitives, bytes);
  await until("it has ended", () => Date.now() > notAfter);
  const root = `${mesh.local.folder}/root`;
  const { code, stderr } = await mesh.local.run(
    ...["init", "install", "--config", `${mesh.keys("n1")}/mesh.toml`, "--root", root, "--sysv"],
  );
  assert.equal(code, 0, stderr);
});

Deno.test("init install: a mesh file that stays must have the node in it", async () => {
  await using mesh = await InstalledMesh.prepare({ nodes: ["n1", "n2"] });
  const root = `${mesh.local.folder}/root`;
  await Deno.mkdir(`${root}/etc/minime/lab`, { recursive: true, mode: 0o700 });
  await Deno.writeTextFile(
    `${root}/etc/minime/lab/mesh.toml`,
    `name = "lab"\n[[hosts]]\nnames = "n2"\n`,
    { mode: 0o600 },
  );
  const { code, stderr } = await mesh.local.run(
    ...["init", "install", "--config", `${mesh.keys("n1")}/mesh.toml`, "--root", root, "--sysv"],
  );
  assert.equal(code, 2);
  assert.match(stderr, /There is no host "n1" in ".*root\/etc\/minime\/lab\/mesh\.toml"/);
});

systemTest(
  "init install: from a token to a node that runs, in one command",
  async () => {
    await using mesh = await InstalledMesh.prepare({
      nodes: ["reg", "n2"],
      hostKeys: { reg: 'groups = ["registrar"]' },
    });
    const { local } = mesh;
    await mesh.start("reg").line(/"message":"Running"/);
    await using machine = await LoneMachine.start("whatever");
    const config = `${local.folder}/mesh.toml`;
    await Deno.copyFile(local.file, config);
    const token = `${local.folder}/n2.token`;
    await local.must("token", "create", "--name", "n2", "--out", token);
    const words = [...commandOf(built), "init", "install", "--sysv", "--config", config];
    const install = (...more: readonly string[]) => machine.run([...words, ...more]);

    const dry = await install("--token-file", token, "--dry-run");
    assert.match(
      dry.stdout,
      /^# "n2" would join; its keys would be made in \/etc\/minime\/lab$/m,
    );
    const other = await install("--token-file", token, "--name", "reg");
    assert.equal(other.code, 2);
    assert.match(other.stderr, /The token is for "n2" of mesh "lab", and this is "reg" of/);
    const image = await install("--token-file", token, "--root", "/mnt");
    assert.match(image.stderr, /A token makes a node of the machine on which it is used/);

    const quoted = [...words, "--token-file", "-"].map((word) => `'${word}'`).join(" ");
    const joined = await machine.run(["sh", "-c", `cat '${token}' | ${quoted}`]);
    assert.equal(joined.code, 0, joined.stderr);
    assert.match(
      joined.stdout,
      /^"n2" has joined mesh "lab"; its keys were made in \/etc\/minime\/lab$/m,
    );
    assert.match(joined.stdout, /^minime-lab runs, as process \d+$/m);
    await mesh.settled("reg", "n2");
    // The token is used up, and nobody asks for it.
    const again = await install("--token-file", token);
    assert.equal(again.code, 0, again.stderr);
    assert.match(again.stderr, /"n2" has its keys already: no token is needed/);
    assert.match(again.stdout, /^All files are as they should be$/m);
    // A newer program that is there stays, unless somebody says otherwise.
    if (built.kind === "compiled") {
      const program = machine.path("/usr/local/bin/minime");
      await Deno.remove(program);
      const script = `#!/bin/sh\necho '{"version":"9.0.0"}'\n`;
      await Deno.writeTextFile(program, script, { mode: 0o755 });
      const newer = await install("--token-file", token);
      assert.equal(newer.code, 1);
      assert.match(
        newer.stderr,
        /minime 9\.0\.0 is installed .* this is 0\.1\.0, an older one: --rep/,
      );
      assert.equal((await install("--token-file", token, "--replace")).code, 0);
    }
    // A mesh that was made anew has other keys.
    await machine.run(["sh", "-c", "head -c 32 /dev/urandom >/etc/minime/lab/root.pub"]);
    const foreign = await install("--token-file", token);
    assert.equal(foreign.code, 2);
    assert.match(foreign.stderr, /"\/etc\/minime\/lab" holds keys of another mesh of that name/);
    assert.equal((await machine.run(["/etc/init.d/minime-lab", "stop"])).code, 0);
  },
);

systemTest(
  "init install: the init script on a real machine, from install to uninstall",
  async () => {
    await using mesh = await InstalledMesh.prepare({ nodes: ["n1"] });
    await using machine = await LoneMachine.start("n1");
    const minime = (...words: readonly string[]) => machine.run([...commandOf(built), ...words]);
    const service = (word: string) => machine.run(["/etc/init.d/minime-lab", word]);
    const installed = await minime(
      "init",
      "install",
      "--config",
      `${mesh.keys("n1")}/mesh.toml`,
      "--sysv",
    );
    assert.equal(installed.code, 0, installed.stderr);
    assert.match(installed.stdout, /^minime-lab runs, as process \d+$/m);
    await mesh.settled("n1");
    const status = await minime("init", "status", "--json");
    assert.equal(status.code, 0, status.stdout);
    assert.match(status.stdout, /"running":true,"text":"minime-lab runs, as process \d+"/);

    // Killed, it is known as dead; started again, it is the same node in its next life.
    const pid = await Deno.readTextFile(machine.path("/run/minime-lab.pid"));
    await machine.run(["kill", "-9", pid.trim()]);
    await until("it is known as dead", async () => (await service("status")).code === 1);
    assert.equal((await service("start")).code, 0);
    await mesh.settled("n1");
    assert.equal(
      await Deno.readTextFile(machine.path("/var/lib/minime/lab/n1/incarnation")),
      "2\n",
    );
    // Its own user reaches it on its machine without any key.
    const reload = await minime("reload");
    assert.match(reload.stdout, /^"n1" has read its mesh file: nothing has changed$/m);
    assert.equal((await service("reload")).code, 0);
    // The first such line is of the command before.
    await until("the signal has done the same", async () => {
      const log = await Deno.readTextFile(machine.path("/var/log/minime-lab.log"));
      return log.split("Mesh file read again").length > 2;
    });

    const again = await minime(
      "init",
      "install",
      "--config",
      `${mesh.keys("n1")}/mesh.toml`,
      "--sysv",
    );
    assert.match(again.stdout, /^All files are as they should be$/m);
    assert.match(again.stdout, /^minime-lab runs already, as process \d+$/m);
    // They were left to run without a word, and so was the process that held them.
    await mesh.local.must("exec", "-w", "n1", "--bg", "sleep", "1000");
    // Nobody reaps there, and a zombie has no command line.
    const lives = async (pid: string) =>
      (await machine.run(["cat", `/proc/${pid}/cmdline`])).stdout !== "";
    const kept = await minime("init", "uninstall", "--sysv", "--keep-jobs");
    assert.equal(kept.code, 0, kept.stderr);
    const [, holder = ""] = /"n1" run on, held by process (\d+); to end them: kill \1$/m
      .exec(kept.stderr) ?? [];
    assert.equal(await lives(holder), true, kept.stderr);
    await minime("init", "install", "--config", "/etc/minime/lab/mesh.toml", "--sysv");
    const dry = await minime("init", "uninstall", "--sysv", "--dry-run");
    assert.match(
      dry.stdout,
      new RegExp(`^# background jobs of "n1", which process ${holder} holds`),
    );
    const gone = await minime("init", "uninstall", "--sysv");
    assert.equal(gone.code, 0, gone.stderr);
    assert.match(gone.stdout, /^minime-lab is stopped$/m);
    assert.match(
      gone.stdout,
      new RegExp(`^Background jobs of "n1", which process ${holder} held, are ended$`, "m"),
    );
    assert.equal(await lives(holder), false);
    const left = await machine.run(["pgrep", "-f", "sleep 1000"]);
    assert.equal(left.stdout, "");
    assert.equal((await mesh.local.run("nodes")).code, 4);
  },
);
