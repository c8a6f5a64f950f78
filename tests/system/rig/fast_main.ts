/**
 * The program with a clock that a test can make faster: main.ts but for that. While the file
 * FACTOR_FILE of a host holds a number, the daemons of that host that were started by this
 * program live so many times faster; LIVED_FILE says for how long.
 */

import { createRealEnvironment } from "../../../core/environment/real.ts";
import { endProcess } from "../../../core/environment/real_exit.ts";
import { RealTerminal } from "../../../core/environment/real_terminal.ts";
import { asksVersion, versionText } from "../../../modules/cli/version.ts";
import { runCli } from "../../../modules/cli/run_cli.ts";
import { connect } from "../../../modules/cli/connect.ts";
import { commands } from "../../../modules/commands.ts";
import { FACTOR_FILE, FastClock, LIVED_FILE } from "./fast_clock.ts";

const LOOK_MS = 100;

const runtime = {
  deno: Deno.version.deno,
  v8: Deno.version.v8,
  target: Deno.build.target,
  compiled: Deno.build.standalone,
};

if (asksVersion(Deno.args)) {
  const text = versionText(runtime, { json: Deno.args.includes("--json") });
  Deno.stdout.writeSync(new TextEncoder().encode(text));
} else {
  const env = createRealEnvironment();
  const clock = new FastClock(env.clock);
  const begun = clock.monotonic();
  let factor = 1;
  const look = () => {
    const wanted = readFactor();
    if (wanted !== factor) clock.factor = factor = wanted;
    Deno.writeTextFileSync(LIVED_FILE, String(clock.monotonic() - begun));
  };
  look();
  Deno.unrefTimer(setInterval(look, LOOK_MS));
  await endProcess(
    await runCli(Deno.args, {
      env: { ...env, clock },
      terminal: new RealTerminal(),
      runtime,
      commands,
      connect,
      exit: Deno.exit,
    }),
  );
}

function readFactor(): number {
  try {
    return Math.max(1, Number(Deno.readTextFileSync(FACTOR_FILE)) || 1);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return 1;
    throw error;
  }
}
