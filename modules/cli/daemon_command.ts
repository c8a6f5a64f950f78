/** `minime daemon`: the daemon itself, as a service manager or boot starts it. */

import { UsageError } from "../../core/mod.ts";
import type { CommandContext } from "../shared/command.ts";
import type { OptionsOf } from "../shared/option.ts";
import type { daemonOptions } from "./daemon_declaration.ts";

/** Returns when the daemon has stopped, or with --detach when it is up. */
export async function runDaemon(
  context: CommandContext,
  options: OptionsOf<typeof daemonOptions>,
): Promise<number> {
  const { config, name, listen, enrol, detach } = options;
  context.env.processes.closeInherited();
  if (config !== undefined) {
    if (enrol || detach || listen.length > 0) {
      throw new UsageError("Options --enrol, --detach and --listen do not go with --config", {
        hint: "Where the daemon listens is said in the mesh file: port or listen",
      });
    }
    const { runConfigured } = await import("./configured_daemon.ts");
    const { keys, tokenFile, log, logLevel, pidFile } = options;
    try {
      return await runConfigured(context, {
        config,
        ...(logLevel === undefined ? {} : { logLevel }),
        ...(name === undefined ? {} : { name }),
        ...(keys === undefined ? {} : { keys }),
        ...(tokenFile === undefined ? {} : { tokenFile }),
        ...(log === undefined ? {} : { log }),
        ...(pidFile === undefined ? {} : { pidFile }),
      });
    } catch (error) {
      const { tellFailure } = await import("./supervision.ts");
      tellFailure(context.env.processes, error);
      throw error;
    }
  }
  if (!enrol) {
    throw new UsageError(
      "A daemon needs keys: --config names its mesh file, beside which they lie",
      {
        hint: 'On hosts that are reached by ssh it is started by "minime boot --hosts FILE"',
      },
    );
  }
  const mesh = context.meshName;
  if (mesh === undefined || name === undefined || listen.length === 0) {
    throw new UsageError(
      "A daemon that enrols needs --mesh NAME, --name NAME and --listen ENDPOINT",
    );
  }
  // Who only relays between a login and the daemon needs nothing of a daemon.
  const run = detach
    ? (await import("./detach.ts")).relayDetached
    : (await import("./enrolled_daemon.ts")).runEnrolled;
  return await run(context, { mesh, name, listen });
}
