import assert from "node:assert/strict";
import { type Caller, CallError, type CallOptions, type StepResult } from "../../../core/mod.ts";
import { ORPHAN_MS, RUNS_MAX, START_DOUBT_MS } from "../../../modules/group/limits.ts";
import { GROUP_START_MS_MAX } from "../../../modules/shared/limits.ts";
import { Runs } from "../../../modules/group/runs.ts";
import type { Work } from "../../../modules/group/work.ts";

/** Stands for the core next door; each execution waits until the test answers it. */
class Core implements Caller {
  readonly executions: PromiseWithResolvers<StepResult[]>[] = [];
  readonly signals: (AbortSignal | undefined)[] = [];

  request(_verb: string, _args: unknown, options: CallOptions = {}): Promise<unknown> {
    const execution = Promise.withResolvers<StepResult[]>();
    this.executions.push(execution);
    this.signals.push(options.signal);
    return execution.promise;
  }

  stream(): never {
    throw new Error("Nothing streams here");
  }

  answer(index: number, value: unknown): void {
    this.executions[index]?.resolve([{ ok: true, value }]);
  }
}

function setUp() {
  const timers: { ms: number; run: () => void; cancelled: boolean }[] = [];
  const clock = {
    at: 1_000_000,
    timers,
    now: () => clock.at,
    after(ms: number, run: () => void) {
      const timer = { ms, run, cancelled: false };
      timers.push(timer);
      return { cancel: () => void (timer.cancelled = true) };
    },
  };
  const core = new Core();
  return { clock, core, runs: new Runs({ clock, core, selfName: "n1" }) };
}

function work(id: number, change: Partial<Work> = {}): Work {
  return {
    id: id.toString(16).padStart(32, "0"),
    steps: [{ verb: "probe.say", args: undefined }],
    reduce: { kind: "fold" },
    startBy: 1_005_000,
    bytesPerNodeMax: 1_000,
    ...change,
  };
}

Deno.test("runs: a copy attaches to the running and to the finished one, also after its latest start", async () => {
  const { clock, core, runs } = setUp();
  const first = runs.run(work(1), 1_000);
  const copy = runs.run(work(1), 1_000);
  core.answer(0, "a");
  clock.at = work(1).startBy + START_DOUBT_MS;
  const late = runs.run(work(1), 1_000);
  for (const { outcome } of [first, copy, late]) {
    assert.deepEqual(await outcome, { set: "answered", answer: "a", bytes: 7 });
  }
  assert.equal(core.executions.length, 1);
});

Deno.test("runs: what is expired is forgotten, and what still runs is not", async () => {
  const { clock, core, runs } = setUp();
  const hanging = runs.run(work(1), 1_000);
  await Promise.resolve(runs.run(work(2), 1_000));
  core.answer(1, "b");
  await runs.run(work(2), 1_000).outcome;
  assert.equal(runs.size, 2);
  clock.at += ORPHAN_MS + 1;
  runs.run(work(3, { startBy: clock.at }), 1_000);
  assert.equal(runs.size, 2);
  core.answer(0, "a");
  assert.equal((await hanging.outcome).set, "answered");
});

// Its relay had died while it ran for an hour: the copy by another way was told that it came too late.
Deno.test("runs: what ends long after its latest start is kept for a copy that is on its way", async () => {
  const { clock, core, runs } = setUp();
  const lost = runs.run(work(1), 7_200_000);
  lost.release();
  clock.at += 3_600_000;
  core.answer(0, "a");
  await lost.outcome;
  clock.at += ORPHAN_MS;
  assert.equal((await runs.run(work(1), 1_000).outcome).set, "answered");
  assert.equal(core.executions.length, 1);
});

Deno.test("runs: a latest start years away is refused, because it would be remembered for years", async () => {
  const { clock, core, runs } = setUp();
  const startBy = clock.at + GROUP_START_MS_MAX + START_DOUBT_MS + 1;
  const outcome = await runs.run(work(1, { startBy }), 1_000).outcome;
  assert.deepEqual(outcome, {
    set: "failed",
    detail: { reason: "Latest start is too far away" },
  });
  assert.equal(core.executions.length, 0);
  assert.equal(runs.size, 0);
});

Deno.test("runs: a refused order is not kept for the true one that comes later", async () => {
  const { core, runs } = setUp();
  const signed = new Uint8Array([1, 2, 3]);
  const { steps: _steps, ...rest } = work(1);
  const refused = runs.run({ ...rest, signed }, 1_000);
  core.executions[0]?.reject(new CallError("refused", "No"));
  assert.deepEqual(await refused.outcome, { set: "refused", detail: { reason: "No" } });
  const again = runs.run({ ...rest, signed }, 1_000);
  core.answer(1, "yes");
  assert.equal((await again.outcome).set, "answered");
});

Deno.test("runs: orders under one id that differ in a bit are different", async () => {
  const { core, runs } = setUp();
  const { steps: _steps, ...rest } = work(1);
  runs.run({ ...rest, signed: new Uint8Array([1, 2, 3]) }, 1_000);
  const other = runs.run({ ...rest, signed: new Uint8Array([1, 2, 4]) }, 1_000);
  core.answer(1, "other");
  assert.equal(core.executions.length, 2);
  assert.deepEqual(await other.outcome, { set: "answered", answer: "other", bytes: 11 });
});

