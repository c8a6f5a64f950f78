/**
 * Three segments of which the origin reaches only the gateways, two each: real daemons, real ssh.
 * One rig for all of it, since starting it and copying the program is what costs.
 */

import assert from "node:assert/strict";
import { ensureBinary } from "../../tools/binary.ts";
import { Dice, SEED } from "../support/fuzz.ts";
import {
  blackhole,
  frozen,
  type Host,
  linkDown,
  noSshd,
  type Rig,
  segmentsFile,
  startSegments,
  systemTest,
  type Traffic,
  trafficOf,
  until,
} from "./rig/mod.ts";

const PLAN = { segments: ["a", "b", "c"], gateways: 2, hosts: 2 };
const FILE = "/root/hosts.toml";
const BOOT_MS_MAX = 240_000;
const COPY_BYTES = 4_000_000;
/** For what the mesh does by itself, on a machine that does much else. */
const PATIENCE = { timeoutMs: 90_000 };
const NAME = "segments: three of them, whose gateways die, freeze and are cut off";

const built = await ensureBinary();
if (built.kind === "compiled") systemTest(NAME, runSegments);
else Deno.test.ignore(`${NAME} (the sources cannot be copied: ${built.why})`, runSegments);

async function runSegments(test: Deno.TestContext): Promise<void> {
  await using rig = await startSegments(PLAN);
  const all = rig.hosts.map(({ name }) => name).sort();
  await rig.origin.writeFile(
    FILE,
    segmentsFile(rig, { ...PLAN, more: '[boot]\ntimeout = "2m"\n' }),
  );

  await test.step("recon: looks through the gateways, and names one that is dead", async () => {
    assert.deepEqual(await notReady(rig), {});
    await using _one = await noSshd(rig.host("ga1"));
    assert.deepEqual(Object.keys(await notReady(rig)), ["ga1"]);
    await using _two = await noSshd(rig.host("ga2"));
    const reports = await notReady(rig);
    assert.deepEqual(Object.keys(reports).sort(), ["a1", "a2", "ga1", "ga2"]);
    assert.match(
      reports["a1"] ?? "",
      /^gateway: ga1: connection refused: .*; ga2: connection refused: nobody listens for ssh/,
    );
  });

  await test.step("boot: copies once into each segment, and all nodes see each other", async () => {
    const before = trafficOf(rig.origin).sentBytes;
    const { code, stdout, stderr } = await boot(rig);
    assert.equal(code, 0, stdout + stderr);
    const copies = (trafficOf(rig.origin).sentBytes - before) / await packedBytes(rig);
    assert.ok(copies > 1 && copies < 4.5, `${copies} copies were sent`);
    assert.deepEqual(await answering(rig), all);
    // No line through a gateway is left, and no socket of one.
    await until(
      "both are gone",
      async () =>
        rig.origin.processes().every(({ argv }) => argv[0] !== "ssh") &&
        (await rig.origin.must(["ls", "/tmp/minime-0"])).trim() === "",
    );
  });

  await test.step("cp: each byte crosses each link once", async () => {
    await rig.origin.writeFile("/root/large", new Dice(SEED).bytes(COPY_BYTES));
    const hosts = [rig.origin, ...rig.hosts];
    const before = hosts.map(trafficOf);
    const { code, stdout, stderr } = await rig.minime(["cp", "-a", "large", ":/tmp/"]);
    assert.equal(code, 0, stdout + stderr);
    const [sent = 0, ...received] = hosts.map((host, index) => {
      const { sentBytes, receivedBytes } = trafficOf(host);
      const was = before[index] as Traffic;
      const bytes = index === 0 ? sentBytes - was.sentBytes : receivedBytes - was.receivedBytes;
      return bytes / COPY_BYTES;
    });
    // Whoever had two of it, or an acknowledgement for each piece of it, would be far above.
    for (const copies of [sent, ...received]) {
      assert.ok(copies >= 1 && copies < 1.5, `${sent} sent, ${received} received`);
    }
  });

  await test.step("nodes --toml: is the file that booted it", async () => {
    const printed = await rig.minime(["nodes", "--toml"]);
    assert.match(printed.stdout, /^via = "ga\[1-2\]"$/m);
    assert.match(printed.stdout, /^inner_address = "10\.77\.1\.\[11-12\]"$/m);
    assert.doesNotMatch(printed.stdout, /\[groups\]/);
  });

  await test.step("a dead gateway: the second one carries its segment's calls", async () => {
    await kill(rig.host("ga1"));
    await settled(rig, all.filter((name) => name !== "ga1"));
    const { code, stdout } = await rig.minime(["grow", "-w", "ga1"], { timeoutMs: BOOT_MS_MAX });
    assert.equal(code, 0, stdout);
    await settled(rig, all);
  });

  await test.step("a gateway whose link outside is down is reached from its segment", async () => {
    const others = async () =>
      (await linksOf(rig, "gb1")).filter((name) => !isInSegment(name, "b"));
    {
      await using _fault = await linkDown(rig.host("gb1"), "eth0");
      await until(
        "its links outside are gone",
        async () => (await others()).length === 0,
        PATIENCE,
      );
      await settled(rig, all);
    }
    await until("they are back", async () => (await others()).length > 0, PATIENCE);
  });

  await test.step("a gateway that swallows everything: its segment goes on without it", async () => {
    {
      await using _fault = await blackhole(rig.host("gc1"));
      await settled(rig, all.filter((name) => name !== "gc1"));
    }
    await settled(rig, all);
  });

  await test.step("a frozen gateway is one that is lost, until it wakes", async () => {
    {
      await using _fault = await frozen(rig.host("ga2"), ...daemonsOf(rig.host("ga2")));
      await settled(rig, all.filter((name) => name !== "ga2"));
    }
    await settled(rig, all);
  });

  await test.step("both gateways cut off: their segment is lost at them, and comes back", async () => {
    {
      await using _one = await linkDown(rig.host("gb1"), "eth0");
      await using _two = await linkDown(rig.host("gb2"), "eth0");
      await settled(rig, all.filter((name) => !isInSegment(name, "b")));
    }
    await settled(rig, all);
  });

  await test.step("shrink and grow: a host behind gateways leaves and comes back", async () => {
    const shrunk = await rig.minime(["shrink", "-w", "c2"]);
    assert.equal(shrunk.code, 0, shrunk.stdout + shrunk.stderr);
    // From here a daemon is seen by its port, which closes a moment before the process is gone.
    await until("its daemon is gone", () => daemonsOf(rig.host("c2")).length === 0);
    assert.deepEqual(await answering(rig), all.filter((name) => name !== "c2"));
    await using _fault = await noSshd(rig.host("gc1"));
    const grown = await rig.minime(["grow", "-w", "c2"], { timeoutMs: BOOT_MS_MAX });
    assert.equal(grown.code, 0, grown.stdout + grown.stderr);
    await settled(rig, all);
  });

  await test.step("halt: everything is down, behind the gateways too", async () => {
    const { code, stdout, stderr } = await rig.minime(["halt"]);
    assert.equal(code, 0, stdout + stderr);
    // What was logged in to reach others has noticed that nobody needs it any more.
    await until("nothing is left", () => rig.hosts.every((host) => host.pids().length === 0));
  });

  await test.step("wipe: ends daemons that no command reaches", async () => {
    const { code, stdout } = await boot(rig);
    assert.equal(code, 0, stdout);
    for (const name of ["ga1", "ga2"]) await kill(rig.host(name));
    const wiped = await rig.minime(["wipe", "--hosts", FILE]);
    assert.equal(wiped.code, 0, wiped.stdout + wiped.stderr);
    assert.match(wiped.stdout, /^All 12 hosts are clean$/m);
    assert.deepEqual(rig.hosts.flatMap(daemonsOf), []);
  });
}

