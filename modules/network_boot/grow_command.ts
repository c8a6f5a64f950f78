/** `minime grow`: starts hosts that are not up, as nodes of a mesh that lives. */

import { choosePrimitives, MinimeError, UsageError } from "../../core/mod.ts";
import type { CommandContext, OptionsOf } from "../shared/command.ts";
import { EXIT } from "../shared/exit_code.ts";
import { type MeshFile, parseMeshFile } from "../shared/mesh_file.ts";
import { formatMeshFile } from "../shared/mesh_file_format.ts";
import type { KnownNode, MeshHome } from "../shared/mesh_home.ts";
import { foldNodeset } from "../shared/nodeset.ts";
import type { growOptions } from "./commands.ts";
import { readHostsFile, selectHosts } from "./hosts_file.ts";
import { prepareKeys } from "./mesh_setup.ts";
import { bootIntoMesh } from "./mesh_boot.ts";
import { sightNodes } from "./verify.ts";

/** Returns the exit code: whether all, some or none are up. */
export async function runGrow(
  context: CommandContext,
  options: OptionsOf<typeof growOptions>,
): Promise<number> {
  const { env, out } = context;
  const home = await context.home();
  const booted = await bootedMesh(home);
  const mesh = options.hosts === undefined ? booted : await readHostsFile(context, options);
  if (options.hosts !== undefined && mesh.name !== home.name && !options.bhost) {
    throw new UsageError(`"${options.hosts}" is of mesh "${mesh.name}", not of "${home.name}"`, {
      hint: `Name the mesh that is to grow: --mesh ${mesh.name}`,
    });
  }
  const wanted = await selectHosts(context, mesh, options);
  using primitives = await choosePrimitives();
  const authority = await prepareKeys(env, primitives, home);
  const { seen, unreachable } = await sightNodes(context, {
    mesh: home.name,
    names: [],
    timeoutMs,
  });
  if (unreachable !== undefined) {
    throw new MinimeError(`Mesh "${home.name}" does not live: ${unreachable}`);
  }
  const living: KnownNode[] = [...seen.values()].map(({ name, keyId, endpoints, groups }) => ({
    name,
    keyId,
    endpoints: [...endpoints],
    groups: [...groups],
    seen: Math.floor(env.clock.now()),
  }));
  const hosts = wanted.filter(({ name }) => !seen.has(name));
  const up = wanted.filter(({ name }) => seen.has(name)).map(({ name }) => name);
  if (up.length > 0) out.note(`Up already: ${foldNodeset(up)}`);
  await home.store("mesh.toml", formatMeshFile(joined(booted, mesh)));
  if (hosts.length === 0) {
    if (options.json) out.json({ mesh: home.name, up: [], failed: [] });
    return EXIT.ok;
  }
  const policy = await home.require("policy.signed");
  const setup = { mesh, hosts, home, authority, policy, primitives, living };
  return await bootIntoMesh(context, setup, options);
}

/** How long the living mesh may take to answer. */
const timeoutMs = 10_000;

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
