/** The rig itself: hosts are what they claim to be, and nothing of them stays. */

import assert from "node:assert/strict";
import { isGone } from "./rig/process.ts";
import { Process, Rig, systemTest, until, usersOf } from "./rig/mod.ts";

systemTest("rig: every host answers by ssh under its own name, address and home", async () => {
  await using rig = await Rig.start({ hosts: ["n1", "n2", "n3"] });
  assert.deepEqual(rig.hosts.map(({ address }) => address), [
    "10.77.0.11",
    "10.77.0.12",
    "10.77.0.13",
  ]);
  await Promise.all(rig.hosts.map(async (host) => {
    await host.writeFile("/root/mine", host.name);
    await host.writeFile("/tmp/mine", host.name);
    await host.writeFile("/run/mine", host.name);
    const script = "hostname; cat /root/mine /tmp/mine /run/mine /etc/hostname; echo; " +
      "ip -4 -o addr show dev eth0 | awk '{print $4}'; pwd";
    const { name, address } = host;
    const expected = `${name}\n${name.repeat(4)}\n\n${address}/24\n/root\n`;
    assert.equal(await rig.origin.must(["ssh", name, script]), expected);
    assert.equal(await rig.origin.must(["ssh", address, script]), expected);
    assert.equal(new TextDecoder().decode(await host.readFile("/root/mine")), name);
  }));
  assert.equal(await rig.origin.exists("/root/mine"), false);
  assert.equal((await rig.origin.must(["hostname"])).trim(), "origin");
  assert.notEqual(Deno.hostname(), "origin");
});

systemTest("rig: no host finds Deno or Node, by ssh or otherwise", async () => {
  await using rig = await Rig.start({ hosts: ["n1"] });
  const script = "for p in deno node npx; do command -v $p; done; node -v; echo $?";
  for (const shell of ["sh", "bash"]) {
    for (const host of [rig.host("n1"), rig.origin]) {
      const { stdout, stderr } = await host.run([shell, "-c", script]);
      assert.equal(stdout, "127\n", host.name);
      assert.match(stderr, /not found/);
    }
  }
  assert.equal((await rig.origin.run(["ssh", "n1", script])).stdout, "127\n");
  const environment = await rig.host("n1").must(["env"]);
  assert.deepEqual(environment.trim().split("\n").sort(), [
    "HOME=/root",
    "LOGNAME=root",
    "PATH=/usr/bin:/bin:/usr/sbin:/sbin",
    "USER=root",
  ]);
});

systemTest("rig: hosts have IPv6 addresses and names on request", async () => {
  await using rig = await Rig.start({ hosts: ["n1", "n2"], ipv6: true });
  assert.deepEqual(rig.hosts.map(({ address6 }) => address6), ["fd77::11", "fd77::12"]);
  const script = "hostname; echo $SSH_CONNECTION";
  for (const name of ["fd77::12", "n2-v6"]) {
    const text = await rig.origin.must(["ssh", name, script]);
    assert.match(text, /^n2\nfd77::1 [0-9]+ fd77::12 22\n$/);
  }
  await using plain = await Rig.start({ hosts: ["n1"] });
  assert.throws(() => plain.host("n1").address6, /^Error: Host 'n1' has no IPv6 address$/);
});

systemTest("rig: users have homes and keys of their own on every host", async () => {
  await using rig = await Rig.start({ hosts: ["n1", "n2"], users: ["alice", "bob"] });
  for (const user of ["alice", "bob"]) {
    const script = "id -un; id -G; pwd; hostname";
    const uid = user === "alice" ? 3001 : 3002;
    const expected = `${user}\n${uid}\n/home/${user}\nn2\n`;
    assert.equal(await rig.origin.must(["ssh", `${user}@n2`, script]), expected);
    assert.equal(await rig.origin.must(["ssh", "n2", script], { user }), expected);
    const local = await rig.host("n2").must(["sh", "-c", script], { user });
    assert.equal(local, expected);
  }
  const foreign = await rig.origin.run(["ssh", "bob@n1", "true"], { user: "alice" });
  assert.equal(foreign.code, 255);
  assert.match(foreign.stderr, /Permission denied \(publickey\)/);
  const peek = await rig.host("n1").run(["ls", "/home/bob"], { user: "alice" });
  assert.match(peek.stderr, /Permission denied/);
});

