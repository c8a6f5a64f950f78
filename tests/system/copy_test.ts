/**
 * minime cp to and from hosts with disks of their own: what arrives, as whom, what each of them says when
 * it cannot, and a node that dies in the middle and goes on where it was.
 */

import assert from "node:assert/strict";
import { ensureBinary } from "../../tools/binary.ts";
import { fullDisk, type Host, Rig, systemTest, throttled, until } from "./rig/mod.ts";

const FILE = "/root/hosts.toml";
const NAME = "cp: to four hosts and from them, with full disks and a death in the middle";
const NODES = ["n1", "n2", "n3", "n4"];
const MESH = `
name = "lab"
[[hosts]]
names = "n[1-4]"
[[policy.allow]]
who = ["group:ops"]
verbs = ["*"]
on = ["*"]
as = ["root", "alice", "$user"]
`;
const LARGE = 16_000_000;
/** It takes some seconds then, in which something can happen. */
const THIN = { bytesPerSecond: 4_000_000 };

interface Copied {
  readonly node: string;
  readonly failure?: string;
  readonly reason?: string;
  readonly files: number;
  readonly bytes: number;
  readonly same: number;
}

const built = await ensureBinary();
if (built.kind === "compiled") systemTest(NAME, runCopies);
else Deno.test.ignore(`${NAME} (the sources cannot be copied: ${built.why})`, runCopies);

