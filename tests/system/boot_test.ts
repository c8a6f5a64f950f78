import assert from "node:assert/strict";
import { ensureBinary } from "../../tools/binary.ts";
import {
  blackhole,
  fakeClock,
  fakeCpu,
  fakeLibc,
  fakeProgram,
  fullDisk,
  hangingSshd,
  type Host,
  noexecHome,
  noSshd,
  portTaken,
  Rig,
  type RunResult,
  systemTest,
  throttled,
  trafficOf,
  until,
  wrongHostKey,
} from "./rig/mod.ts";

/** What `minime boot --json` prints. */
interface BootResult {
  mesh: string;
  up: { name: string; already: boolean; endpoints: string[] }[];
  failed: { name: string; reason: string; message: string; detail?: string; ms: number }[];
}

const built = await ensureBinary();

/** Sources cannot be copied to hosts. */
function copyTest(name: string, run: () => Promise<void>): void {
  if (built.kind === "compiled") systemTest(name, run);
  else Deno.test.ignore(`${name} (the sources cannot be copied: ${built.why})`, run);
}

const BOOT_MS_MAX = 240_000;
const BIN = "/root/.cache/minime/bin";

async function boot(
  rig: Rig,
  args: readonly string[],
  options: { user?: string; command?: string } = {},
): Promise<RunResult & { json: BootResult }> {
  const { command = "boot", ...where } = options;
  const result = await rig.minime([command, "--json", ...args], {
    ...where,
    timeoutMs: BOOT_MS_MAX,
  });
  let json: BootResult;
  try {
    json = JSON.parse(result.stdout);
  } catch {
    throw new Error(
      `Boot printed no JSON: code ${result.code}\n${result.stdout}\n${result.stderr}`,
    );
  }
  return { ...result, json };
}

function upNames(json: BootResult): string[] {
  return json.up.map(({ name }) => name).sort();
}

function namesOf(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `n${i + 1}`);
}

function daemonsOf(host: Host): string[][] {
  return host.processes().map(({ argv }) => [...argv]).filter((argv) => argv.includes("daemon"));
}

async function packedBytes(rig: Rig): Promise<number> {
  const folder = "/root/.cache/minime";
  const listed = await rig.origin.must(["sh", "-c", `wc -c ${folder}/minime-*.gz`]);
  return Number(/^\s*(\d+)/.exec(listed)?.[1]);
}

copyTest("boot: 16 cold hosts cost the origin three copies, a second boot none", async () => {
  const names = namesOf(16);
  await using rig = await Rig.start({ hosts: names });
  await rig.origin.writeFile(
    "/root/hosts.toml",
    `name = "lab"\n[[hosts]]\nnames = "n[1-16]"\n[groups]\nio = "n[1-2]"\n[boot]\ntimeout = "2m"\n`,
  );
  const before = trafficOf(rig.origin).sentBytes;
  const first = await boot(rig, ["--hosts", "hosts.toml"]);
  const sent = trafficOf(rig.origin).sentBytes - before;
  assert.equal(first.code, 0, first.stderr + first.stdout);
  assert.deepEqual(upNames(first.json), [...names].sort());
  const copy = await packedBytes(rig);
  assert.ok(sent > copy, `${sent} bytes were sent`);
  assert.ok(sent < 3.3 * copy, `${sent} bytes are more than 3 copies of ${copy}`);
  for (const host of rig.hosts) {
    assert.equal(daemonsOf(host).length, 1, host.name);
    assert.match(
      daemonsOf(host)[0]?.[0] ?? "",
      /^\/root\/\.cache\/minime\/bin\/minime-[0-9a-f]{64}$/,
    );
    // No name but those of finished files.
    const files = (await host.must(["ls", BIN])).trim().split("\n");
    for (const file of files) assert.match(file, /^minime-[0-9a-f]{64}(\.gz)?$/);
  }
  // No secret on any command line, here or there.
  for (const argv of rig.hosts.flatMap(daemonsOf)) {
    assert.deepEqual(argv.slice(1, 5), ["daemon", "--enrol", "--mesh", "lab"]);
    assert.equal(argv.length, 9);
  }

  const half = trafficOf(rig.origin).sentBytes;
  const second = await boot(rig, ["--hosts", "hosts.toml"]);
  assert.equal(second.code, 0, second.stderr);
  assert.deepEqual(second.json.up.map(({ already }) => already), names.map(() => true));
  assert.ok(trafficOf(rig.origin).sentBytes - half < copy / 10, "nothing is copied again");

  // A node dies; growing brings it back without a copy, as it was in the file.
  const [lost] = rig.hosts as [Host];
  await lost.signal("KILL", ...lost.pids());
  const mid = trafficOf(rig.origin).sentBytes;
  const grown = await boot(rig, ["-w", lost.name], { command: "grow" });
  assert.deepEqual(upNames(grown.json), [lost.name], grown.stdout + grown.stderr);
  assert.ok(trafficOf(rig.origin).sentBytes - mid < copy / 10, "nothing is copied again");
  assert.equal(daemonsOf(lost).length, 1);
});