systemTest("rig: segments meet only at their gateway", async () => {
  await using rig = await Rig.start({
    hosts: ["gw", "a1", "b1"],
    segments: { front: ["gw", "a1"], back: ["gw", "b1"] },
    ipv6: true,
  });
  const gateway = rig.host("gw");
  assert.deepEqual(gateway.interfaces.map(({ name, ipv4, ipv6 }) => [name, ipv4, ipv6]), [
    ["eth0", "10.77.0.11", "fd77::11"],
    ["eth1", "10.77.1.11", "fd77:1::11"],
  ]);
  assert.equal(await banner(rig, "a1", gateway.address), "SSH-2.0");
  assert.equal(await banner(rig, "b1", "10.77.1.11"), "SSH-2.0");
  assert.equal(await banner(rig, "b1", "gw"), "SSH-2.0");
  assert.equal(await banner(rig, "b1", "gw-v6"), "SSH-2.0");
  assert.equal(await banner(rig, "a1", rig.host("b1").address), "none");
  const { code, stderr } = await rig.origin.run(["ssh", "b1", "true"]);
  assert.equal(code, 255);
  assert.match(stderr, /Network is unreachable/);
});

systemTest("rig: a run gives code, output and stdin, and is killed when overdue", async () => {
  await using rig = await Rig.start({ hosts: ["n1"] });
  const host = rig.host("n1");
  const result = await host.run(["sh", "-c", "cat; echo $X >&2; pwd; exit 7"], {
    stdin: "in ",
    env: { X: "from outside" },
    cwd: "/tmp",
  });
  assert.deepEqual(result, { code: 7, stdout: "in /tmp\n", stderr: "from outside\n" });
  assert.equal((await host.run(["sh", "-c", "kill -TERM $$"])).code, 143);
  const overdue = async (timeoutMs: number) => {
    const script = "echo started; sleep 1000 | cat";
    return await host.run(["sh", "-c", script], { timeoutMs }).then(() => assert.fail(), String);
  };
  let said = await overdue(300);
  // On a busy machine it may not even have started by then.
  if (!said.includes("started\n")) said = await overdue(20_000);
  assert.match(
    said,
    /^Error: Command 'sh -c .* on 'n1' did not end within \d+ ms\nstdout: started\n\nstderr: $/,
  );
  await until("the overdue tree is gone", () => host.pids().length === 0);
  await assert.rejects(host.must(["false"]), /^Error: Command 'false' on 'n1' failed with 1: $/);
  assert.throws(() => host.spawn(["true"], { user: "eve" }), /Unknown user 'eve' of 'n1'/);
});

systemTest("rig: a spawned program gets signals, and its detached child is seen", async () => {
  await using rig = await Rig.start({ hosts: ["n1"] });
  const host = rig.host("n1");
  {
    await using process = host.spawn([
      "sh",
      "-c",
      "trap 'exit 9' USR1; while :; do sleep 0.01; done",
    ]);
    const isSleeping = () => host.processes().some(({ argv }) => argv[0] === "sleep");
    await until("the program has set its trap", isSleeping);
    await process.signal("SIGUSR1");
    assert.equal((await process.status).code, 9);
  }
  await host.must(["sh", "-c", "setsid sleep 1000 </dev/null >/dev/null 2>&1 &"]);
  const detached = () => host.processes().find(({ argv }) => argv.join(" ") === "sleep 1000");
  await until("the detached program runs", () => detached() !== undefined);
  const { pid, parent } = detached() ?? assert.fail();
  assert.equal(parent, 1);
  assert.deepEqual(host.pids(), [pid]);
  await host.signal("KILL", pid);
  await until("the orphan is reaped", () => host.processes().every((one) => one.pid !== pid));
});

