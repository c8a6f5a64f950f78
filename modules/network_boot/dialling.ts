/**
 * Who can dial whom in a mesh of segments, and where: nodes of one segment each other, gateways also
 * those of other segments. A gateway may have one address for its segment and one for the others.
 */

import { parseEndpoint } from "../../core/mod.ts";
import type { KnownNode } from "../shared/mesh_home.ts";
import { GATEWAY_GROUP } from "../shared/mesh_view.ts";

type Dialling = Pick<KnownNode, "segment" | "groups">;

export function canDial(from: Dialling, to: Dialling): boolean {
  if (isSameSegment(from, to)) return true;
  return from.groups.includes(GATEWAY_GROUP) && to.groups.includes(GATEWAY_GROUP);
}

/** All endpoints of `to`, best first for `from`. `inner` is the address of `to` for its own segment. */
export function endpointsFor(
  from: Dialling,
  to: Dialling & Pick<KnownNode, "endpoints">,
  inner: string | undefined,
): string[] {
  const isInner = (endpoint: string) => {
    const address = parseEndpoint(endpoint);
    return address.transport === "tcp" && address.host === inner;
  };
  const inside = to.endpoints.filter(isInner);
  const outside = to.endpoints.filter((endpoint) => !isInner(endpoint));
  return isSameSegment(from, to) ? [...inside, ...outside] : [...outside, ...inside];
}

/** Nodes of which no segment is known are of the one that a mesh file has by default. */
function isSameSegment(a: Dialling, b: Dialling): boolean {
  return (a.segment ?? "default") === (b.segment ?? "default");
}
