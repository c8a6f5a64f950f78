/**
 * The program. Asking for the version must cost no more than starting the runtime, so everything
 * else is imported only after that.
 */

import { asksVersion, type Runtime, versionText } from "./modules/cli/version.ts";

const runtime: Runtime = {
  deno: Deno.version.deno,
  v8: Deno.version.v8,
  target: Deno.build.target,
  compiled: Deno.build.standalone,
};

if (asksVersion(Deno.args)) {
  const text = versionText(runtime, { json: Deno.args.includes("--json") });
  Deno.stdout.writeSync(new TextEncoder().encode(text));
} else {
  const [{ runCli }, { commands }, { createRealEnvironment }, { RealTerminal }, { endProcess }] =
    await Promise.all([
      import("./modules/cli/run_cli.ts"),
      import("./modules/commands.ts"),
      import("./core/environment/real.ts"),
      import("./core/environment/real_terminal.ts"),
      import("./core/environment/real_exit.ts"),
    ]);
  // Not at the end of the event loop: what a command left running must not keep the program alive.
  await endProcess(
    await runCli(Deno.args, {
      env: createRealEnvironment(),
      terminal: new RealTerminal(),
      runtime,
      commands,
      connect: async (needs, options) =>
        await (await import("./modules/cli/connect.ts")).connect(needs, options),
      exit: Deno.exit,
    }),
  );
}
