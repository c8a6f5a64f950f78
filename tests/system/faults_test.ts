/** Every fault of the rig shows its symptom to plain ssh, and is gone when undone. */

import assert from "node:assert/strict";
import {
  blackhole,
  fakeClock,
  fakeCpu,
  fakeLibc,
  frozen,
  fullDisk,
  hangingSshd,
  linkDown,
  noexecHome,
  noSshd,
  partition,
  portTaken,
  Rig,
  startProxy,
  systemTest,
  throttled,
  trafficOf,
  unplugged,
  until,
  wrongHostKey,
} from "./rig/mod.ts";
import type { Fault, RunResult } from "./rig/mod.ts";

systemTest("faults: without sshd connections are refused", async () => {
  await withFault(
    (rig) => noSshd(rig.host("n1")),
    /connect to host n1 port 22: Connection refused/,
  );
});

systemTest("faults: a hanging sshd takes the connection and says nothing", async () => {
  await withFault((rig) => hangingSshd(rig.host("n1")), /timed out during banner exchange/, {
    hangs: true,
  });
});

systemTest("faults: a black hole never answers", async () => {
  const symptom = /connect to host n1 port 22: Connection timed/;
  await withFault((rig) => blackhole(rig.host("n1")), symptom, { hangs: true });
});

systemTest("faults: a wrong host key is refused", async () => {
  await withFault((rig) => wrongHostKey(rig, "n1"), /REMOTE HOST IDENTIFICATION HAS CHANGED/);
});

systemTest("faults: a link that is down answers nothing", async () => {
  await withFault((rig) => linkDown(rig.host("n1")), /timed out|No route to host/, {
    hangs: true,
  });
});

systemTest("faults: IPv6 is hurt and healed like IPv4", async () => {
  await using rig = await Rig.start({ hosts: ["n1"], ipv6: true });
  for (const make of [linkDown, blackhole]) {
    {
      await using _fault = await make(rig.host("n1"));
      assert.match((await impatientSsh(rig, "n1-v6")).stderr, /timed out|No route to host/);
    }
    await until("IPv6 works again", async () => (await ssh(rig, "n1-v6")).code === 0);
  }
});

systemTest("faults: a full disk takes little and then no more", async () => {
  await using rig = await Rig.start({ hosts: ["n1"], users: ["alice"] });
  const host = rig.host("n1");
  await host.writeFile("/root/before", "kept");
  const fill = (kilobytes: number) => `head -c ${kilobytes}K /dev/zero >file`;
  {
    await using _fault = await fullDisk(host, { bytes: 256 * 1024 });
    assert.equal((await ssh(rig, "n1", fill(128))).code, 0);
    const full = await ssh(rig, "n1", fill(512));
    assert.equal(full.code, 1);
    assert.match(full.stderr, /No space left on device/);
    assert.equal((await ssh(rig, "alice@n1", fill(512))).code, 0);
    await using _other = await fullDisk(host, { bytes: 64 * 1024, path: "/home/alice" });
    assert.match((await ssh(rig, "alice@n1", fill(512))).stderr, /No space left on device/);
  }
  assert.equal(await host.readText("/root/before"), "kept");
});

systemTest("faults: nothing runs from a noexec home", async () => {
  await using rig = await Rig.start({ hosts: ["n1"] });
  const script = "cp /usr/bin/true mine && ./mine";
  {
    await using _fault = await noexecHome(rig.host("n1"));
    const { code, stderr } = await ssh(rig, "n1", script);
    assert.equal(code, 126);
    assert.match(stderr, /mine: Permission denied/);
  }
  assert.equal((await ssh(rig, "n1", script)).code, 0);
});

systemTest("faults: a taken port cannot be taken again", async () => {
  await using rig = await Rig.start({ hosts: ["n1"] });
  const host = rig.host("n1");
  const listen = { hostname: "0.0.0.0", port: 7117 };
  {
    await using _fault = await portTaken(host, 7117);
    await assert.rejects(startProxy({ host, listen }), /Cannot start: AddrInUse/);
  }
  await using proxy = await startProxy({ host, listen });
  assert.equal(proxy.port, 7117);
});

systemTest("faults: an unplugged host loses its carrier", async () => {
  await using rig = await Rig.start({ hosts: ["n1", "n2"] });
  const carrier = () => rig.host("n1").must(["cat", "/sys/class/net/eth0/carrier"]);
  {
    await using _fault = await unplugged(rig, rig.host("n1"));
    assert.equal(await carrier(), "0\n");
    assert.match((await impatientSsh(rig, "n1")).stderr, /timed out|No route to host/);
    assert.equal((await ssh(rig, "n2")).code, 0);
  }
  assert.equal(await carrier(), "1\n");
  await until("ssh works again", async () => (await ssh(rig, "n1")).code === 0);
});