async function runCopies(test: Deno.TestContext): Promise<void> {
  await using rig = await Rig.start({ hosts: NODES, users: ["alice"] });
  const { origin } = rig;
  await origin.writeFile(FILE, MESH);
  const boot = () => rig.minime(["boot", "--hosts", FILE], { timeoutMs: 120_000 });
  const booted = await boot();
  assert.equal(booted.code, 0, booted.stdout + booted.stderr);
  const cp = (...args: string[]) => rig.minime(["cp", ...args], { timeoutMs: 120_000 });
  const copied = async (...args: string[]) => {
    const { stdout, stderr } = await cp("--json", ...args);
    try {
      return (JSON.parse(stdout) as { nodes: Copied[] }).nodes;
    } catch {
      throw new Error(stdout + stderr);
    }
  };

  await test.step("a folder with what is in it, to all, and again", async () => {
    await origin.writeFile("/root/conf/a", "one\n", { mode: 0o640 });
    await origin.writeFile("/root/conf/sub/b c", "two\n", { mode: 0o755 });
    await origin.must(["ln", "-s", "../a", "/root/conf/sub/link"]);
    await origin.must(["touch", "-d", "@1600000000", "/root/conf/a", "/root/conf/sub"]);
    const first = await cp("conf", "n[1-4]:/run/no/");
    const nowhere = 'minime: n[1-4]: failed: There is no folder "/run/no/"\n';
    assert.deepEqual([first.code, first.stdout, first.stderr], [3, "", nowhere]);
    const { code, stdout, stderr } = await cp("-a", "conf", ":/tmp");
    assert.deepEqual([code, stdout, stderr], [0, "", ""]);
    for (const host of rig.hosts) {
      const facts = await host.must([
        "stat",
        "-c",
        "%F %a %Y",
        ...["a", "sub"].map((name) => `/tmp/conf/${name}`),
      ]);
      assert.equal(facts, "regular file 640 1600000000\ndirectory 755 1600000000\n");
      assert.equal(await host.must(["cat", "/tmp/conf/sub/link"]), "one\n");
      assert.equal(await host.must(["cat", "/tmp/conf/sub/b c"]), "two\n");
    }
    const again = await copied("-a", "conf", ":/tmp");
    assert.deepEqual(
      again.map(({ files, bytes, same }) => [files, bytes, same]),
      Array(4).fill([0, 0, 3]),
    );
  });

  await test.step("as another user, who may write what that user may", async () => {
    const own = await cp("-l", "alice", "conf", "n[1-2]:");
    assert.deepEqual([own.code, own.stderr], [0, ""]);
    const owner = await rig.host("n2").must(["stat", "-c", "%U", "/home/alice/conf/a"]);
    assert.equal(owner, "alice\n");
    const { code, stderr } = await cp("-l", "alice", "conf/a", "n1:/root/x");
    assert.equal(code, 3);
    assert.match(stderr, /^minime: n1: .*"\/root\/x".*permission denied/);
    const refused = await cp("-l", "bin", "conf/a", "n1:/tmp");
    assert.equal(refused.code, 5);
    assert.match(
      refused.stderr,
      /^minime: n1: refused: Policy has no rule .* as unix user "bin"\n$/,
    );
  });

  await origin.writeFile("/root/large", bytes(LARGE));

  await test.step("each says why it cannot, and keeps nothing of it", async () => {
    for (const name of ["n1", "n2", "n4"]) await rig.host(name).must(["mkdir", "/run/in"]);
    await using _small = await fullDisk(rig.host("n2"), { path: "/run/in", bytes: 4_000_000 });
    await using _other = await fullDisk(rig.host("n4"), { path: "/run/in" });
    await rig.host("n4").must(["mount", "-o", "remount,ro", "/run/in"]);
    const { code, stderr } = await cp("large", "n[1-4]:/run/in/");
    assert.equal(code, 1);
    assert.deepEqual(stderr.split("\n").slice(0, -1).sort(), [
      'minime: n2: failed: Could not write "/run/in/large": no space left on the disk',
      'minime: n3: failed: There is no folder "/run/in/"',
      'minime: n4: Could not write "/run/in/large": the file system is read-only',
    ]);
    assert.equal(await rig.host("n2").must(["ls", "-A", "/run/in"]), "");
    await same(origin, rig.host("n1"), "/run/in/large");
  });

  await test.step("a node that dies in the middle loses nobody else anything, and goes on later", async () => {
    let victim = rig.host("n4");
    {
      await using _thin = await throttled(origin, THIN);
      const copying = cp("large", "n[1-4]:/tmp/");
      await until(
        "much of it is there",
        () => rig.hosts.every((host) => partBytes(host) > 3_000_000),
      );
      // Not the one that the origin has asked, which carries all of it.
      victim = rig.hosts.find(({ address }) => !peersOf(origin).has(address)) as Host;
      await victim.signal("KILL", ...daemonsOf(victim));
      const { code, stderr } = await copying;
      assert.equal(code, 1, stderr);
      assert.match(stderr, new RegExp(`^minime: ${victim.name}: unreachable: .*\n$`));
    }
    for (const host of rig.hosts) if (host !== victim) await same(origin, host, "/tmp/large");
    assert.equal(await victim.exists("/tmp/large"), false);
    await until("its process has ended too", () => victim.pids().length === 0);
    const again = await boot();
    assert.equal(again.code, 0, again.stdout + again.stderr);
    const nodes = await copied("large", "n[1-4]:/tmp/");
    assert.deepEqual(nodes.map(({ failure }) => failure), Array(4).fill(undefined));
    const late = nodes.find(({ node }) => node === victim.name);
    assert.deepEqual(nodes.map((node) => node.same), nodes.map((node) => node === late ? 0 : 1));
    const missing = late?.bytes ?? 0;
    assert.ok(missing > 0 && missing <= LARGE - 3_000_000, String(missing));
    await same(origin, victim, "/tmp/large");
    assert.equal(partBytes(victim), 0);
  });

  await test.step("exec --user: as that user, in its home and with all of its groups", async () => {
    const groups = "staff2:x:4001:bob,alice\nother2:x:4002:bob\n";
    const n1 = rig.host("n1");
    await n1.writeFile("/etc/group", await n1.readText("/etc/group") + groups);
    const line = 'id -u; id -g; id -G; echo "$USER $HOME $PWD"; grep NoNewPrivs /proc/self/status';
    const { code, stdout, stderr } = await rig.minime(
      ["exec", "-N", "-w", "n1", "--user", "alice", "-s", line],
    );
    assert.deepEqual([code, stderr], [0, ""]);
    const home = "/home/alice";
    const lines = ["3001", "3001", "3001 4001", `alice ${home} ${home}`, "NoNewPrivs:\t1", ""];
    assert.deepEqual(stdout.split("\n"), lines);
  });

  await test.step("in sessions, of which nobody between sees anything, there and back", async () => {
    const { code, stderr } = await cp("--private", "conf/a", "n[1-3]:/tmp/private");
    assert.deepEqual([code, stderr], [0, ""]);
    assert.equal(await rig.host("n3").must(["cat", "/tmp/private"]), "one\n");
    await rig.host("n2").must(["rm", "-r", "/tmp/conf"]);
    const back = await cp("n[1-4]:/tmp/conf", "n1:/tmp/large", "back");
    assert.equal(back.code, 1);
    assert.equal(back.stderr, 'minime: n2: failed: There is no "/tmp/conf"\n');
    assert.equal(
      await origin.must(["ls", "-A", "back/n1", "back/n2", "back/n4"]),
      [
        "back/n1:\nconf\nlarge\n",
        "back/n2:\n",
        "back/n4:\nconf\n",
      ].join("\n"),
    );
    for (const path of ["a", "sub"]) {
      const facts = (of: string) => origin.must(["stat", "-c", "%F %a %Y", `${of}/${path}`]);
      assert.equal(await facts("back/n4/conf"), await facts("conf"));
    }
    assert.equal(await origin.must(["readlink", "back/n3/conf/sub/link"]), "../a\n");
    await origin.must(["cmp", "large", "back/n1/large"]);
    const again = await copied("n[1-4]:/tmp/conf", "n1:/tmp/large", "back");
    assert.deepEqual(again.map(({ files, same }) => [files, same]), [
      [0, 4],
      [undefined, undefined],
      [0, 3],
      [0, 3],
    ]);
  });

  await test.step("^C, and the death of the node that was asked: the same command goes on", async () => {
    const command = ["large", "n[1-4]:/tmp/again"];
    const parts = (bytes: number) =>
      until(
        `${bytes} bytes are everywhere`,
        () => rig.hosts.every((host) => partBytes(host) > bytes),
      );
    const asked = () => rig.hosts.find(({ address }) => peersOf(origin).has(address)) as Host;
    let dead: Host;
    {
      await using _thin = await throttled(origin, THIN);
      const interrupted = cp(...command);
      await parts(1_000_000);
      const client = origin.processes().filter(({ argv }) => argv.includes("cp"));
      await origin.signal("INT", ...client.map(({ pid }) => pid));
      assert.deepEqual((await interrupted).code, 130);
      const orphaned = cp(...command);
      await parts(3_000_000);
      dead = asked();
      await dead.signal("KILL", ...daemonsOf(dead));
      const { code, stderr } = await orphaned;
      assert.equal(code, 4, stderr);
      const lines = stderr.split("\n").slice(0, -1);
      const gone = new RegExp(`Node "${dead.name}" was asked and is gone: .*may have run`);
      for (const line of lines) assert.match(line, gone);
    }
    const nodes = await copied(...command);
    for (const { node, failure, bytes } of nodes) {
      assert.equal(failure, node === dead.name ? "unreachable" : undefined);
      if (node === dead.name) continue;
      assert.ok(bytes > 0 && bytes <= LARGE - 2_000_000, `${bytes}`);
      await same(origin, rig.host(node), "/tmp/again");
    }
  });
}