copyTest("boot: every fault is named, and the others come up", async () => {
  const names = [...namesOf(2), "refused", "key", "full", "noexec", "hangs", "hole", "taken"];
  names.push("late", "cpu", "libc", "clock", "readonly");
  await using rig = await Rig.start({ hosts: names });
  await rig.origin.writeFile(
    "/root/hosts.toml",
    `name = "lab"\nport = 7117\n[[hosts]]\nnames = "${names.join(",")},stranger"\n`,
  );
  const args = ["--hosts", "hosts.toml", "--connect-timeout", "10s", "--timeout", "2m"];
  {
    await using stack = new AsyncDisposableStack();
    const host = (name: string) => rig.host(name);
    stack.use(await noSshd(host("refused")));
    stack.use(await wrongHostKey(rig, "key"));
    stack.use(await fullDisk(host("full")));
    stack.use(await noexecHome(host("noexec")));
    stack.use(await hangingSshd(host("hangs")));
    stack.use(await blackhole(host("hole")));
    stack.use(await portTaken(host("taken"), 7117));
    stack.use(await fakeProgram(host("late"), "/usr/bin/uname", "exec sleep 1000"));
    stack.use(await fakeCpu(host("cpu"), "armv7l"));
    stack.use(await fakeLibc(host("libc"), "2.17"));
    stack.use(await fakeClock(host("clock"), 3_600));
    await host("readonly").must(["mount", "--bind", "/root", "/root"]);
    await host("readonly").must(["mount", "-o", "remount,bind,ro", "/root"]);

    const { code, json, stderr } = await boot(rig, [...args, "-x", "late"]);
    assert.equal(code, 1, stderr);
    assert.deepEqual(upNames(json), ["n1", "n2"]);
    // By itself, since the others must have more time than this one is worth.
    const late = await boot(rig, ["--hosts", "hosts.toml", "-w", "late", "--timeout", "3s"]);
    assert.equal(late.code, 3, late.stderr);
    const failed = [...json.failed, ...late.json.failed];
    const reasons = new Map(failed.map((each) => [each.name, each]));
    const expected: [name: string, reason: string, text: RegExp][] = [
      ["refused", "refused", /nobody listens for ssh/],
      ["key", "host-key", /it has changed/],
      ["full", "no-space", /1\.0 MB are free, 9\d\.\d MB are needed/],
      ["noexec", "noexec", /Permission denied/],
      ["hangs", "timeout", /no answer to ssh/],
      ["hole", "timeout", /no answer to ssh/],
      ["taken", "port-taken", /7117/],
      ["late", "timeout", /no answer within 3 s/],
      ["cpu", "wrong-cpu", /it is armv7l, the program is for (x86_64|aarch64)/],
      ["libc", "wrong-libc", /it has glibc 2\.17, glibc 2\.27 or newer is needed/],
      ["clock", "clock", /by 3\d{3} s \(.* ahead of this machine's\)/],
      ["readonly", "denied", /Read-only file system/],
      ["stranger", "unknown-name", /^name unknown$/],
    ];
    assert.equal(failed.length, expected.length);
    for (const [name, reason, text] of expected) {
      const found = reasons.get(name);
      assert.equal(found?.reason, reason, `${name}: ${found?.message}`);
      assert.match(found?.message ?? "", text);
    }
    for (const name of ["full", "noexec", "cpu", "libc", "clock", "late"]) {
      assert.equal((await host(name).run(["ls", BIN])).stdout, "", name);
    }
    await host("readonly").must(["umount", "-l", "/root"], { cwd: "/" });
  }
  // What was wrong is right again: the rest come up, and nobody is started twice.
  const { code, json } = await boot(rig, [...args, "-x", "stranger"]);
  assert.equal(code, 0, JSON.stringify(json.failed));
  assert.deepEqual(upNames(json), [...names].sort());
  for (const host of rig.hosts) assert.equal(daemonsOf(host).length, 1, host.name);
});

copyTest("boot: two users, several meshes, IPv6, and a boot that is cut short", async () => {
  await using rig = await Rig.start({ hosts: ["n1", "n2"], users: ["alice"], ipv6: true });
  const [n1, n2] = rig.hosts as [Host, Host];

  // Ctrl-C while the first copy is under way: no ssh, no daemon, no half file is left.
  await rig.origin.writeFile("/root/slow.toml", `name = "slow"\n[[hosts]]\nnames = "n[1-2]"\n`);
  {
    await using _thin = await throttled(rig.origin, { bytesPerSecond: 1_000_000 });
    await using process = rig.spawnMinime(["boot", "--hosts", "slow.toml"]);
    await until("a copy is under way", async () => {
      const listed = await n1.run(["sh", "-c", `ls ${BIN}/minime-*.*.*`]);
      return listed.code === 0;
    }, { timeoutMs: 60_000 });
    await process.signal("SIGINT");
    assert.equal((await process.finish()).code, 130);
    for (const host of [n1, n2]) {
      await until(
        "nothing of it is left",
        async () => (await host.run(["ls", BIN])).stdout === "" && host.pids().length === 0,
      );
    }
    await until(
      "no ssh is left",
      () => rig.origin.processes().every(({ argv }) => argv[0] !== "ssh"),
    );
  }

  // IPv6 literally, and a name that has only an IPv6 address.
  await rig.origin.writeFile(
    "/root/six.toml",
    `name = "six"\n[[hosts]]\nnames = "n1"\naddress = "${n1.address6}"\n` +
      `[[hosts]]\nnames = "n2"\naddress = "n2-v6"\n`,
  );
  const six = await boot(rig, ["--hosts", "six.toml"]);
  assert.equal(six.code, 0, six.stderr);
  assert.match(six.json.up.find(({ name }) => name === "n1")?.endpoints[0] ?? "", /^tcp:\[fd77::/);

  // The same hosts in another mesh of the same user, and in a mesh of somebody else.
  await rig.origin.writeFile("/root/lab.toml", `name = "lab"\n[[hosts]]\nnames = "n[1-2]"\n`);
  const lab = await boot(rig, ["--hosts", "lab.toml"]);
  assert.equal(lab.code, 0, lab.stderr);
  await rig.origin.writeFile("/home/alice/lab.toml", `name = "lab"\n[[hosts]]\nnames = "n[1-2]"\n`);
  const hers = await boot(rig, ["--hosts", "lab.toml"], { user: "alice" });
  assert.equal(hers.code, 0, hers.stderr);
  for (const host of rig.hosts) {
    assert.equal(daemonsOf(host).length, 3);
    const uids = host.processes().filter(({ argv }) => argv.includes("daemon")).map(({ uid }) =>
      uid
    );
    assert.deepEqual([...uids].sort(), [0, 0, 3001]);
  }
  assert.deepEqual(upNames(hers.json), ["n1", "n2"]);

  // A new mesh of a name that a foreign daemon already has there is told apart from "already up".
  await rig.origin.must(["rm", "-r", "/root/.config/minime/lab"]);
  const foreign = await boot(rig, ["--hosts", "lab.toml"]);
  assert.equal(foreign.code, 3, foreign.stdout);
  assert.match(foreign.json.failed[0]?.message ?? "", /a daemon of this name runs there/);

  // A host that ssh does not know yet: refused, unless the user says otherwise.
  await rig.origin.must(["mv", "/root/.ssh/known_hosts", "/root/.ssh/before"]);
  await rig.origin.writeFile("/root/new.toml", `name = "new"\n[[hosts]]\nnames = "n1"\n`);
  const strict = await boot(rig, ["--hosts", "new.toml"]);
  assert.equal(strict.json.failed[0]?.message, "host key: it is unknown");
  const accepted = await boot(rig, ["--hosts", "new.toml", "--accept-new"]);
  assert.deepEqual(upNames(accepted.json), ["n1"]);
  await rig.origin.must(["mv", "/root/.ssh/before", "/root/.ssh/known_hosts"]);

  // Nobody to reach at all: another exit code than some.
  await rig.origin.writeFile(
    "/root/nobody.toml",
    `name = "none"\n[[hosts]]\nnames = "n[1-2]"\nuser = "nobody"\n`,
  );
  const none = await rig.minime(["boot", "--hosts", "nobody.toml"]);
  assert.equal(none.code, 3, none.stderr);
  assert.match(none.stdout, /^n1 {2}permission denied: ssh does not let you in \(nobody@n1: /m);
  assert.match(none.stdout, /^0 of 2 hosts are up after .*; not up: n\[1-2\]$/m);
});
