/** Daemons that start with their machine: they find each other, are refused with a remedy, remember. */

import assert from "node:assert/strict";
import { type Daemon, InstalledMesh } from "../support/installed_mesh.ts";
import { LocalMesh } from "../support/local_mesh.ts";
import { turn, until } from "../support/wait.ts";
import { until as patiently } from "./rig/wait.ts";

const RUNNING = /"message":"Running"/;

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

async function endsWith(daemon: Daemon, code: number, text: RegExp): Promise<void> {
  assert.equal((await daemon.status).code, code);
  await daemon.line(text);
}

Deno.test("init daemon: nodes of the file find each other in any order, and come and go", async () => {
  await using mesh = await InstalledMesh.prepare({ nodes: ["n1", "n2", "n3"] });
  const third = mesh.start("n3");
  await third.line(RUNNING);
  await mesh.settled("n3");
  await saysWhoIsMissing(mesh);
  const first = mesh.start("n1");
  await mesh.settled("n1", "n3");
  const second = mesh.start("n2");
  await mesh.settled("n1", "n2", "n3");
  // Killed, it is found again, in its next life.
  first.kill("SIGKILL");
  await first.status;
  await mesh.settled("n2", "n3");
  mesh.start("n1");
  await mesh.settled("n1", "n2", "n3");
  await patiently("all know its next life", async () => {
    const { nodes } = await mesh.local.json("nodes") as { nodes: { incarnation: number }[] };
    return nodes.map(({ incarnation }) => incarnation).join() === "2,1,1";
  });
  // SIGTERM is an orderly end: the others see it leave.
  second.kill("SIGTERM");
  assert.equal((await second.status).code, 0);
  await patiently(
    "n2 has left",
    async () =>
      (await mesh.local.nodes()).some(({ name, state }) => name === "n2" && state === "left"),
  );
  await mesh.settled("n1", "n3");
});

/** Only n3 has come up; of the others nobody but the home of the mesh knows. */
async function saysWhoIsMissing({ local }: InstalledMesh): Promise<void> {
  const status = await local.run("status");
  assert.equal(status.code, 1);
  assert.match(status.stdout, /^! n\[1-2\]: not seen since n3 started .+ ago$/m);
  assert.match(status.stdout, /^degraded: 1 up, 2 missing, 0 links$/m);
  assert.match(await local.must("nodes", "-w", "n[2-3]"), /^n2 +missing [^]*\n1 up, 1 missing$/m);
  const { code, stderr } = await local.run("exec", "-a", "true");
  assert.equal(code, 125);
  assert.match(
    stderr,
    /^minime: n\[1-2\]: unreachable: Not seen since "n3" started \([^)]+, nothing was run\)\n$/,
  );
  // One that is gone for good.
  const shrunk = await local.run("shrink", "-w", "n2");
  assert.deepEqual([shrunk.code, shrunk.stderr], [
    0,
    "The mesh has not heard of n2; its home on this machine forgets it, too\n",
  ]);
  assert.match((await local.run("status")).stdout, /^! n1: not seen since n3 started/m);
}

Deno.test("init daemon: one name runs once, and its port must be free", async () => {
  await using mesh = await InstalledMesh.prepare({ nodes: ["n1"] });
  const daemon = mesh.start("n1");
  await daemon.line(RUNNING);
  const running = new RegExp(`A daemon of this name runs already, as process ${daemon.pid}`);
  await endsWith(mesh.start("n1"), 1, running);
  const elsewhere = { env: { XDG_STATE_HOME: `${mesh.local.folder}/other` } };
  await endsWith(mesh.start("n1", elsewhere), 1, /minime: .*127\.0\.0\.1:\d+.*/);
});

