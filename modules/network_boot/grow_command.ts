/** `minime grow`: starts hosts that are not up, as nodes of a mesh that lives. */

import { choosePrimitives, ConnectionError, UsageError } from "../../core/mod.ts";
import type { CommandContext, OptionsOf } from "../shared/command.ts";
import { lockHome } from "../shared/home_lock.ts";
import { type MeshFile, parseMeshFile } from "../shared/mesh_file.ts";
import { formatMeshFile } from "../shared/mesh_file_format.ts";
import type { MeshHome } from "../shared/mesh_home.ts";
import type { growOptions } from "./commands.ts";
import { readHostsFile, selectHosts } from "./hosts_file.ts";
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
  const booted = await bootedMesh(home);
  const mesh = options.hosts === undefined ? booted : await readHostsFile(context, options);
  if (options.hosts !== undefined && mesh.name !== home.name && !options.bhost) {
    throw new UsageError(`"${options.hosts}" is of mesh "${mesh.name}", not of "${home.name}"`, {
      hint: `Name the mesh that is to grow: --mesh ${mesh.name}`,
    });
  }
  const hosts = await selectHosts(context, mesh, options);
  using primitives = await choosePrimitives();
  const authority = await prepareKeys(env, primitives, home);
  const looking = { mesh: home.name, timeoutMs: GROW_MS_MAX };
  const { nodes: living, unreachable } = await livingNodes(context, looking);
  if (unreachable !== undefined) {
    throw new ConnectionError("other", `Mesh "${home.name}" does not live: ${unreachable}`);
  }
  await home.store("mesh.toml", formatMeshFile(joined(booted, mesh)));
  const policy = await home.require("policy.signed");
  const setup = { mesh, hosts, home, authority, policy, primitives, living };
  return await bootIntoMesh(context, setup, options);
}

/** The mesh as it was booted, and grown since. */
async function bootedMesh(home: MeshHome): Promise<MeshFile> {
  const text = new TextDecoder().decode(await home.require("mesh.toml"));
  return parseMeshFile(text, { file: home.path("mesh.toml") });
}

/** Hosts of both; what the later file says of a host counts. */
function joined(booted: MeshFile, grown: MeshFile): MeshFile {
  const names = new Set(grown.hosts.map(({ name }) => name));
  const hosts = [...booted.hosts.filter(({ name }) => !names.has(name)), ...grown.hosts];
  const groupNames = new Set([...booted.groups, ...grown.groups].map(({ name }) => name));
  const groups = [...groupNames].map((name) => ({
    name,
    members: hosts.filter((host) => host.groups.includes(name)).map((host) => host.name),
  }));
  return { ...booted, hosts, groups };
}
