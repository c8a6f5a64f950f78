/** `minime daemon`: the daemon itself, as boot starts it on a host. */

import { UsageError } from "../../core/mod.ts";
import type { CommandContext } from "../shared/command.ts";
import type { OptionsOf } from "../shared/option.ts";
import type { daemonOptions } from "./daemon_declaration.ts";

export async function runDaemon(
  context: CommandContext,
  options: OptionsOf<typeof daemonOptions>,
): Promise<number> {
  const { node, listen, enrol, detach } = options;
  const mesh = context.meshName;
  if (!enrol) {
    throw new UsageError("A daemon needs keys: --enrol takes them from whoever boots it", {
      hint: 'It is started by "minime boot --hosts FILE"',
    });
  }
  if (mesh === undefined || node === undefined || listen.length === 0) {
    throw new UsageError(
      "A daemon that enrols needs --mesh NAME, --node NAME and --listen ENDPOINT",
    );
  }
  // Who only relays between a login and the daemon needs nothing of a daemon.
  const run = detach
    ? (await import("./detach.ts")).relayDetached
    : (await import("./enrolled_daemon.ts")).runEnrolled;
  return await run(context, { mesh, node, listen });
}