systemTest("rig: disposing leaves no process, mount, interface or folder", async () => {
  const before = await machineState();
  const rig = await Rig.start({ hosts: ["n1", "n2"], users: ["alice"] });
  const namespaces = [rig.switchPid, ...[rig.origin, ...rig.hosts].map((one) => one.holderPid)]
    .flatMap(namespacesOf);
  assert.equal(new Set(namespaces).size, 16);
  await rig.host("n1").must(["sh", "-c", "setsid sleep 1000 </dev/null >/dev/null 2>&1 &"]);
  await rig.host("n2").must(["mount", "-t", "tmpfs", "tmpfs", "/root"]);
  assert.notDeepEqual(usersOf(rig.folder), []);
  assert.deepEqual(await machineState(), before, "the machine itself is never touched");
  await rig[Symbol.asyncDispose]();
  assert.deepEqual(usersOf(rig.folder), []);
  assert.equal(exists(rig.folder), false);
  const alive = new Set(allPids().flatMap(namespacesOf));
  assert.deepEqual(namespaces.filter((one) => alive.has(one)), []);
  assert.deepEqual(await machineState(), before);
});

systemTest("rig: a start that fails half-way leaves nothing", async () => {
  // The 257th segment's number is no part of an address: all hosts exist when `ip` refuses it.
  const segments = Object.fromEntries(
    Array.from({ length: 257 }, (_, index) => [`s${index}`, index === 256 ? ["n1"] : []]),
  );
  const error = await Rig.start({ hosts: ["n1"], segments }).then(() => assert.fail(), String);
  const [, folder = ""] = /Cannot start '(.*)\/n1': .*10\.77\.256/s.exec(error) ?? [];
  assert.match(folder, /^\/var\/tmp\/minime-rig-/, error);
  assert.equal(exists(folder), false);
  assert.deepEqual(usersOf(folder), []);
});

systemTest("rig: wrong options are named", async () => {
  await assert.rejects(Rig.start({ hosts: ["N1"] }), /^TypeError: Bad host name 'N1'$/);
  await assert.rejects(Rig.start({ hosts: ["n1", "n1"] }), /Host name 'n1' is given twice/);
  await assert.rejects(Rig.start({ hosts: ["origin"] }), /Host name 'origin' is reserved/);
  await assert.rejects(Rig.start({ hosts: [], users: ["a b"] }), /Bad user name 'a b'/);
  await assert.rejects(Rig.start({ hosts: [], users: ["a", "a"] }), /User 'a' is given twice/);
  await assert.rejects(
    Rig.start({ hosts: ["n1"], segments: { lan: ["n2"] } }),
    /A segment names the unknown host 'n2'/,
  );
});

systemTest("rig: what a killed test run left is removed by the next start", async () => {
  const script = `import { Rig } from ${JSON.stringify(import.meta.resolve("./rig/mod.ts"))};
    const rig = await Rig.start({ hosts: ["n1", "n2"] });
    console.log(JSON.stringify([rig.folder, rig.host("n1").holderPid]));
    setInterval(() => {}, 1000);`;
  const file = await Deno.makeTempFile({ suffix: ".ts" });
  try {
    await Deno.writeTextFile(file, script);
    await using owner = new Process(
      [Deno.execPath(), "run", "-A", "--quiet", "--no-lock", file],
      { env: { HOME: Deno.env.get("HOME") ?? "/root" } },
    );
    const reader = owner.stdout.getReader();
    const { value } = await reader.read();
    const [folder, holder] = JSON.parse(new TextDecoder().decode(value)) as [string, number];
    await using first = await Rig.start({ hosts: ["n1"] });
    assert.equal(exists(folder), true, "a living owner's rig stays");

    Deno.kill(holder, "SIGSTOP"); // One host cannot see that its owner dies.
    await owner.signal("SIGKILL");
    await owner.status;
    await reader.cancel();
    await until("the other hosts have ended", () => {
      return usersOf(folder).every((pid) => commandLineOf(pid)?.includes(`${folder}/n1`) ?? true);
    });
    assert.notDeepEqual(usersOf(folder), [], "the frozen host stays");

    await using _second = await Rig.start({ hosts: ["n1"] });
    assert.equal(exists(folder), false);
    assert.deepEqual(usersOf(folder), []);
    assert.equal(exists(first.folder), true);
    assert.equal((await first.origin.must(["ssh", "n1", "hostname"])).trim(), "n1");
  } finally {
    await Deno.remove(file);
  }
});

