/** Where a host of the mesh file listens, and where others reach it by what the file says alone. */

import { type Address, formatEndpoint, parseEndpoint } from "../../core/mod.ts";
import type { MeshHost } from "./mesh_file.ts";

type Host = Pick<MeshHost, "address" | "listen" | "port">;

const EVERYWHERE = new Set(["0.0.0.0", "::"]);

/** All addresses, unless the file says otherwise. */
export function listenEndpoints(host: Host): string[] {
  return host.listen.length > 0 ? [...host.listen] : [`tcp:[::]:${host.port}`];
}

/** Empty for a host that takes any free port: nobody can know it. */
export function dialEndpoints(host: Host): string[] {
  return listenEndpoints(host).flatMap((text) => {
    const endpoint = parseEndpoint(text);
    if (endpoint.transport !== "tcp" || endpoint.port === 0) return [];
    return [
      formatEndpoint(isEverywhere(endpoint) ? { ...endpoint, host: host.address } : endpoint),
    ];
  });
}

/** Whether it stands for all addresses of a machine. */
export function isEverywhere(address: Address): address is Address & { transport: "tcp" } {
  return address.transport === "tcp" && EVERYWHERE.has(address.host);
}