/** The kernel compares: the two hosts' files are both in sight of this machine. */
async function same(origin: Host, host: Host, path: string): Promise<void> {
  const args = ["-s", origin.path("/root/large"), host.path(path)];
  const { success } = await new Deno.Command("cmp", { args }).output();
  assert.ok(success, `${host.name}: ${path}`);
}

/** Addresses to which the host has a connection, those of ssh left out. */
function peersOf(host: Host): Set<string> {
  const lines = Deno.readTextFileSync(host.path(`/proc/${host.pids()[0] ?? "self"}/net/tcp`));
  return new Set(
    lines.split("\n").slice(1).flatMap((line) => {
      const [, , remote = "", state] = line.trim().split(/ +/);
      const [address = "", port] = remote.split(":");
      if (state !== "01" || port === "0016") return [];
      return [address.match(/../g)?.reverse().map((byte) => parseInt(byte, 16)).join(".") ?? ""];
    }),
  );
}

/** What has come of files that are not complete. */
function partBytes(host: Host): number {
  let bytes = 0;
  for (const { name } of Deno.readDirSync(host.path("/tmp"))) {
    if (!name.startsWith(".minime-")) continue;
    bytes += Deno.statSync(host.path(`/tmp/${name}`)).size;
  }
  return bytes;
}

function daemonsOf(host: Host): number[] {
  const pids = new Set(host.pids());
  return host.processes()
    .filter(({ pid, argv }) => pids.has(pid) && !argv.includes("__files"))
    .map(({ pid }) => pid);
}

function bytes(length: number): Uint8Array {
  return new Uint8Array(length).map((_, index) => index * 7 + (index >> 8));
}