systemTest("rig: sixteen hosts are up at once", async () => {
  const hosts = Array.from({ length: 16 }, (_, index) => `n${index + 1}`);
  await using rig = await Rig.start({ hosts });
  const banners = await Promise.all(rig.hosts.map((host) => banner(rig, "origin", host.address)));
  assert.deepEqual(banners, hosts.map(() => "SSH-2.0"));
});

systemTest("rig: the origin reaches the program under test", async () => {
  await using rig = await Rig.start({ hosts: ["n1"] });
  const script = 'for word; do case $word in /*) [ -e "$word" ] || exit 1; esac; done';
  const process = rig.minimeCommand();
  assert.equal(process.argv.some((word) => word.startsWith(`${rig.origin.folder}/`)), true);
  const files = process.argv.filter((word) => !word.endsWith("/main.ts"));
  await rig.origin.must(["sh", "-c", script, "sh", ...files]);
});

systemTest("requirements: a machine that lacks something skips and says so, or fails", async () => {
  await using rig = await Rig.start({ hosts: [] });
  const { origin } = rig;
  const door = `${origin.folder}/borrowed-repository/tests/system/rig/mod.ts`;
  await origin.writeFile(
    "/tmp/some_test.ts",
    `import { systemTest } from ${JSON.stringify(door)};
    systemTest("it: works", () => Promise.reject(new Error("It was run")));`,
  );
  await origin.must(["mount", "--bind", "/dev/null", "/usr/sbin/tc"]);
  await origin.must(["mount", "--bind", "/dev/null", "/usr/bin/setpriv"]);
  const deno = `${origin.folder}/borrowed-deno`;
  const test = (env: Record<string, string>) =>
    origin.run([deno, "test", "-A", "--no-check", "--no-lock", "/tmp/some_test.ts"], {
      env: { NO_COLOR: "1", DENO_DIR: `${origin.folder}/borrowed-cache`, ...env },
    });
  const lacks = "this machine lacks the program 'setpriv', the program 'tc'";
  const skipped = await test({});
  assert.equal(skipped.code, 0, skipped.stderr);
  // Deno gathers what test files print in its own output.
  assert.match(
    skipped.stdout + skipped.stderr,
    new RegExp(`^Skipping 'it: works': ${lacks}$`, "m"),
  );
  assert.match(skipped.stdout, /0 passed .* 1 ignored/);
  const failed = await test({ MINIME_TEST_NO_SKIP: "1" });
  assert.equal(failed.code, 1);
  assert.match(failed.stdout + failed.stderr, new RegExp(`Cannot run a system test: ${lacks}`));
});

/** What a host gets to read from port 22 of an address: "SSH-2.0", or "none". */
async function banner(rig: Rig, from: string, address: string): Promise<string> {
  const host = from === "origin" ? rig.origin : rig.host(from);
  const script = 'exec 3<>"/dev/tcp/$0/22" && read -r line <&3 && echo "${line%%-OpenSSH*}"';
  const { stdout } = await host.run(["timeout", "20", "bash", "-c", script, address]);
  return stdout.trim() || "none";
}

/** Undefined when it is gone. */
function commandLineOf(pid: number): string | undefined {
  try {
    return Deno.readTextFileSync(`/proc/${pid}/cmdline`);
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
}

function namespacesOf(pid: number): string[] {
  return ["net", "mnt", "pid", "uts"].flatMap((kind) => {
    try {
      return [Deno.readLinkSync(`/proc/${pid}/ns/${kind}`)];
    } catch (error) {
      // Gone, or none of ours: even root may not look into every process of a virtual machine.
      if (error instanceof Deno.errors.NotFound) return [];
      if (error instanceof Deno.errors.PermissionDenied) return [];
      throw error;
    }
  });
}

function allPids(): number[] {
  return [...Deno.readDirSync("/proc")].map(({ name }) => Number(name)).filter(Number.isInteger);
}

async function machineState(): Promise<unknown> {
  return {
    mounts: (await Deno.readTextFile("/proc/self/mountinfo")).split("\n")
      // Others may be making network namespaces with names.
      .filter((line) => !/^[^/]*\/[^ ]* \/run\//.test(line)),
    interfaces: [...Deno.readDirSync("/sys/class/net")].map(({ name }) => name).sort(),
    hostname: Deno.hostname(),
    homes: [...Deno.readDirSync("/home")].map(({ name }) => name).sort(),
  };
}

function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
