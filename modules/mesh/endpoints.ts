/** Where others can dial this node, when nobody has said it: what it listens on, made dialable. */

import { formatEndpoint, type Network, parseEndpoint } from "../../core/mod.ts";

const ANY_ADDRESS = new Set(["0.0.0.0", "::"]);

/** tcp endpoints only; "any address" becomes each address of this host, best first. */
export function reachableEndpoints(
  listening: readonly string[],
  network: Pick<Network, "addresses">,
): string[] {
  const endpoints = listening.flatMap((endpoint) => {
    if (!endpoint.startsWith("tcp:")) return [];
    const address = parseEndpoint(endpoint);
    if (address.transport !== "tcp" || !ANY_ADDRESS.has(address.host)) return [endpoint];
    const hosts = network.addresses().filter((host) =>
      address.host === "::" || !host.includes(":")
    );
    // A host without any network still has itself.
    return (hosts.length > 0 ? hosts : ["127.0.0.1"])
      .map((host) => formatEndpoint({ ...address, host }));
  });
  return [...new Set(endpoints)];
}
