/** recon and wipe over real ssh, on hosts each of which is wrong in another way. */

import assert from "node:assert/strict";
import { ensureBinary } from "../../tools/binary.ts";
import {
  blackhole,
  fakeClock,
  fakeCpu,
  fakeLibc,
  fullDisk,
  hangingSshd,
  type Host,
  noexecHome,
  noSshd,
  portTaken,
  Rig,
  type RunResult,
  systemTest,
  wrongHostKey,
} from "./rig/mod.ts";

const PORT = 7117;
const FILE = "/root/hosts.toml";

interface HostReport {
  readonly name: string;
  readonly ready: boolean;
  readonly problems: readonly { reason: string; text: string }[];
  readonly warnings: readonly { reason: string; text: string }[];
  readonly freeBytes?: number;
}

systemTest("recon: tells every problem of every host, and changes nothing", async () => {
  await ensureBinary();
  const names = Array.from({ length: 12 }, (_, i) => `n${i + 1}`);
  await using rig = await Rig.start({ hosts: names });
  const host = (name: string) => rig.host(name);
  await using faults = new AsyncDisposableStack();
  faults.use(await noSshd(host("n3")));
  faults.use(await hangingSshd(host("n4")));
  faults.use(await wrongHostKey(rig, "n5"));
  faults.use(await fullDisk(host("n6")));
  faults.use(await noexecHome(host("n7")));
  faults.use(await portTaken(host("n8"), PORT));
  faults.use(await fakeClock(host("n9"), -120));
  // Four at once.
  faults.use(await fakeCpu(host("n10"), "armv7l"));
  faults.use(await fakeLibc(host("n10"), "2.17"));
  faults.use(await portTaken(host("n10"), PORT));
  faults.use(await fakeClock(host("n10"), 3_600));
  faults.use(await fakeLibc(host("n11"), "musl"));
  await host("n11").must(["mount", "--bind", "/dev/null", "/usr/bin/gzip"]);
  await host("n11").must(["mount", "--bind", "/dev/null", "/usr/bin/timeout"]);
  faults.use(await blackhole(host("n12")));
  await rig.origin.writeFile(
    FILE,
    `name = "lab"
port = ${PORT}
[[hosts]]
names = "n[1-12],nowhere"
[[hosts]]
names = "locked"
address = "n1"
port = 7118
user = "stranger"
[boot]
connect_timeout = "5s"
`,
  );
  const looked = ["n1", "n6", "n7", "n8", "n11"].map(host);
  const before = await Promise.all([...looked, rig.origin].map(filesOf));

  const json = await rig.minime(["recon", "--hosts", FILE, "--json"]);
  assert.deepEqual([json.code, json.stderr], [1, ""]);
  const { mesh, hosts }: { mesh: string; hosts: HostReport[] } = JSON.parse(json.stdout);
  assert.equal(mesh, "lab");
  const found = new Map(hosts.map(({ name, problems }) => [name, problems]));
  const reasons = hosts.map(({ name, problems }) => [
    name,
    problems.map(({ reason }) => reason).join(" "),
  ]);
  assert.deepEqual(Object.fromEntries(reasons), {
    locked: "denied",
    n1: "",
    n2: "",
    n3: "refused",
    n4: "timeout",
    n5: "host-key",
    n6: "no-space",
    n7: "noexec",
    n8: "port-taken",
    n9: "clock",
    n10: "wrong-cpu wrong-libc port-taken clock",
    n11: "wrong-libc tools",
    n12: "timeout",
    nowhere: "unknown-name",
  });
  assert.deepEqual(
    hosts.map(({ ready }) => ready),
    hosts.map((each) => each.problems.length === 0),
  );
  const textOf = (name: string) => found.get(name)?.map(({ text }) => text).join("\n") ?? "";
  assert.match(
    textOf("n6"),
    /^1\.0 MB free, \d+(\.\d)? MB needed for "\/root\/\.cache\/minime\/bin"$/,
  );
  assert.equal(textOf("n7"), '"/root" is mounted noexec, it is to hold the binary');
  assert.equal(textOf("n8"), `somebody listens on port ${PORT}`);
  assert.match(
    textOf("n9"),
    /^1 min 5\d s behind ours, at most 30 s is allowed$|^2 min behind ours/,
  );
  assert.match(textOf("n10"), /^CPU is "armv7l", minime runs on x86_64 and aarch64\nglibc 2\.17, /);
  assert.equal(
    textOf("n11"),
    "C library is musl, minime needs glibc 2.27 or newer\nmissing programs: gzip",
  );
  assert.deepEqual(hosts.find(({ name }) => name === "n11")?.warnings, [
    { reason: "tools", text: "no timeout: the binary can come from the booting machine only" },
  ]);

  const text = await rig.minime(["recon", "--hosts", FILE, "-w", "n[1-3,6-7,10],nowhere"]);
  assert.deepEqual([text.code, text.stderr], [1, ""]);
  const lines = text.stdout.split("\n");
  assert.deepEqual(lines.slice(0, 2), [
    "n[1-2]: ok",
    "n3: connection refused: nobody listens for ssh (connect to host n3 port 22: Connection refused)",
  ]);
  assert.match(
    text.stdout,
    /\nn10:\n {2}wrong CPU: .+\n {2}wrong libc: .+\n {2}port taken: .+\n {2}clock off: /,
  );
  assert.match(text.stdout, /\nnowhere: name unknown/);
  assert.equal(lines.at(-2), "2 of 7 hosts are ready to boot, not ready: n[3,6-7,10],nowhere");
  await all(rig, "n[1-2]", { code: 0, last: "All 2 hosts are ready to boot" });
  await all(rig, "n[6-7]", { code: 3, last: "None of 2 hosts is ready to boot" });

  assert.deepEqual(await Promise.all([...looked, rig.origin].map(filesOf)), before);
  for (const each of looked) assert.deepEqual(ownProcesses(each), []);
});