Deno.test("init daemon: keys of a wrong mode, owner, name or length are refused with the remedy", async () => {
  await using mesh = await InstalledMesh.prepare({ nodes: ["n1", "n2"] });
  const folder = mesh.keys("n1");
  const key = `${folder}/node.key`;
  await Deno.chmod(key, 0o640);
  await endsWith(
    mesh.start("n1"),
    1,
    new RegExp(`node.key" is open to others \\(mode 0640\\): run: chmod 600 ${key}`),
  );
  await Deno.chmod(key, 0o600);
  await Deno.chmod(folder, 0o755);
  await endsWith(mesh.start("n1"), 1, new RegExp(`\\(mode 0755\\): run: chmod 700 ${folder}`));
  await Deno.chmod(folder, 0o700);
  if (Deno.uid() === 0) {
    await Deno.chown(key, 65_534, 65_534);
    await endsWith(
      mesh.start("n1"),
      1,
      new RegExp(`belongs to user 65534, not to you .* run: chown 0 ${key}`),
    );
    await Deno.chown(key, 0, 0);
  }
  await endsWith(
    mesh.start("n1", { args: ["--keys", mesh.keys("n2")] }),
    5,
    /Keys in ".*n2" are those of "n2", and this machine is "n1"/,
  );
  await Deno.copyFile(`${mesh.keys("n2")}/node.key`, key);
  await endsWith(mesh.start("n1"), 5, /node\.cert" is not for the key in ".*node\.key"/);
  await Deno.writeFile(key, new Uint8Array(63));
  await endsWith(mesh.start("n1"), 1, /node\.key" has 63 bytes, a key has 64: copy the folder/);
  await Deno.remove(key);
  await endsWith(mesh.start("n1"), 2, /There is no node\.key in ".*n1"/);
  await endsWith(
    mesh.start("n1", { args: ["--keys", "/nowhere"] }),
    2,
    /There is no folder "\/nowhere" with the keys of this node/,
  );
});

Deno.test("init daemon: a mesh file or hook that others could change is refused, also by a reload", async () => {
  await using mesh = await InstalledMesh.prepare({ nodes: ["n1"] });
  const file = `${mesh.keys("n1")}/mesh.toml`;
  await Deno.chmod(file, 0o666);
  await endsWith(
    mesh.start("n1"),
    2,
    /mesh\.toml" can be changed by others \(mode 0666\), .* run: chmod go-w .*n1\/mesh\.toml/,
  );
  await Deno.chmod(file, 0o644);
  const open = `${mesh.local.folder}/open`;
  await Deno.mkdir(open);
  await Deno.writeTextFile(`${open}/hook`, "#!/bin/sh\n", { mode: 0o755 });
  const whole = await Deno.readTextFile(file);
  await Deno.writeTextFile(file, `${whole}[hooks]\nprogram = "${open}/hook"\n`);
  await Deno.chmod(open, 0o777);
  await endsWith(mesh.start("n1"), 2, /open" can be changed by others \(mode 0777\)/);
  await Deno.chmod(open, 0o755);
  await mesh.start("n1").line(RUNNING);
  await Deno.chmod(`${open}/hook`, 0o775);
  const reload = await mesh.local.run("reload");
  assert.equal(reload.code, 1);
  assert.match(reload.stderr, /open\/hook" can be changed by others \(mode 0775\)/);
});

Deno.test("init daemon: a file that does not name this machine, or is wrong, ends the start", async () => {
  await using mesh = await LocalMesh.start({ boot: false, nodes: "n[1-2]" });
  const run = (...args: readonly string[]) => mesh.run("daemon", ...args);
  const cases: [args: string[], text: RegExp, exit?: number][] = [
    [[], /A daemon needs keys: --config names its mesh file/],
    [["--config", "/nowhere"], /Cannot read mesh file "\/nowhere"/],
    [["--config", mesh.file, "--name", "n3"], /There is no host "n3" in ".*hosts.toml", did you/],
    [["--config", mesh.file], /This machine is no host of ".*hosts.toml": its name is/, 1],
    [["--config", mesh.file, "--enrol"], /Options --enrol, --detach and --listen do not go with/],
    [["--enrol"], /needs --mesh NAME, --name NAME and --listen ENDPOINT/],
  ];
  for (const [args, text, exit = 2] of cases) {
    const { code, stderr } = await run(...args);
    assert.equal(code, exit, stderr);
    assert.match(stderr, text);
  }
});

Deno.test("init daemon: what was asked of it survives its life", async () => {
  await using mesh = await InstalledMesh.prepare({ nodes: ["n1"] });
  const daemon = mesh.start("n1");
  await mesh.settled("n1");
  assert.equal((await mesh.local.run("halt")).code, 0);
  assert.equal((await daemon.status).code, 0);
  const state = mesh.local.stateFolder("n1");
  assert.deepEqual([...Deno.readDirSync(state)].map(({ name }) => name).sort(), [
    "audit",
    "incarnation",
    "journal",
  ]);
  assert.equal(Deno.statSync(`${state}/journal`).size, 56);
  const audit = await Deno.readTextFile(`${state}/audit/audit-00000001.jsonl`);
  assert.match(audit, /"verb":"core\.shutdown"/);
  // Its next life goes on with both.
  await mesh.start("n1").line(RUNNING);
  assert.equal(Deno.statSync(`${state}/journal`).size, 56);
  assert.match(await Deno.readTextFile(`${state}/incarnation`), /^2\n$/);
  await Deno.writeTextFile(`${state}/incarnation`, "two");
});

Deno.test("init daemon: a state folder that holds nonsense says how to go on", async () => {
  await using mesh = await InstalledMesh.prepare({ nodes: ["n1"] });
  const state = mesh.local.stateFolder("n1");
  await Deno.mkdir(state, { recursive: true, mode: 0o700 });
  await Deno.writeTextFile(`${state}/incarnation`, "two");
  await endsWith(mesh.start("n1"), 1, /incarnation" holds no number: .* run: rm .*incarnation/);
  await Deno.remove(`${state}/incarnation`);
  // A policy of another mesh is not believed, and no reason not to start.
  await Deno.writeTextFile(`${state}/policy.signed`, "nonsense");
  await Deno.chmod(`${state}/policy.signed`, 0o600);
  await mesh.start("n1").line(/"policy\.signed\\" in the state folder is not used: /);
  await mesh.settled("n1");
});

Deno.test("init daemon: reads its file again by reload and SIGHUP, and a wrong file changes nothing", async () => {
  await using mesh = await InstalledMesh.prepare({ nodes: ["n1", "n2", "n3"] });
  const file = `${mesh.keys("n1")}/mesh.toml`;
  const whole = await Deno.readTextFile(file);
  const without = whole.replace(/\[\[hosts\]\]\nnames = "n2"(\n.+)+\n/, "");
  assert.notEqual(without, whole);
  await Deno.writeTextFile(file, without);
  const first = mesh.start("n1", { args: ["--pid-file", `${mesh.local.folder}/pid`] });
  await first.line(RUNNING);
  const pidFile = `${mesh.local.folder}/pid`;
  await until(() => exists(pidFile), "the pid file is there");
  assert.equal(await Deno.readTextFile(pidFile), `${first.pid}\n`);
  const reload = (...args: readonly string[]) => mesh.local.run("reload", ...args);
  assert.match((await reload()).stdout, /^"n1" has read its mesh file: nothing has changed$/m);

  await Deno.writeTextFile(file, `${whole}nonsense = 1\n`);
  const wrong = await reload();
  assert.equal(wrong.code, 1);
  assert.match(wrong.stderr, /Unknown key "nonsense"/);
  first.kill("SIGHUP");
  // The first such line is of the command before.
  await first.line(/"The mesh file stays as it was: /, 2);

  await Deno.writeTextFile(file, whole.replace('names = "n3"', 'names = "n7"'));
  assert.deepEqual(JSON.parse((await reload("--json")).stdout), {
    node: "n1",
    added: ["n2", "n7"],
    removed: ["n3"],
    moved: [],
    changed: [],
    later: [],
  });
  await Deno.writeTextFile(
    file,
    whole.replace(/(listen = \["tcp:127.0.0.)1/, (_, start) => `${start}2`),
  );
  first.kill("SIGHUP");
  await first.line(/"The file changes where this node listens: .* from the next start on"/);
  // The daemon lives on through all of it.
  mesh.start("n2");
  await mesh.settled("n1", "n2");
  assert.match(
    (await reload()).stderr,
    /Several daemons run on this machine: n1 of mesh "lab", n2 of mesh "lab"\nSay which: --name n1/,
  );
  assert.match(
    (await reload("--name", "n9")).stderr,
    /No daemon "n9" that is yours answers on this machine/,
  );
  first.kill("SIGTERM");
  assert.equal((await first.status).code, 0);
  assert.equal(exists(pidFile), false);
});

Deno.test("init daemon: a reload moves a node, sets its log level and brings documents, links stay", async () => {
  await using mesh = await InstalledMesh.prepare({ nodes: ["n1", "n2"] });
  const daemons = ["n1", "n2"].map((node) => mesh.start(node));
  await mesh.settled("n1", "n2");
  const before = await linkTimes(mesh);
  const file = `${mesh.keys("n1")}/mesh.toml`;
  const whole = await Deno.readTextFile(file);
  const extra = '[defaults]\nsegment = "b"\nlog_level = "debug"\n' +
    '[[policy.allow]]\nwho = ["group:ops"]\nverbs = ["core.shutdown"]\non = ["*"]\n';
  for (const node of ["n1", "n2"]) {
    await Deno.writeTextFile(`${mesh.keys(node)}/mesh.toml`, `${whole}${extra}`);
  }
  const reload = (node: string) => mesh.local.run("reload", "--name", node);
  const first = await reload("n1");
  assert.equal(first.code, 0, first.stderr);
  assert.match(first.stdout, /"n1" has read its mesh file: segment "b", log level debug$/m);
  // What the root key has not signed does not count, and the remedy is named.
  assert.match(
    first.stderr,
    /policy in the file is not the one that counts.* mesh publish --config/,
  );
  await reload("n2");
  const segments = async () => (await mesh.local.nodes()).map(({ segment }) => segment);
  while ((await segments()).join() !== "b,b") await turn();
  assert.deepEqual(await linkTimes(mesh), before);

  // A signed policy beside the file counts from the reload on, at the neighbour too.
  await mesh.local.must(
    "mesh",
    "provision",
    "n1",
    "--config",
    file,
    "--out",
    `${mesh.local.folder}/x`,
  );
  const signed = `${mesh.local.folder}/x/n1/policy.signed`;
  await Deno.copyFile(signed, `${mesh.keys("n1")}/policy.signed`);
  const second = await reload("n1");
  assert.match(second.stdout, /has read its mesh file: policy version 2$/m);
  assert.doesNotMatch(second.stderr, /policy/);
  await daemons[1]?.line(/Version 2 of policy counts now/);
  await Deno.writeTextFile(`${mesh.keys("n1")}/policy.signed`, "nonsense");
  const third = await reload("n1");
  assert.equal(third.code, 1);
  await daemons[0]?.line(/The mesh file stays as it was: /);
});

Deno.test("init daemon: whoever owns it asks it on its machine without keys, and changes nothing", async () => {
  await using mesh = await InstalledMesh.prepare({ nodes: ["n1"] });
  await mesh.start("n1").line(RUNNING);
  const homeless = { XDG_CONFIG_HOME: `${mesh.local.folder}/nothing`, MINIME_MESH: "" };
  const run = (...words: readonly string[]) => mesh.local.runWith(homeless, ...words);
  for (const words of [["status"], ["uptime"], ["nodes"], ["--mesh", "lab", "nodes"]]) {
    const { code, stdout, stderr } = await run(...words);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /n1/);
  }
  const refused = await run("exec", "-a", "true");
  assert.equal(refused.code, 2);
  assert.match(
    refused.stderr,
    /You have no certificate of mesh "lab" on this machine\n.*user enroll/,
  );
  assert.equal((await run("--mesh", "other", "nodes")).code, 4);
});

Deno.test("init daemon: a program of the administrator's is run when nodes join, fail and leave", async () => {
  await using mesh = await InstalledMesh.prepare({ nodes: ["n1", "n2"] });
  const told = `${mesh.local.folder}/told`;
  const program = `${mesh.local.folder}/hook`;
  const script = `#!/bin/sh\necho "$MINIME_SELF: $MINIME_EVENT $MINIME_NODE" >>${told}\n`;
  await Deno.writeTextFile(program, script, { mode: 0o700 });
  const file = `${mesh.keys("n1")}/mesh.toml`;
  const whole = await Deno.readTextFile(file);
  await Deno.writeTextFile(file, `${whole}[hooks]\nprogram = "${program}"\n`);
  const first = mesh.start("n1");
  await first.line(RUNNING);
  const ended = (event: string, nth = 1) =>
    first.line(new RegExp(`Hook for ${event} of ..n2.. ended with exit code 0`), nth);
  const second = mesh.start("n2");
  await ended("join");
  second.kill("SIGKILL");
  await ended("failure");
  const third = mesh.start("n2");
  await ended("join", 2);
  await mesh.settled("n1", "n2");
  third.kill("SIGTERM");
  await ended("leave");
  const all = await Deno.readTextFile(told);
  // On a busy machine a node may seem to be lost more than once.
  assert.match(all, /^n1: join n2\n(n1: failure n2\n|n1: join n2\n)+n1: leave n2\n$/);

  // From a reload on there are none.
  await Deno.writeTextFile(file, whole);
  assert.match((await mesh.local.run("reload")).stdout, /"n1" has read its mesh file: no hooks$/m);
  mesh.start("n2");
  await mesh.settled("n1", "n2");
  assert.equal(await Deno.readTextFile(told), all);
});

/** Since when each link stands: one that is made anew has another time. */
async function linkTimes({ local }: InstalledMesh): Promise<unknown> {
  // Its exit code says that a link is slow, which on a busy machine it may be.
  const { stdout } = await local.run("status", "--json");
  const { links } = JSON.parse(stdout) as {
    links: { from: string; to: string; since: number }[];
  };
  assert.equal(links.length, 1);
  return links.map(({ from, to, since }) => [from, to, since]);
}
