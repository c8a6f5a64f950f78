/**
 * Who can dial whom in a mesh of segments, and where: nodes of one segment each other, gateways also
 * those of other segments. A gateway may have one address for its segment and one for the others.
 */

import { parseEndpoint } from "../../core/mod.ts";
import type { KnownNode } from "../shared/mesh_home.ts";
import { isGateway } from "../shared/mesh_view.ts";

/** As much of a node as matters for who dials it. */
export interface Place {
  readonly segment: string;
  readonly gateway: boolean;
}

/** Of a node as this machine knows it. */
export function placeOf(node: KnownNode): Place {
  // A list of an earlier version knows no segments; a mesh file without any means this one.
  return { segment: node.segment ?? "default", gateway: isGateway(node) };
}

/** Whether the mesh has a link between two such nodes, for one of them to open. */
export function canDial(from: Place, to: Place): boolean {
  return (from.gateway && to.gateway) || isSameSegment(from, to);
}

/** All endpoints of `to`, best first for `from`. `inner` is the address of `to` for its own segment. */
export function endpointsFor(
  from: Place,
  to: KnownNode,
  inner: string | undefined,
): string[] {
  const isInner = (endpoint: string) => {
    const address = parseEndpoint(endpoint);
    return address.transport === "tcp" && address.host === inner;
  };
  const inside = to.endpoints.filter(isInner);
  const outside = to.endpoints.filter((endpoint) => !isInner(endpoint));
  const isInside = isSameSegment(from, placeOf(to));
  return isInside ? [...inside, ...outside] : [...outside, ...inside];
}

function isSameSegment(a: Place, b: Place): boolean {
  return a.segment === b.segment;
}