systemTest("recon: learns no host key, and says what an unknown one is", async () => {
  await ensureBinary();
  await using rig = await Rig.start({ hosts: ["n1"] });
  await rig.origin.writeFile("/root/.ssh/known_hosts", "");
  await rig.origin.writeFile(
    FILE,
    'name = "lab"\nhosts = [{ names = "n1" }]\nboot = { strict_host_key = "accept-new" }\n',
  );
  const { code, stdout } = await rig.minime(["recon", "--hosts", FILE]);
  assert.equal(code, 3);
  assert.match(stdout, /^n1: host key: it is unknown \(.*host key is known for n1.*\)\n/);
  assert.equal(await rig.origin.readText("/root/.ssh/known_hosts"), "");
});

systemTest("recon: reads a boot schema of LAM", async () => {
  await ensureBinary();
  await using rig = await Rig.start({ hosts: ["n1", "n2"], users: ["guest"] });
  await rig.origin.writeFile("/root/lam.def", "n1 cpu=2\nn2 user=guest # not root\n");
  const { code, stdout, stderr } = await rig.minime(
    ["recon", "--bhost", "--hosts", "/root/lam.def", "--verbose"],
  );
  assert.deepEqual([code, stdout], [0, "n[1-2]: ok\nAll 2 hosts are ready to boot\n"]);
  assert.match(
    stderr,
    /^n1: root at 10\.77\.0\.11, host name n1, x86_64, glibc 2\.\d+, home \/root, /m,
  );
  assert.match(
    stderr,
    /^n2: guest at 10\.77\.0\.12, host name n2, .*home \/home\/guest, no binary yet$/m,
  );
});

systemTest(
  "wipe: ends daemons over ssh, names who cannot be reached, and finds nothing again",
  async () => {
    await ensureBinary();
    await using rig = await Rig.start({ hosts: ["n1", "n2", "n3", "n4"] });
    await rig.origin.writeFile(
      FILE,
      'name = "lab"\n[[hosts]]\nnames = "n[1-4]"\n',
    );
    const state = "/root/.local/state/minime";
    await using _polite = await daemonOn(rig.host("n1"), "exec sleep 600");
    await using _deaf = await daemonOn(rig.host("n2"), "trap '' TERM; while :; do sleep 1; done");
    // Another mesh's, on the same host.
    await rig.host("n1").writeFile(`${state}/other/n1/pid`, "1 1\n");
    await rig.host("n1").writeFile("/root/.cache/minime/bin/minime-0123", "program");
    await using down = await noSshd(rig.host("n4"));

    const first = await rig.minime(["wipe", "--hosts", FILE, "--grace", "1s"]);
    assert.equal(first.code, 1);
    assert.equal(
      first.stdout,
      "n1: wiped, the daemon stopped\n" +
        "n2: wiped, the daemon was killed\n" +
        "n3: nothing to wipe\n" +
        "n4: connection refused: nobody listens for ssh (connect to host n4 port 22: Connection refused)\n" +
        "3 of 4 hosts are clean, not clean: n4\n",
    );
    assert.deepEqual(ownProcesses(rig.host("n1")), []);
    assert.equal(await rig.host("n1").exists(`${state}/lab`), false);
    assert.ok(await rig.host("n1").exists(`${state}/other/n1/pid`));
    assert.ok(await rig.host("n1").exists("/root/.cache/minime/bin/minime-0123"));
    assert.equal(await rig.host("n2").exists(state), false);

    await down[Symbol.asyncDispose]();
    const again = await rig.minime(["wipe", "--hosts", FILE, "--all"]);
    assert.deepEqual(again, {
      code: 0,
      stdout: "n[2-4]: nothing to wipe\nn1: wiped, no daemon was running\nAll 4 hosts are clean\n",
      stderr: "",
    });
    assert.equal(await rig.host("n1").exists("/root/.cache/minime"), false);
  },
);

/** Something with the pid file of the daemon of that host in mesh "lab", and a running process. */
async function daemonOn(host: Host, script: string): Promise<AsyncDisposable> {
  const process = host.spawn(["sh", "-c", script]);
  const isOurs = ({ argv }: { argv: readonly string[] }) =>
    argv.includes(script) || argv.join(" ") === "sleep 600";
  let pid: number | undefined;
  while (pid === undefined) {
    pid = host.processes().find(isOurs)?.pid;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  const stat = await host.readText(`/proc/${pid}/stat`);
  const started = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
  await host.writeFile(`/root/.local/state/minime/lab/${host.name}/pid`, `${pid} ${started}\n`);
  return process;
}

async function all(rig: Rig, nodes: string, wanted: { code: number; last: string }): Promise<void> {
  const { code, stdout }: RunResult = await rig.minime(["recon", "--hosts", FILE, "-w", nodes]);
  assert.deepEqual([code, stdout.trimEnd().split("\n").at(-1)], [wanted.code, wanted.last]);
}

/** Everything that a user's commands may have left. */
async function filesOf(host: Host): Promise<string> {
  return await host.must(["find", "/root", "/tmp", "/run", "-printf", "%p %s %m %T@\n"]);
}

function ownProcesses(host: Host): string[] {
  return host.processes().map(({ argv }) => argv.join(" "))
    .filter((text) => text !== "" && !/sshd/.test(text));
}
