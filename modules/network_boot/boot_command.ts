/** `minime boot`: from a mesh file to a living mesh. */

import { choosePrimitives } from "../../core/mod.ts";
import type { CommandContext, OptionsOf } from "../shared/command.ts";
import { lockHome } from "../shared/home_lock.ts";
import { formatMeshFile } from "../shared/mesh_file_format.ts";
import type { bootOptions } from "./commands.ts";
import { readHostsFile, selectHosts } from "./hosts_file.ts";
import { LOOK_MS_MAX } from "./limits.ts";
import { prepareKeys, preparePolicy } from "../shared/mesh_setup.ts";
import { bootIntoMesh } from "./mesh_boot.ts";
import { livingNodes } from "./verify.ts";

/** Returns the exit code: whether all, some or none are up. */
export async function runBoot(
  context: CommandContext,
  options: OptionsOf<typeof bootOptions>,
): Promise<number> {
  const mesh = await readHostsFile(context, options);
  const hosts = await selectHosts(context, mesh, options);
  const { env } = context;
  using primitives = await choosePrimitives();
  const home = await context.homes.create(mesh.name);
  using _lock = await lockHome(context, home);
  const authority = await prepareKeys(env, primitives, home);
  const policy = await preparePolicy(env, primitives, { home, authority, mesh });
  await home.store("mesh.toml", formatMeshFile(mesh));
  const isNew = (await home.nodes()).length === 0;
  const living = isNew
    ? []
    : (await livingNodes(context, { mesh: mesh.name, timeoutMs: LOOK_MS_MAX })).nodes;
  const setup = { mesh, hosts, home, authority, policy, primitives, living };
  return await bootIntoMesh(context, setup, options);
}
