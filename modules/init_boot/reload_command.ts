/** `minime reload`: the daemon of this machine reads its mesh file again. */

import * as v from "valibot";
import { ConnectionError } from "../../core/mod.ts";
import type { CommandContext, OptionsOf } from "../shared/command.ts";
import { onlyDaemon } from "../shared/local_daemon.ts";
import { foldNodeset } from "../shared/nodeset.ts";
import type { reloadOptions } from "./commands.ts";
import { ReloadedSchema } from "./reloaded.ts";

/** By the daemon's own unix socket: its files are its machine's business. */
export async function runReload(
  context: CommandContext,
  { name, json }: OptionsOf<typeof reloadOptions>,
): Promise<void> {
  const { env, out } = context;
  const daemon = await onlyDaemon(context, name);
  if (!("calls" in daemon)) {
    const { pid, name: node, what } = daemon;
    if (!env.processes.signal(pid, "SIGHUP")) {
      const text = `The daemon "${node}" of this machine has just ended: nothing was read`;
      throw new ConnectionError("other", text);
    }
    if (json) return out.json({ node, waiting: what });
    out.print(`"${node}" reads its mesh file again, and asks at once. ${what}`);
    // It answers nobody, and only it knows where its file lies.
    return out.note("Its log says whether it could use the file");
  }
  const { calls, name: node } = daemon;
  try {
    const reply = v.parse(ReloadedSchema, await calls.request("init_boot.reload", {}));
    if (json) return out.json({ node, ...reply });
    const hosts = (["added", "removed", "moved"] as const)
      .flatMap((what) => reply[what].length === 0 ? [] : [`${foldNodeset(reply[what])} ${what}`]);
    const parts = [...hosts, ...reply.changed];
    out.print(`"${node}" has read its mesh file: ${parts.join(", ") || "nothing has changed"}`);
    for (const text of reply.later) out.warn(text);
  } finally {
    await calls.close("client is done");
  }
}
