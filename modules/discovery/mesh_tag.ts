/**
 * What names a mesh on a network: made of its root's key, so that only who knows the mesh can tell
 * which one it is, and no name of a mesh or node is given away. A segment has a name of its own, and so
 * have the gateways together: who may not be linked with us is not heard at all.
 */

import { type Primitives, toHex } from "../../core/mod.ts";
import { TAG_BYTES } from "./limits.ts";

const DOMAIN = new TextEncoder().encode("minime-discovery-v1\0");
/** The mesh file's, where it says nothing of segments; alone with the id of the mesh. */
const SEGMENT_DEFAULT = "default";

/** Whom a node may link with. */
export interface Circle {
  readonly segment: string;
  /** By its certificate. */
  readonly gateway: boolean;
}

/** Each 16 hex digits: that of the segment, and for a gateway that of all gateways. */
export function meshTags(
  { sha256 }: Pick<Primitives, "sha256">,
  { meshId, circle: { segment, gateway } }: {
    readonly meshId: Uint8Array;
    readonly circle: Circle;
  },
): string[] {
  const tag = (whose: string) => {
    const bytes = new TextEncoder().encode(whose);
    return toHex(sha256(DOMAIN, meshId, bytes).subarray(0, TAG_BYTES));
  };
  const own = tag(segment === SEGMENT_DEFAULT ? "" : `segment\0${segment}`);
  return gateway ? [own, tag("gateways\0")] : [own];
}