async function boot(rig: Rig): ReturnType<Rig["minime"]> {
  return await rig.minime(["boot", "--hosts", FILE], { timeoutMs: BOOT_MS_MAX });
}

async function kill(host: Host): Promise<void> {
  await host.signal("KILL", ...daemonsOf(host));
}

function daemonsOf(host: Host): number[] {
  return host.processes().filter(({ argv }) => argv.includes("daemon")).map(({ pid }) => pid);
}

/** Hosts that recon does not like, and why. */
async function notReady(rig: Rig): Promise<Record<string, string>> {
  const { stdout, stderr } = await rig.minime(["recon", "--hosts", FILE, "--json"]);
  const { hosts }: {
    hosts: { name: string; ready: boolean; problems: { reason: string; text: string }[] }[];
  } = JSON.parse(stdout === "" ? stderr : stdout);
  return Object.fromEntries(
    hosts.filter(({ ready }) => !ready).map(({ name, problems }) => [
      name,
      problems.map(({ reason, text }) => `${reason}: ${text}`).join("; "),
    ]),
  );
}

/** Until these nodes are up, the others known to be lost, and a group call has all their answers. */
async function settled(rig: Rig, names: readonly string[]): Promise<void> {
  await until(`${names.join()} are up and answer`, async () => {
    const up = (await nodes(rig)).filter(({ state }) => state === "up").map(({ name }) => name);
    return isSame(up.sort(), names) && isSame(await answering(rig), names);
  }, PATIENCE);
}

async function linksOf(rig: Rig, name: string): Promise<readonly string[]> {
  return (await nodes(rig)).find((node) => node.name === name)?.links ?? [];
}

async function nodes(rig: Rig): Promise<{ name: string; state: string; links: string[] }[]> {
  const { stdout } = await rig.minime(["nodes", "--json"]);
  return stdout === "" ? [] : JSON.parse(stdout).nodes;
}

/** Who answers a group call over all nodes. */
async function answering(rig: Rig): Promise<string[]> {
  const { stdout } = await rig.minime(["uptime", "--json"]);
  if (stdout === "") return [];
  const { nodes }: { nodes: { name: string; uptime: unknown }[] } = JSON.parse(stdout);
  return nodes.filter(({ uptime }) => uptime !== null).map(({ name }) => name).sort();
}

async function packedBytes(rig: Rig): Promise<number> {
  const listed = await rig.origin.must(["sh", "-c", "wc -c /root/.cache/minime/minime-*.gz"]);
  return Number(/^\s*(\d+)/.exec(listed)?.[1]);
}

/** "b1" and "gb1" are in "b". */
function isInSegment(name: string, segment: string): boolean {
  return name.replace(/[0-9]+$/, "").endsWith(segment);
}

function isSame(a: readonly string[], b: readonly string[]): boolean {
  return a.join() === b.join();
}
