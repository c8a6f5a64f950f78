/**
 * The living mesh as a mesh file. What a mesh does not know of itself (users, ports of ssh, launchers,
 * policy) comes from the file that booted it, which lies in the home; what it knows better, who is
 * there and in which groups, comes from the mesh.
 */

import { errorText, MinimeError, parseEndpoint } from "../../core/mod.ts";
import type { CommandContext } from "../shared/command.ts";
import { BOOT_DEFAULTS, type MeshFile, type MeshHost, parseMeshFile } from "../shared/mesh_file.ts";
import { formatMeshFile } from "../shared/mesh_file_format.ts";
import { GATEWAY_GROUP, isGateway, type NodeView } from "../shared/mesh_view.ts";
import { compareNames } from "../shared/names.ts";

/** Text that `minime boot --hosts` reads. Nodes that left are not in it. */
export async function meshFileOf(
  context: CommandContext,
  nodes: readonly NodeView[],
): Promise<string> {
  const home = await context.home();
  return formatMeshFile(combineMesh(home.name, nodes, await bootedFile(context)));
}

/** Pure. `booted` is the file of the last boot, if there is one. */
export function combineMesh(
  name: string,
  nodes: readonly NodeView[],
  booted: MeshFile | undefined,
): MeshFile {
  const known = new Map(booted?.hosts.map((host) => [host.name, host]));
  const present = new Map<string, MeshHost>();
  const members = new Map<string, string[]>();
  for (const node of nodes) {
    if (node.state === "left") continue;
    // Of two nodes with one name the living one counts.
    if (present.has(node.name) && node.state !== "up") continue;
    present.set(node.name, hostOf(node, known.get(node.name)));
  }
  const hosts = [...present.values()].map((host) => withoutLost(host, present))
    .sort((a, b) => compareNames(a.name, b.name));
  for (const host of hosts) {
    for (const group of host.groups) members.set(group, [...members.get(group) ?? [], host.name]);
  }
  return {
    name,
    hosts,
    groups: [...members].map(([group, names]) => ({ name: group, members: names }))
      .sort((a, b) => compareNames(a.name, b.name)),
    boot: booted?.boot ?? BOOT_DEFAULTS,
    policy: booted?.policy ?? {},
    ...(booted?.hooks === undefined ? {} : { hooks: booted.hooks }),
  };
}

function hostOf(node: NodeView, booted: MeshHost | undefined): MeshHost {
  const { name, segment } = node;
  const gateway = isGateway(node);
  const groups = node.groups.filter((group) => group !== GATEWAY_GROUP).sort(compareNames);
  if (booted !== undefined) return { ...booted, groups, segment, gateway };
  const address = node.endpoints.map((endpoint) => parseEndpoint(endpoint))
    .find(({ transport }) => transport === "tcp");
  return {
    name,
    groups,
    segment,
    address: address?.transport === "tcp" ? address.host : name,
    port: address?.transport === "tcp" ? address.port : 0,
    gateway,
    listen: [],
    launcher: "ssh",
    schedule: true,
  };
}

/** Nobody can jump through a host that is not in the file. */
function withoutLost({ via, ...host }: MeshHost, present: ReadonlyMap<string, MeshHost>): MeshHost {
  const left = via?.filter((name) => present.has(name)) ?? [];
  return left.length === 0 ? host : { ...host, via: left };
}

async function bootedFile(context: CommandContext): Promise<MeshFile | undefined> {
  const home = await context.home();
  const bytes = await home.load("mesh.toml");
  if (bytes === undefined) return undefined;
  try {
    return parseMeshFile(new TextDecoder().decode(bytes), { file: home.path("mesh.toml") });
  } catch (error) {
    if (!(error instanceof MinimeError)) throw error;
    context.out.warn(`Users and ports are left out: ${errorText(error)}`);
    return undefined;
  }
}
