/** The administrator's program as it is run: what it is told, and how it is ended. */

import assert from "node:assert/strict";
import { createRealEnvironment } from "../../../core/environment/real.ts";
import { runHook } from "../../../modules/hooks/hook_program.ts";
import { HOOK_GRACE_MS } from "../../../modules/hooks/limits.ts";
import { ManualClock } from "../../support/manual_clock.ts";
import { until } from "../../support/wait.ts";
import { nodeView } from "./nodes.ts";

const node = nodeView({ name: "n2", groups: ["compute", "io"], segment: "b" });

/** Runs one as an event of n2 and returns what was logged. */
async function run(
  script: string | undefined,
  options: {
    readonly timeoutMs?: number;
    readonly signal?: AbortSignal;
    readonly clock?: ManualClock;
    /** Of the program. @default 0o700 */
    readonly mode?: number;
    /** What is done when it has written something. */
    readonly then?: () => Promise<void>;
  } = {},
): Promise<{ readonly lines: string[]; readonly output: string }> {
  const folder = await Deno.makeTempDir();
  const program = `${folder}/hook`;
  if (script !== undefined) {
    // It may be ended before it has written anything.
    await Deno.writeTextFile(`${folder}/output`, "");
    await Deno.writeTextFile(program, `#!/bin/sh\nexec >${folder}/output\n${script}\n`, {
      mode: 0o700,
    });
    await Deno.chmod(program, options.mode ?? 0o700);
  }
  const lines: string[] = [];
  const { timeoutMs = 60_000, signal = new AbortController().signal, then } = options;
  const { clock: realClock, files, processes } = createRealEnvironment();
  const running = runHook({ event: "failure", node }, {
    env: { clock: options.clock ?? realClock, files, processes },
    log: (level, text, fields) => lines.push(`${level}: ${text} ${JSON.stringify(fields ?? {})}`),
    mesh: "lab",
    self: "n1",
    hooks: { program, events: ["failure"], timeoutMs },
    signal,
  });
  if (then !== undefined) {
    await until(() => Deno.statSync(`${folder}/output`).size > 0, "it has written something");
    await then();
  }
  await running;
  const output = script === undefined ? "" : await Deno.readTextFile(`${folder}/output`);
  await Deno.remove(folder, { recursive: true });
  return { lines, output };
}

Deno.test("hook program: it gets variables of its own and the event as JSON, and its end is logged", async () => {
  const { lines, output } = await run("env | grep -v -e ^PWD= -e ^SHLVL= -e ^_= | sort; cat");
  const rows = output.trim().split("\n");
  const { keyId } = node;
  assert.deepEqual(rows.slice(0, -1), [
    "MINIME_EVENT=failure",
    "MINIME_GROUPS=compute,io",
    `MINIME_KEY=${keyId}`,
    "MINIME_MESH=lab",
    "MINIME_NODE=n2",
    "MINIME_SEGMENT=b",
    "MINIME_SELF=n1",
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
  ]);
  const told = JSON.parse(rows.at(-1) ?? "") as Record<string, unknown>;
  const { links: _links, ...shown } = node;
  assert.deepEqual(told, { event: "failure", mesh: "lab", self: "n1", node: shown });
  assert.match(lines.join(), /^info: Hook for failure of "n2" ended with exit code 0 after \d+ ms/);
});

Deno.test("hook program: a failure is a warning with what it said, a missing one an error", async () => {
  const failed = await run("exec <&-; echo one >&2; echo two >&2; exit 3");
  assert.match(failed.lines.join(), /^warning: .* ended with exit code 3 after .*"one \| two"/);
  const open = await run("echo ran", { mode: 0o777 });
  assert.match(
    open.lines.join(),
    /^error: Hook .* cannot be run: ".*hook" can be changed by others/,
  );
  assert.equal(open.output, "");
  const missing = await run(undefined);
  assert.match(missing.lines.join(), /^error: Hook for failure of "n2" cannot be run: /);
});

Deno.test("hook program: over its time it is killed with all that it has started", async () => {
  // Neither it nor its child goes by SIGTERM.
  const script = "trap '' TERM; echo x >&2; sleep 1000 & echo $!; while :; do sleep 1000; done";
  // By a clock that the test advances: a busy machine takes long to start it.
  const clock = new ManualClock();
  const { lines, output } = await run(script, {
    timeoutMs: 100,
    clock,
    then: async () => {
      await clock.advance(100);
      await clock.advance(HOOK_GRACE_MS);
    },
  });
  assert.match(lines.join(), /^warning: .* was ended: it ran for 100 ms \{"stderr":"x"\}/);
  const child = Number(output);
  assert.ok(child > 0);
  await until(() => isGone(child), "the child is gone");
});

/** One that nobody has reaped yet has no folder any more either. */
function isGone(pid: number): boolean {
  try {
    Deno.readLinkSync(`/proc/${pid}/cwd`);
    return false;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return true;
    throw error;
  }
}

Deno.test("hook program: it is ended when the daemon stops", async () => {
  const { lines } = await run("sleep 1000", { signal: AbortSignal.abort() });
  assert.match(lines.join(), /^warning: .* was ended: the daemon stops/);
});
