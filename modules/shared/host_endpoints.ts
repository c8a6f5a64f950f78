/** Where a host of the mesh file listens, and where others reach it by what the file says alone. */

import { type Address, formatEndpoint, parseEndpoint } from "../../core/mod.ts";
import type { MeshHost } from "./mesh_file.ts";

type Host = Pick<MeshHost, "address" | "innerAddress" | "listen" | "port">;

const EVERYWHERE = new Set(["0.0.0.0", "::"]);

/** All addresses, unless the file says otherwise. */
export function listenEndpoints(host: Host): string[] {
  return host.listen.length > 0 ? [...host.listen] : [`tcp:[::]:${host.port}`];
}

/** Empty for a host that takes any free port: nobody can know it. */
export function dialEndpoints(host: Host): string[] {
  return reachedEndpoints(
    host,
    listenEndpoints(host).filter((text) => {
      const endpoint = parseEndpoint(text);
      return endpoint.transport === "tcp" && endpoint.port !== 0;
    }),
  );
}

/**
 * Where others reach a host that has bound these: at the file's addresses where it has bound all of
 * its own. First the address that leads there from outside of its segment.
 */
export function reachedEndpoints(host: Host, bound: readonly string[]): string[] {
  const addresses = [host.address, ...host.innerAddress === undefined ? [] : [host.innerAddress]];
  const endpoints = addresses.flatMap((address) =>
    bound.map((text) => {
      const endpoint = parseEndpoint(text);
      return isEverywhere(endpoint) ? formatEndpoint({ ...endpoint, host: address }) : text;
    })
  );
  return [...new Set(endpoints)];
}

/** Whether it stands for all addresses of a machine. */
export function isEverywhere(address: Address): address is Address & { transport: "tcp" } {
  return address.transport === "tcp" && EVERYWHERE.has(address.host);
}
