/** Two mesh files of one mesh as one: that of the home, and the one from which more is booted. */

import type { KnownNode, MeshHome } from "../shared/mesh_home.ts";
import { type MeshFile, parseMeshFile } from "../shared/mesh_file.ts";
import { formatMeshFile } from "../shared/mesh_file_format.ts";

/** The mesh file of the home; undefined when it has none. */
export async function homeMeshFile(home: MeshHome): Promise<MeshFile | undefined> {
  const bytes = await home.load("mesh.toml");
  if (bytes === undefined) return undefined;
  return parseMeshFile(new TextDecoder().decode(bytes), { file: home.path("mesh.toml") });
}

/** Hosts of both; what the later file says of a host counts, of everything else the earlier one. */
export function joinMeshFiles(before: MeshFile, more: MeshFile): MeshFile {
  const names = new Set(more.hosts.map(({ name }) => name));
  const hosts = [...before.hosts.filter(({ name }) => !names.has(name)), ...more.hosts];
  const groupNames = new Set([...before.groups, ...more.groups].map(({ name }) => name));
  const groups = [...groupNames].map((name) => ({
    name,
    members: hosts.filter((host) => host.groups.includes(name)).map((host) => host.name),
  })).filter(({ members }) => members.length > 0);
  return { ...before, hosts, groups };
}

/** The file without those hosts of whom nobody has heard since, and through whom nobody jumps then. */
export function withHosts(mesh: MeshFile, names: ReadonlySet<string>): MeshFile {
  const hosts = mesh.hosts.filter(({ name }) => names.has(name)).map(({ via, ...host }) => {
    const left = via?.filter((name) => names.has(name)) ?? [];
    return left.length === 0 ? host : { ...host, via: left };
  });
  return { ...mesh, hosts };
}

/** Those that come back by themselves, and do not live now. */
export function awayNodes(
  known: readonly KnownNode[],
  living: readonly KnownNode[],
): readonly KnownNode[] {
  const names = new Set(living.map(({ name }) => name));
  return known.filter(({ name, lasting }) => lasting === true && !names.has(name));
}

/** Somebody's own words and comments stay as long as they say the same. */
export async function storeMeshFile(home: MeshHome, mesh: MeshFile): Promise<void> {
  const before = await homeMeshFile(home);
  const text = formatMeshFile(mesh);
  if (before !== undefined && formatMeshFile(before) === text) return;
  await home.store("mesh.toml", text);
}
