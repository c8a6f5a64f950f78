/** What time does to a registrar: its issuer has ended, a year before anybody would wait for it. */

import { meshIdOf, signCertificate } from "../../core/mod.ts";
import { publicKeysOf } from "../../modules/shared/authority.ts";
import { INSTALLED_NODE_MS } from "../../modules/shared/limits.ts";
import { testPrimitives } from "./mesh_keys.ts";

/** The certificate of that issuer, for the key that it has, by the root key of the mesh. */
export async function endedIssuer(
  { name, key, rootSeed }: {
    readonly name: string;
    readonly key: Uint8Array;
    readonly rootSeed: Uint8Array;
  },
): Promise<Uint8Array> {
  const primitives = await testPrimitives();
  const now = Date.now();
  const { bytes } = signCertificate(primitives, {
    issuerSeed: rootSeed,
    fields: {
      type: "issuer",
      serial: 1n,
      meshId: meshIdOf(primitives, primitives.signPublicKey(rootSeed)),
      name,
      ...publicKeysOf(primitives, key),
      notBefore: now - 100_000,
      notAfter: now - 1_000,
      groups: [],
      constraint: {
        types: ["node"],
        namePatterns: ["*"],
        groups: [],
        longestValidityMs: INSTALLED_NODE_MS,
      },
    },
  });
  return bytes;
}
