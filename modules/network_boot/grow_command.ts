/** `minime grow`: starts hosts that are not up, as nodes of a mesh that lives. */

import { choosePrimitives, ConnectionError, UsageError } from "../../core/mod.ts";
import type { CommandContext, OptionsOf } from "../shared/command.ts";
import { lockHome } from "../shared/home_lock.ts";
import type { growOptions } from "./commands.ts";
import { readHostsFile, selectHosts } from "./hosts_file.ts";
import { awayNodes, homeMeshFile, joinMeshFiles, storeMeshFile } from "./joined_mesh.ts";
import { requireInstallable } from "./lasting.ts";
import { GROW_MS_MAX } from "./limits.ts";
import { prepareKeys } from "../shared/mesh_setup.ts";
import { bootIntoMesh } from "./mesh_boot.ts";
import { livingNodes } from "./verify.ts";

/** Returns the exit code: whether all, some or none are up. */
export async function runGrow(
  context: CommandContext,
  options: OptionsOf<typeof growOptions>,
): Promise<number> {
  const { env } = context;
  const home = await context.home();
  using _lock = await lockHome(context, home);
  const before = await homeMeshFile(home);
  if (before === undefined && options.hosts === undefined) {
    throw new UsageError(`The home of mesh "${home.name}" has no mesh file`, {
      hint: "Name the one with the hosts to add: --hosts more.toml",
    });
  }
  const file = before !== undefined && options.hosts === undefined
    ? before
    : await readHostsFile(context, options);
  if (options.hosts !== undefined && file.name !== home.name && !options.bhost) {
    throw new UsageError(`"${options.hosts}" is of mesh "${file.name}", not of "${home.name}"`, {
      hint: `Name the mesh that is to grow: --mesh ${file.name}`,
    });
  }
  const hosts = await selectHosts(context, file, options);
  requireInstallable(hosts, options);
  using primitives = await choosePrimitives();
  const authority = await prepareKeys(env, primitives, home);
  const looking = { mesh: home.name, timeoutMs: GROW_MS_MAX };
  const { nodes: living, unreachable } = await livingNodes(context, looking);
  if (unreachable !== undefined) {
    throw new ConnectionError("other", `Mesh "${home.name}" does not live: ${unreachable}`);
  }
  const mesh = before === undefined ? file : {
    ...joinMeshFiles(before, file),
    ...(options.hosts === undefined ? {} : { boot: file.boot }),
  };
  await storeMeshFile(home, before === undefined ? mesh : { ...mesh, boot: before.boot });
  const policy = await home.require("policy.signed");
  const away = awayNodes(await home.nodes(), living);
  const setup = { mesh, hosts, home, authority, policy, primitives, living, away };
  return await bootIntoMesh(context, setup, options);
}