systemTest("faults: a partition splits the hosts in two that each go on", async () => {
  await using rig = await Rig.start({ hosts: ["n1", "n2", "n3"] });
  /** For so many seconds: long where an answer will come, short where none can. */
  const reaches = async (from: string, to: string, seconds: number) => {
    const script = 'exec 3<>"/dev/tcp/$0/22" && read -r line <&3';
    const argv = ["timeout", String(seconds), "bash", "-c", script, to];
    return (await rig.host(from).run(argv)).code === 0;
  };
  {
    await using _fault = await partition(rig, [rig.host("n1"), rig.host("n2")]);
    assert.deepEqual(
      await Promise.all([
        reaches("n1", "n2", 20),
        reaches("n2", "n1", 20),
        reaches("n1", "n3", 1),
        reaches("n3", "n2", 1),
      ]),
      [true, true, false, false],
    );
    assert.equal((await ssh(rig, "n3")).code, 0);
    assert.equal((await impatientSsh(rig, "n1")).code, 255);
  }
  await until("the halves meet again", () => reaches("n1", "n3", 20));
});

systemTest("faults: a frozen process is stopped until undone", async () => {
  await using rig = await Rig.start({ hosts: ["n1"] });
  const host = rig.host("n1");
  await using process = host.spawn(["sleep", "1000"]);
  const sleeper = () => host.processes().find(({ argv }) => argv[0] === "sleep");
  await until("it runs", () => sleeper() !== undefined);
  {
    await using _fault = await frozen(host, sleeper()?.pid ?? assert.fail());
    await until("it is stopped", () => sleeper()?.state === "T");
  }
  await until("it goes on", () => sleeper()?.state === "S");
  await process.signal("SIGTERM");
  assert.equal((await process.status).code, 143);
});

systemTest("faults: another CPU, C library and clock are told to shell scripts", async () => {
  await using rig = await Rig.start({ hosts: ["n1"] });
  const host = rig.host("n1");
  const script =
    "uname -m; uname -s; getconf GNU_LIBC_VERSION; ldd --version | head -n 1; date +%Y";
  const truth = (await ssh(rig, "n1", script)).stdout;
  {
    await using _cpu = await fakeCpu(host, "armv7l");
    await using _libc = await fakeLibc(host, "2.17");
    await using _clock = await fakeClock(host, -20 * 366 * 24 * 3600);
    const [cpu, kernel, libc, ldd, year] = (await ssh(rig, "n1", script)).stdout.split("\n");
    assert.deepEqual([cpu, kernel, libc], ["armv7l", "Linux", "glibc 2.17"]);
    assert.equal(ldd, "ldd (GNU libc) 2.17");
    assert.equal(Number(year) <= Number(truth.trim().split("\n").at(-1)) - 20, true);
  }
  {
    await using _musl = await fakeLibc(host, "musl");
    assert.equal((await ssh(rig, "n1", "getconf GNU_LIBC_VERSION")).code, 1);
    assert.match((await ssh(rig, "n1", "ldd --version")).stderr, /musl libc/);
  }
  assert.equal((await ssh(rig, "n1", script)).stdout, truth);
});

systemTest("traffic: what the origin sends is counted and can be throttled", async () => {
  await using rig = await Rig.start({ hosts: ["n1"] });
  const send = async () => {
    const before = trafficOf(rig.origin);
    const start = performance.now();
    await rig.origin.must(["sh", "-c", "head -c 600K /dev/zero | ssh n1 'cat >/tmp/copy'"]);
    const { sentBytes, receivedBytes } = trafficOf(rig.origin);
    return {
      sent: sentBytes - before.sentBytes,
      received: receivedBytes - before.receivedBytes,
      ms: performance.now() - start,
    };
  };
  const free = await send();
  assert.equal(free.sent > 600 * 1024 && free.sent < 720 * 1024, true, `sent ${free.sent}`);
  assert.equal(free.received < 200 * 1024, true, `received ${free.received}`);
  {
    await using _fault = await throttled(rig.origin, { bytesPerSecond: 400 * 1024 });
    const slow = await send();
    // No faster than the limit allows, whatever else the machine does: (600 - burst) / 400 s.
    assert.equal(slow.ms >= 1300, true, `took ${slow.ms} ms`);
  }
  assert.equal(await rig.origin.must(["tc", "qdisc", "show", "dev", "eth0"]).then(isPlain), true);
});

function isPlain(qdisc: string): boolean {
  return !qdisc.includes("tbf");
}

async function withFault(
  make: (rig: Rig) => Promise<Fault>,
  symptom: RegExp,
  options: { hangs?: boolean } = {},
): Promise<void> {
  await using rig = await Rig.start({ hosts: ["n1", "n2"] });
  {
    await using _fault = await make(rig);
    const [hurt, other] = await Promise.all([
      options.hangs ? impatientSsh(rig, "n1") : ssh(rig, "n1"),
      ssh(rig, "n2"),
    ]);
    assert.equal(hurt.code, 255);
    assert.match(hurt.stderr, symptom);
    assert.equal(other.code, 0, other.stderr);
  }
  await until("ssh works again", async () => (await ssh(rig, "n1")).code === 0);
}

async function ssh(rig: Rig, target: string, script = "true"): Promise<RunResult> {
  return await rig.origin.run(["ssh", "-o", "ConnectTimeout=20", target, script]);
}

/** For hosts that will not answer anyway. */
async function impatientSsh(rig: Rig, target: string): Promise<RunResult> {
  return await rig.origin.run(["ssh", "-o", "ConnectTimeout=1", target, "true"]);
}
