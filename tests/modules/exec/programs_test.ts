/** Real processes: what is started, how it ends, and that nothing is left. */

import assert from "node:assert/strict";
import type { RunEnd } from "../../../modules/exec/order.ts";
import { DRAIN_MS, KILL_AFTER_MS_SHUTDOWN } from "../../../modules/exec/limits.ts";
import { type Chunk, STDOUT } from "../../../modules/exec/program.ts";
import { ManualClock } from "../../support/manual_clock.ts";
import { until } from "../group/daemons.ts";
import { lives, makeScene, type Scene } from "./scene.ts";

type Output = AsyncGenerator<Chunk, RunEnd, void>;

/** The next that it writes to stdout; what a shell complains of is nobody's business here. */
async function nextText(output: Output): Promise<string> {
  for (;;) {
    const { done, value } = await output.next();
    if (done) throw new Error(`It has ended: ${JSON.stringify(value)}`);
    if (value[0] === STDOUT) return new TextDecoder().decode(value[1]);
  }
}

async function endOf(output: Output): Promise<RunEnd> {
  for (;;) {
    const { done, value } = await output.next();
    if (done) return value;
  }
}

/** By a clock that the test advances: however busy the machine is, no time is over too early. */
async function byManualClock(
  run: (scene: Scene, clock: ManualClock) => Promise<void>,
): Promise<void> {
  const clock = new ManualClock();
  await using scene = await makeScene({ clock });
  try {
    await run(scene, clock);
  } finally {
    let isOver = false;
    const stopping = scene.programs.stop().finally(() => isOver = true);
    while (!isOver) await clock.advance(KILL_AFTER_MS_SHUTDOWN);
    await stopping;
  }
}

Deno.test("programs: status and signals arrive as they were", async () => {
  await using scene = await makeScene();
  assert.deepEqual((await scene.sh("exit 3")).end, { code: 3 });
  assert.deepEqual((await scene.sh("kill -USR1 $$")).end, { code: 138, signal: "SIGUSR1" });
  const killed = await scene.sh("echo one; echo two >&2; kill -KILL $$");
  assert.deepEqual(killed, {
    end: { code: 137, signal: "SIGKILL" },
    stdout: "one\n",
    stderr: "two\n",
  });
});

Deno.test("programs: a rule for certain commands lets nobody bend them", async () => {
  await using scene = await makeScene();
  const principal = { commandsOnly: true };
  const text =
    "Rule allow[0] allows certain commands only, with no variables or folder of your own";
  for (
    const bent of [{ variables: [["PATH", "/tmp"]] as [string, string][] }, { folder: "/tmp" }]
  ) {
    await assert.rejects(scene.run(["true"], { principal, ...bent }), {
      class: "refused",
      message: text,
    });
  }
  assert.equal((await scene.run(["true"], { principal })).end.code, 0);
});

Deno.test("programs: a rule says how many one user may run at once", async () => {
  await using scene = await makeScene();
  const principal = { maxProcesses: 2 };
  const runs = [1, 2].map(() => scene.run(["sleep", "60"], { principal }));
  await assert.rejects(scene.run(["true"], { principal }), {
    class: "refused",
    message: 'Rule allow[0] lets user "alice" run 2 at once here',
  });
  await scene.programs.stop();
  assert.deepEqual((await Promise.all(runs)).map(({ end }) => end.signal), ["SIGTERM", "SIGTERM"]);
  assert.equal((await scene.run(["true"], { principal })).end.code, 0);
});

Deno.test("programs: output is collected up to a bound, and what was cut is counted", async () => {
  await using scene = await makeScene();
  const { end } = await scene.sh("echo out; echo err >&2; head -c 100000 /dev/zero", {
    collectBytes: 10,
  });
  assert.deepEqual(end, {
    code: 0,
    stdout: new TextEncoder().encode("out\n\0\0\0\0\0\0"),
    stderr: new TextEncoder().encode("err\n"),
    cutBytes: 100_000 - 6,
  });
});

Deno.test("programs: a slow reader slows the program, and no output gathers", async () => {
  await using scene = await makeScene();
  const output = scene.stream(["dd", "if=/dev/zero", "bs=64k", "count=4000", "status=none"]);
  let bytes = 0;
  const read = async () => {
    const { done, value } = await output.next();
    if (!done) bytes += value[1].length;
    return done;
  };
  await read();
  const before = Deno.memoryUsage().rss;
  await new Promise((resolve) => setTimeout(resolve, 300));
  assert.ok(Deno.memoryUsage().rss - before < 32e6);
  while (!await read());
  assert.equal(bytes, 4_000 * 65_536);
});