Deno.test("runs: cancelling the last of its copies cancels the run", () => {
  const { core, runs } = setUp();
  const first = runs.run(work(1), 1_000);
  runs.run(work(1), 1_000).cancel();
  assert.equal(core.signals[0]?.aborted, false);
  first.cancel();
  assert.equal(core.signals[0]?.aborted, true);
});

// A relay whose own caller had died gave up ten seconds later what a third way was about to bring.
Deno.test("runs: who gives up cancels its own way alone, also when a newer one was lost meanwhile", () => {
  const { clock, core, runs } = setUp();
  const first = runs.run(work(1), 1_000);
  const second = runs.run(work(1), 1_000);
  second.release();
  first.cancel();
  assert.equal(core.signals[0]?.aborted, false);
  const third = runs.run(work(1), 1_000);
  assert.deepEqual(clock.timers.map(({ cancelled }) => cancelled), [true]);
  // It let go long ago.
  first.cancel();
  third.release();
  third.cancel();
  assert.equal(core.signals[0]?.aborted, false);
  clock.timers[1]?.run();
  assert.equal(core.signals[0]?.aborted, true);
});

Deno.test("runs: too many at once are refused with a reason, and room comes back", async () => {
  const { clock, core, runs } = setUp();
  const started = Array.from({ length: RUNS_MAX }, (_, i) => runs.run(work(i), 1_000));
  assert.deepEqual(await runs.run(work(RUNS_MAX), 1_000).outcome, {
    set: "failed",
    detail: { reason: "Too many group operations at once; try again later" },
  });
  core.executions.forEach((_, i) => core.answer(i, i));
  await Promise.all(started.map(({ outcome }) => outcome));
  clock.at += ORPHAN_MS + 1;
  runs.run(work(RUNS_MAX, { startBy: clock.at }), 1_000);
  assert.equal(runs.size, 1);
});

Deno.test("runs: under pressure old answers are given up, but not that they ran", async () => {
  const { core, runs } = setUp();
  const large = { bytesPerNodeMax: 1024 * 1024 };
  for (let i = 0; i < 40; i++) {
    const run = runs.run(work(i, large), 1_000);
    core.answer(i, "x".repeat(1_000_000));
    assert.equal((await run.outcome).set, "answered");
  }
  const copy = await runs.run(work(0, large), 1_000).outcome;
  assert.deepEqual(copy, {
    set: "failed",
    detail: { reason: "It ran, but its answer is no longer kept" },
  });
  assert.equal((await runs.run(work(39, large), 1_000).outcome).set, "answered");
  assert.equal(core.executions.length, 40);
});

Deno.test("runs: a few large operations of one user do not shut out all others for an hour", async () => {
  const { clock, core, runs } = setUp();
  const startBy = clock.at + GROUP_START_MS_MAX;
  const args = "x".repeat(3 * 1024 * 1024);
  for (let i = 0; i < 20; i++) {
    const run = runs.run(work(i, { startBy, steps: [{ verb: "core.ping", args }] }), 1_000);
    core.executions[i]?.resolve([{ ok: false, class: "invalid", message: "No" }]);
    assert.deepEqual(await run.outcome, { set: "failed", detail: { reason: "No" } });
  }
  const many = Array.from({ length: RUNS_MAX }, (_, i) => runs.run(work(100 + i, { startBy }), 1));
  core.executions.forEach((_, i) => core.answer(i, i));
  for (const { outcome } of many) assert.equal((await outcome).set, "answered");
  const next = runs.run(work(99_999), 1_000);
  core.executions.at(-1)?.resolve([{ ok: true, value: "in" }]);
  assert.deepEqual(await next.outcome, { set: "answered", answer: "in", bytes: 8 });
});

Deno.test("runs: a signed order keeps itself alive and not the whole message that brought it", async () => {
  const { core, runs } = setUp();
  const { steps: _steps, ...rest } = work(1);
  const message = new Uint8Array(1_000).fill(7);
  const run = runs.run({ ...rest, signed: message.subarray(0, 3) }, 1_000);
  core.answer(0, "once");
  await run.outcome;
  message.fill(0);
  const copy = runs.run({ ...rest, signed: new Uint8Array([7, 7, 7]) }, 1_000);
  assert.equal((await copy.outcome).set, "answered");
  assert.equal(core.executions.length, 1);
});

Deno.test("runs: an answer that cannot travel is a failure of this node alone", async () => {
  const { core, runs } = setUp();
  const run = runs.run(work(1), 1_000);
  core.answer(0, () => "a function");
  const outcome = await run.outcome;
  assert.equal(outcome.set, "failed");
  let deep: unknown = "deep";
  for (let i = 0; i < 30; i++) deep = [deep];
  const other = runs.run(work(2), 1_000);
  core.answer(1, deep);
  assert.equal((await other.outcome).set, "failed");
});

Deno.test("runs: one that nobody has carried for a while is cancelled, and not before", async () => {
  const { core, runs, clock } = setUp();
  const first = runs.run(work(1), 1_000);
  first.release();
  const [lonely] = clock.timers;
  assert.equal(lonely?.ms, ORPHAN_MS);
  const copy = runs.run(work(1), 1_000);
  assert.equal(lonely?.cancelled, true);
  first.release();
  assert.equal(clock.timers.length, 1);
  copy.release();
  copy.release();
  clock.timers[1]?.run();
  assert.equal(core.signals[0]?.aborted, true);
  const answered = runs.run(work(2), 1_000);
  core.answer(1, "done");
  await answered.outcome;
  answered.release();
  assert.equal(clock.timers.length, 2);
});
