/**
 * The program on a machine whose time of day is wrong: main.ts but for that. The kernel has one clock
 * for all; SKEW_MS says by how much ours is ahead of it.
 */

import type { Clock } from "../../../core/environment/environment.ts";
import { createRealEnvironment } from "../../../core/environment/real.ts";
import { endProcess } from "../../../core/environment/real_exit.ts";
import { RealTerminal } from "../../../core/environment/real_terminal.ts";
import { connect } from "../../../modules/cli/connect.ts";
import { runCli } from "../../../modules/cli/run_cli.ts";
import { commands } from "../../../modules/commands.ts";

const env = createRealEnvironment();
const skewMs = Number(Deno.env.get("SKEW_MS"));
const { clock } = env;
const skewed: Clock = {
  now: () => clock.now() + skewMs,
  monotonic: () => clock.monotonic(),
  after: (ms, run) => clock.after(ms, run),
  sleep: (ms, options) => clock.sleep(ms, options),
  yield: () => clock.yield(),
};
await endProcess(
  await runCli(Deno.args, {
    env: { ...env, clock: skewed },
    terminal: new RealTerminal(),
    runtime: { ...Deno.version, target: Deno.build.target, compiled: false },
    commands,
    connect,
    exit: Deno.exit,
  }),
);
