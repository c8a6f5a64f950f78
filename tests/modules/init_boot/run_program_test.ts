/** Programs of the system that are waited for, and such as are given up. */

import assert from "node:assert/strict";
import { createRealEnvironment } from "../../../core/environment/real.ts";
import { MinimeError } from "../../../core/mod.ts";
import { runProgram } from "../../../modules/init_boot/run_program.ts";
import { until } from "../../support/wait.ts";

Deno.test("run program: its exit code and all that it says", async () => {
  const env = createRealEnvironment();
  assert.deepEqual(
    await runProgram(env, "/bin/sh", ["-c", "echo out; echo err >&2; exit 3"]),
    { code: 3, stdout: "out\n", stderr: "err\n" },
  );
});

// It was waited for until what it had started ended as well.
Deno.test("run program: one that is given up is over, whatever it has started holds its output", async () => {
  const env = createRealEnvironment();
  const stopping = new AbortController();
  const pidFile = await Deno.makeTempFile();
  const script = 'sleep 97 & echo $! >"$0"; wait';
  const ran = runProgram(env, "/bin/sh", ["-c", script, pidFile], { signal: stopping.signal });
  await until(() => Deno.readTextFileSync(pidFile).endsWith("\n"), "it has started another one");
  stopping.abort(new MinimeError("Given up"));
  await assert.rejects(ran, /^MinimeError: Given up$/);
  const pid = Number(Deno.readTextFileSync(pidFile));
  assert.equal(env.processes.signal(pid, "SIGKILL"), true);
  await Deno.remove(pidFile);
});
