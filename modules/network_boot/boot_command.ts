/** `minime boot`: from a mesh file to a living mesh, or to more of one. */

import { choosePrimitives, type Primitives } from "../../core/mod.ts";
import type { Authority } from "../shared/authority.ts";
import type { CommandContext, OptionsOf } from "../shared/command.ts";
import { lockHome } from "../shared/home_lock.ts";
import type { MeshFile } from "../shared/mesh_file.ts";
import type { MeshHome } from "../shared/mesh_home.ts";
import { prepareKeys, preparePolicy } from "../shared/mesh_setup.ts";
import type { bootOptions } from "./commands.ts";
import { readHostsFile, selectHosts } from "./hosts_file.ts";
import { awayNodes, homeMeshFile, joinMeshFiles, storeMeshFile, withHosts } from "./joined_mesh.ts";
import { requireInstallable } from "./lasting.ts";
import { LOOK_MS_MAX } from "./limits.ts";
import { bootIntoMesh } from "./mesh_boot.ts";
import { livingNodes } from "./verify.ts";

/** Returns the exit code: whether all, some or none are up. */
export async function runBoot(
  context: CommandContext,
  options: OptionsOf<typeof bootOptions>,
): Promise<number> {
  const file = await readHostsFile(context, options);
  const hosts = await selectHosts(context, file, options);
  requireInstallable(hosts, options);
  using primitives = await choosePrimitives();
  const home = await context.homes.create(file.name);
  using _lock = await lockHome(context, home);
  const authority = await prepareKeys(context.env, primitives, home);
  const known = await home.nodes();
  const living = known.length === 0
    ? []
    : (await livingNodes(context, { mesh: file.name, timeoutMs: LOOK_MS_MAX })).nodes;
  const away = awayNodes(known, living);
  const others = await othersOf(home, file, [...living, ...away].map(({ name }) => name));
  const policy = others !== undefined && Object.keys(file.policy).length === 0
    ? await home.require("policy.signed")
    : await policyOf(context, { home, authority, primitives, mesh: file });
  const mesh = others === undefined ? file : {
    ...joinMeshFiles(others, file),
    boot: file.boot,
    ...(Object.keys(file.policy).length === 0 ? {} : { policy: file.policy }),
  };
  await storeMeshFile(home, mesh);
  const setup = { mesh, hosts, home, authority, policy, primitives, living, away };
  return await bootIntoMesh(context, setup, options);
}

/** What the home's file says of the mesh that is there already, beside the hosts of this one. */
async function othersOf(
  home: MeshHome,
  file: MeshFile,
  there: readonly string[],
): Promise<MeshFile | undefined> {
  const own = new Set(file.hosts.map(({ name }) => name));
  const strangers = there.filter((name) => !own.has(name));
  const before = await homeMeshFile(home);
  if (strangers.length === 0 || before === undefined) return undefined;
  return withHosts(before, new Set(strangers));
}

/** Where the root key was taken away the policy stays as it was signed, unless the file has another. */
async function policyOf(
  context: CommandContext,
  parts: {
    readonly home: MeshHome;
    readonly authority: Authority;
    readonly primitives: Primitives;
    readonly mesh: MeshFile;
  },
): Promise<Uint8Array> {
  const { home, authority, primitives, mesh } = parts;
  const isGiven = Object.keys(mesh.policy).length > 0;
  const kept = await home.load("policy.signed");
  if (!isGiven && authority.rootSeed === undefined && kept !== undefined) return kept;
  return await preparePolicy(context.env, primitives, { home, authority, mesh });
}
