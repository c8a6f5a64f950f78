/**
 * A partition of ten minutes between two segments, lived through in seconds by daemons whose clock
 * the test makes faster, and healed. Every dial has come to nothing many times by then.
 */

import assert from "node:assert/strict";
import { ensureBinary } from "../../tools/binary.ts";
import { ManualClock } from "../support/manual_clock.ts";
import { FastClock } from "./rig/fast_clock.ts";
import {
  FastBinary,
  livedMs,
  partition,
  type Rig,
  segmentsFile,
  setPace,
  startSegments,
  systemTest,
  until,
} from "./rig/mod.ts";

const PLAN = { segments: ["a", "b"], gateways: 1, hosts: 1 };
const PARTITION_MS = 10 * 60_000;
/** Fifteen seconds of ours; in them nobody else keeps the machine busy. */
const FACTOR = 40;
const PATIENCE = { timeoutMs: 120_000 };
const NAME = "partition: of ten minutes between two segments heals by itself";

const built = await ensureBinary();
if (built.kind === "compiled") systemTest(NAME, runPartition);
else Deno.test.ignore(`${NAME} (the sources cannot be copied: ${built.why})`, runPartition);

Deno.test("fast clock: what waits rings so much sooner, and the time of day stays", async () => {
  const base = new ManualClock();
  const clock = new FastClock(base);
  const rung: number[] = [];
  const day = clock.now();
  clock.after(1_000, () => rung.push(clock.monotonic()));
  clock.after(1_001, () => rung.push(-1)).cancel();
  const start = clock.monotonic();
  await base.advance(400);
  clock.factor = 20;
  await base.advance(29);
  assert.deepEqual(rung, []);
  await base.advance(1);
  assert.deepEqual(rung.map((at) => at - start), [1_000]);
  clock.factor = 1;
  await base.advance(100);
  assert.equal(clock.monotonic() - start, 1_100);
  assert.equal(clock.now() - day, 530);
});

async function runPartition(): Promise<void> {
  await using binary = await FastBinary.build();
  await using rig = await startSegments(PLAN);
  const all = rig.hosts.map(({ name }) => name).sort();
  const a = all.filter((name) => /^g?a/.test(name));
  await rig.origin.writeFile(
    "/root/hosts.toml",
    segmentsFile(rig, { ...PLAN, more: '[boot]\ntimeout = "2m"\n' }),
  );
  const boot = ["boot", "--hosts", "hosts.toml", "--binary", binary.pathOn(rig)];
  const { code, stdout, stderr } = await rig.minime(boot, { timeoutMs: 240_000 });
  assert.equal(code, 0, stdout + stderr);
  await until("all are up", async () => (await up(rig)).join() === all.join(), PATIENCE);
  {
    // The origin stays with segment a.
    const others = rig.hosts.filter(({ name }) => !a.includes(name));
    await using _fault = await partition(rig, others);
    await until("segment b is lost", async () => (await up(rig)).join() === a.join(), PATIENCE);
    const before = await livedMs(rig);
    await setPace(rig, FACTOR);
    await until("ten minutes have passed for the daemons", async () => {
      const lived = await livedMs(rig);
      return lived.every((ms, i) => ms - (before[i] ?? Infinity) >= PARTITION_MS);
    }, PATIENCE);
    await setPace(rig, 1);
    await until(
      "segment b is still lost",
      async () => (await up(rig)).join() === a.join(),
      PATIENCE,
    );
  }
  await until("all are up again", async () => (await up(rig)).join() === all.join(), PATIENCE);
  const called = await rig.minime(["uptime"]);
  assert.equal(called.code, 0, called.stdout + called.stderr);
  assert.match(called.stdout, /^4 up/m);
}

async function up(rig: Rig): Promise<string[]> {
  const { stdout } = await rig.minime(["nodes", "--json"]);
  if (stdout === "") return [];
  const { nodes }: { nodes: { name: string; state: string }[] } = JSON.parse(stdout);
  return nodes.filter(({ state }) => state === "up").map(({ name }) => name).sort();
}
