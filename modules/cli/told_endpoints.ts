/** Where a node that starts with its machine tells others to reach it. */

import type { Network } from "../../core/mod.ts";
import { reachableEndpoints } from "../mesh/mod.ts";
import { reachedEndpoints } from "../shared/host_endpoints.ts";
import type { OwnFile } from "./configured_file.ts";

/**
 * At the file's address. A file whose nodes look around may give none: then the host's own addresses
 * come first, for its name may mean nothing to others.
 */
export function toldEndpoints(
  { mesh, host }: OwnFile,
  { bound, network }: {
    readonly bound: readonly string[];
    readonly network: Pick<Network, "addresses">;
  },
): string[] {
  const byFile = reachedEndpoints(host, bound);
  if (!mesh.discover || host.address !== host.name) return byFile;
  return [...new Set([...reachableEndpoints(bound, network), ...byFile])];
}
