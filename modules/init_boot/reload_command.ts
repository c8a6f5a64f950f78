/** `minime reload`: the daemon of this machine reads its mesh file again. */

import * as v from "valibot";
import { ConnectionError, UsageError } from "../../core/mod.ts";
import type { CommandContext, OptionsOf } from "../shared/command.ts";
import { type LocalDaemon, localDaemons, localMeshes } from "../shared/local_daemon.ts";
import { foldNodeset } from "../shared/nodeset.ts";
import type { reloadOptions } from "./commands.ts";
import { ReloadedSchema } from "./reloaded.ts";

/** By the daemon's own unix socket: its files are its machine's business. */
export async function runReload(
  context: CommandContext,
  { name, json }: OptionsOf<typeof reloadOptions>,
): Promise<void> {
  const { out } = context;
  const { calls, name: node } = await onlyDaemon(context, name);
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

async function onlyDaemon(
  context: CommandContext,
  node: string | undefined,
): Promise<LocalDaemon> {
  const { env, meshName } = context;
  const meshes = meshName === undefined ? await localMeshes(env) : [meshName];
  const found: (LocalDaemon & { readonly mesh: string })[] = [];
  for (const mesh of meshes) {
    for await (const daemon of localDaemons(context, { mesh, node })) {
      found.push({ ...daemon, mesh });
    }
  }
  const [first] = found;
  if (first !== undefined && found.length === 1) return first;
  for (const { calls } of found) void calls.close("client is done");
  if (first === undefined) {
    const what = node === undefined ? "No daemon" : `No daemon "${node}"`;
    throw new ConnectionError("other", `${what} that is yours answers on this machine`);
  }
  const names = found.map(({ name, mesh }) => `${name} of mesh "${mesh}"`).join(", ");
  throw new UsageError(`Several daemons run on this machine: ${names}`, {
    hint: `Say which: --name ${first.name}, --mesh ${first.mesh}`,
  });
}
