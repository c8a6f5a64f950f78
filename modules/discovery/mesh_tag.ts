/**
 * What names a mesh on a network: made of its root's key, so that only who knows the mesh can tell
 * which one it is, and no name of a mesh or node is given away.
 */

import { type Primitives, toHex } from "../../core/mod.ts";
import { TAG_BYTES } from "./limits.ts";

const DOMAIN = new TextEncoder().encode("minime-discovery-v1\0");

/** 16 hex digits. */
export function meshTag(
  { sha256 }: Pick<Primitives, "sha256">,
  { meshId }: { readonly meshId: Uint8Array },
): string {
  return toHex(sha256(DOMAIN, meshId).subarray(0, TAG_BYTES));
}
