/**
 * The living mesh as a mesh file. What a mesh does not know of itself (users, ports of ssh, launchers,
 * policy) comes from the file that booted it, which lies in the home; what it knows better, who is
 * there, in which groups and at which ports, comes from the mesh: so a daemon that starts with its
 * machine finds the others by this file.
 */

import { errorText, MinimeError, parseEndpoint } from "../../core/mod.ts";
import type { CommandContext } from "../shared/command.ts";
import { BOOT_DEFAULTS, type MeshFile, type MeshHost, parseMeshFile } from "../shared/mesh_file.ts";
import { formatMeshFile } from "../shared/mesh_file_format.ts";
import { GATEWAY_GROUP, isGateway, type NodeView } from "../shared/mesh_view.ts";
import { compareNames } from "../shared/names.ts";

/** Text that `minime boot --hosts` and `minime daemon --config` read. Nodes that left are not in it. */
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
  const hosts = withPorts([...present.values()].map((host) => withoutLost(host, present)), nodes)
    .sort((a, b) => compareNames(a.name, b.name));
  for (const host of hosts) {
    for (const group of host.groups) members.set(group, [...members.get(group) ?? [], host.name]);
  }
  return {
    name,
    discover: booted?.discover ?? false,
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
  const address = tcpAddress(node);
  return {
    name,
    groups,
    segment,
    address: address?.host ?? name,
    port: address?.port ?? 0,
    gateway,
    listen: [],
    launcher: "ssh",
    schedule: true,
  };
}

/**
 * Any free port is by now a certain one. Of several that had it, one after the other, who lives has
 * it; no file has an address and port twice.
 */
function withPorts(hosts: readonly MeshHost[], nodes: readonly NodeView[]): MeshHost[] {
  const views = new Map(
    nodes.toSorted((a, b) => Number(a.state === "up") - Number(b.state === "up"))
      .map((node) => [node.name, node]),
  );
  const placeOf = ({ address, port }: Pick<MeshHost, "address" | "port">) => `${address} ${port}`;
  const taken = new Set(hosts.filter(({ port }) => port !== 0).map(placeOf));
  const isUp = ({ name }: MeshHost) => views.get(name)?.state === "up";
  const livingFirst = hosts.toSorted((a, b) => Number(isUp(b)) - Number(isUp(a)));
  return livingFirst.map((host) => {
    const view = views.get(host.name);
    if (host.port !== 0 || host.listen.length > 0 || view === undefined) return host;
    const port = tcpAddress(view)?.port ?? 0;
    const place = placeOf({ address: host.address, port });
    if (taken.has(place)) return host;
    taken.add(place);
    return { ...host, port };
  });
}

function tcpAddress(node: NodeView): { readonly host: string; readonly port: number } | undefined {
  return node.endpoints.map((endpoint) => parseEndpoint(endpoint))
    .find((endpoint) => endpoint.transport === "tcp");
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