Deno.test("programs: out of time it is asked to end, and killed when it does not", async () => {
  await byManualClock(async (scene, clock) => {
    const limits = { timeoutMs: 50, killAfterMs: 100 };
    const sleeper = scene.stream(["/bin/sh", "-c", "echo ready; exec sleep 60"], limits);
    assert.equal(await nextText(sleeper), "ready\n");
    await clock.advance(50);
    assert.deepEqual(await endOf(sleeper), { code: 143, signal: "SIGTERM", timedOut: true });
    const line = 'trap "echo no" TERM; echo ready; while :; do sleep 0.01; done';
    const stubborn = scene.stream(["/bin/sh", "-c", line], limits);
    assert.equal(await nextText(stubborn), "ready\n");
    await clock.advance(50);
    assert.equal(await nextText(stubborn), "no\n");
    await clock.advance(100);
    assert.deepEqual(await endOf(stubborn), { code: 137, signal: "SIGKILL", timedOut: true });
  });
});

Deno.test("programs: when nobody wants it any more, its whole group is ended", async () => {
  await using scene = await makeScene();
  const gone = new AbortController();
  const output = scene.stream(["/bin/sh", "-c", "sleep 61 & echo $!; wait"], {
    signal: gone.signal,
  });
  const { value } = await output.next();
  const pid = Number(new TextDecoder().decode((value as [number, Uint8Array])[1]));
  assert.equal(lives(pid), true);
  gone.abort();
  assert.equal((await output.next()).done, true);
  await until(() => !lives(pid));
});

Deno.test("programs: one whose reader leaves is killed", async () => {
  await using scene = await makeScene();
  const output = scene.stream(["/bin/sh", "-c", 'trap "" TERM; echo $$; yes'], {});
  const { value } = await output.next();
  const pid = parseInt(new TextDecoder().decode((value as [number, Uint8Array])[1]));
  await output.return({ code: 0 });
  assert.equal(lives(pid), false);
});

Deno.test("programs: what a program leaves behind in its group ends soon after it", async () => {
  await byManualClock(async (scene, clock) => {
    const line = "(while kill -0 $$ 2>&-; do sleep 0.01; done; echo late) & sleep 62 & echo $!";
    const output = scene.stream(["/bin/sh", "-c", line]);
    const pid = Number(await nextText(output));
    assert.equal(await nextText(output), "late\n");
    assert.equal(lives(pid), true);
    const over = endOf(output);
    await until(() => clock.timers > 0);
    await clock.advance(DRAIN_MS);
    assert.deepEqual(await over, { code: 0 });
    await until(() => !lives(pid));
  });
});

Deno.test("programs: a daemon in a session of its own lives on, and nobody waits for it", async () => {
  await byManualClock(async (scene, clock) => {
    const output = scene.stream(["/bin/sh", "-c", "setsid sh -c 'echo $$; exec sleep 63' &"]);
    const pid = Number(await nextText(output));
    const over = endOf(output);
    await until(() => clock.timers > 0);
    await clock.advance(DRAIN_MS);
    assert.deepEqual(await over, { code: 0 });
    assert.equal(lives(pid), true);
    Deno.kill(pid, "SIGKILL");
  });
});

Deno.test("programs: signals reach the group of a run of the same user, and no other", async () => {
  await using scene = await makeScene();
  // Without the exit a signal that comes before the wait has the whole time waited for.
  const line = 'trap "echo got; exit" INT; echo ready; sleep 64 & wait';
  const order = scene.order(["/bin/sh", "-c", line]);
  const output = scene.programs.run(order, scene.context());
  await output.next();
  const stranger = scene.context({ principal: { identity: { keyId: "ff" } as never } });
  const int = { run: order.run, signal: "SIGINT" } as const;
  assert.equal(scene.programs.signal(int, stranger), false);
  assert.equal(scene.programs.signal(int, scene.context()), true);
  const { value } = await output.next();
  assert.equal(new TextDecoder().decode((value as [number, Uint8Array])[1]), "got\n");
  while (!(await output.next()).done);
  assert.equal(scene.programs.signal(int, scene.context()), false);
});

Deno.test("programs: a shutdown ends them all, politely first", async () => {
  await using scene = await makeScene();
  const folder = await Deno.makeTempDir();
  const polite = scene.sh(`trap "echo bye; exit 5" TERM; sleep 65 & : > ${folder}/polite; wait`);
  const deaf = scene.sh(`trap "" TERM; : > ${folder}/deaf; sleep 66`);
  await until(() => [...Deno.readDirSync(folder)].length === 2);
  await Deno.remove(folder, { recursive: true });
  scene.stopping.abort();
  assert.deepEqual((await polite).end, { code: 5 });
  assert.deepEqual((await deaf).end, { code: 137, signal: "SIGKILL" });
});
