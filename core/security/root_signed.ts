/** What each document must prove that only the root of a mesh may sign. */

import type { Primitives } from "../crypto/primitives.ts";
import { AuthenticationError } from "../errors.ts";
import { equalBytes, toHex } from "../wire/bytes.ts";

/** The root of which mesh must have signed it. */
export interface Root {
  readonly rootPublicKey: Uint8Array;
  readonly meshId: Uint8Array;
}

/**
 * Throws AuthenticationError "wrong-mesh" or "signature". `what` begins a sentence: "Mesh secrets are".
 */
export function requireRootSigned(
  primitives: Pick<Primitives, "verify">,
  document: {
    readonly what: string;
    readonly meshId: Uint8Array;
    readonly signed: Uint8Array;
    readonly signature: Uint8Array;
  },
  root: Root,
): void {
  const { what, meshId, signed, signature } = document;
  if (!equalBytes(meshId, root.meshId)) {
    throw new AuthenticationError(
      "wrong-mesh",
      `${what} of mesh ${toHex(meshId)}, not of ${toHex(root.meshId)}`,
    );
  }
  if (primitives.verify(root.rootPublicKey, signed, signature)) return;
  throw new AuthenticationError("signature", `${what} not signed by the mesh's root`);
}
