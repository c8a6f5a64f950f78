/** Who ends our programs when we are gone: that it is there in time, and comes back. */

import assert from "node:assert/strict";
import { createRealEnvironment } from "../../../core/environment/real.ts";
import { type Child, type Environment, FileError } from "../../../core/mod.ts";
import { Warden } from "../../../modules/exec/warden.ts";
import { until } from "../../support/wait.ts";
import { lives, makeScene } from "./scene.ts";

const real = createRealEnvironment().processes;

/** The true ones, with an eye on what is started. */
function processesThat(
  spawn: (start: () => Promise<Child>, program: string) => Promise<Child>,
): Environment["processes"] {
  return Object.create(real, {
    spawn: {
      value: (...args: Parameters<typeof real.spawn>) => spawn(() => real.spawn(...args), args[0]),
    },
  });
}

/** In a group of its own. */
async function sleeper(): Promise<Child> {
  const child = await real.spawn("/usr/bin/setsid", {
    args: ["sleep", "67"],
    clearEnvironment: true,
  });
  await until(() => real.signal(-child.pid, "0"), "it has made its group");
  return child;
}

// Until it was there, a daemon that was killed left its first program behind.
Deno.test("warden: is there before the first program is", async () => {
  const started: string[] = [];
  const processes = processesThat((start, program) => {
    started.push(program);
    return start();
  });
  await using scene = await makeScene({ processes });
  assert.deepEqual((await scene.sh("exit 3")).end, { code: 3 });
  assert.deepEqual((await scene.sh("exit 4")).end, { code: 4 });
  assert.deepEqual(started, ["/bin/sh", "/usr/bin/setsid", "/usr/bin/setsid"]);
});

Deno.test("warden: one that was killed, or could not be started, is replaced and knows all", async () => {
  const shells: Child[] = [];
  let isFull = true;
  const warden = new Warden(processesThat(async (start) => {
    if (isFull) throw new FileError("other", "Too many files are open");
    const shell = await start();
    shells.push(shell);
    return shell;
  }));
  await assert.rejects(warden.prepare(), /Too many files/);
  isFull = false;
  await warden.prepare();
  const [one, two, three] = await Promise.all([sleeper(), sleeper(), sleeper()]);
  await warden.watch(one.pid);
  await warden.watch(two.pid);
  shells[0]?.kill("SIGKILL");
  await shells[0]?.status;
  await warden.watch(three.pid);
  await warden.forget(two.pid);
  assert.equal(shells.length, 2);
  // It knows of our end by the end of its input.
  await warden.stop();
  await Promise.all([one.status, three.status]);
  assert.deepEqual([one, two, three].map(({ pid }) => lives(pid)), [false, true, false]);
  real.signal(-two.pid, "SIGKILL");
  await until(() => !lives(two.pid), "it has ended");
  await two.status;
});

// The shell that took its place was never ended.
Deno.test("warden: one that was killed is not replaced once all is over", async () => {
  const shells: Child[] = [];
  const warden = new Warden(processesThat(async (start) => {
    const shell = await start();
    shells.push(shell);
    return shell;
  }));
  const program = await sleeper();
  await warden.watch(program.pid);
  shells[0]?.kill("SIGKILL");
  await shells[0]?.status;
  const forgotten = warden.forget(program.pid);
  await warden.stop();
  await forgotten;
  assert.equal(shells.length, 1);
  real.signal(-program.pid, "SIGKILL");
  await program.status;
});
