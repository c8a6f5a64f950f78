/**
 * What the tests of signed documents share: a mesh with a root and issuers whose keys come from
 * numbers, and a source of mutated bytes that a seed replays.
 */
import { choosePrimitives } from "../../../core/crypto/choose_primitives.ts";
import {
  type Certificate,
  type CertificateFields,
  signCertificate,
} from "../../../core/security/certificate.ts";
import { meshIdOf } from "../../../core/security/chain.ts";
import { NO_REVOCATIONS } from "../../../core/security/revocation.ts";

export const primitives = await choosePrimitives();

/** A day in 2025. */
export const NOW = 1_750_000_000_000;
export const DAY_MS = 86_400_000;

/** 32 bytes that depend on a number only. */
export function seed(number: number): Uint8Array<ArrayBuffer> {
  return primitives.sha256(new TextEncoder().encode(`seed ${number}`));
}

export const ROOT_SEED = seed(0);
export const ROOT = primitives.signPublicKey(ROOT_SEED);
export const MESH_ID = meshIdOf(primitives, ROOT);

/** What every verifier is told about this mesh. */
export const MESH = {
  rootPublicKey: ROOT,
  meshId: MESH_ID,
  now: NOW,
  revocations: NO_REVOCATIONS,
};

/** A certificate for the key pair made of `key`; by the root unless an issuer's seed is given. */
export function certify(
  key: number,
  fields: Partial<CertificateFields> & { readonly issuerSeed?: Uint8Array } = {},
): Certificate {
  const { issuerSeed = ROOT_SEED, ...rest } = fields;
  return signCertificate(primitives, {
    issuerSeed,
    fields: {
      type: "node",
      serial: BigInt(key),
      meshId: MESH_ID,
      name: `n${key}`,
      signPublicKey: primitives.signPublicKey(seed(key)),
      dhPublicKey: primitives.dhPublicKey(seed(key)),
      notBefore: NOW - DAY_MS,
      notAfter: NOW + 30 * DAY_MS,
      groups: ["compute"],
      ...rest,
    },
  });
}

/** An issuer for nodes and users whose names begin with n or u, in compute and users, up to 90 days. */
export function certifyIssuer(key: number, fields: Partial<CertificateFields> = {}): Certificate {
  return certify(key, {
    type: "issuer",
    name: `registrar${key}`,
    groups: [],
    constraint: {
      types: ["node", "user"],
      namePatterns: ["n*", "u*"],
      groups: ["compute", "users"],
      longestValidityMs: 90 * DAY_MS,
    },
    ...fields,
  });
}

/** Numbers that a seed replays (mulberry32): 0 up to, not including, `below`. */
export function numbers(from: number): (below: number) => number {
  let state = from;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return (((mixed ^ (mixed >>> 14)) >>> 0) % below);
  };
}

/** A copy with one to three random changes, which together really change something. */
export function mutate(bytes: Uint8Array, next: (below: number) => number): Uint8Array {
  for (;;) {
    let mutant = bytes.slice();
    for (let count = 1 + next(3); count > 0; count--) mutant = change(mutant, next);
    if (mutant.length !== bytes.length || mutant.some((byte, at) => byte !== bytes[at])) {
      return mutant;
    }
  }
}

function change(bytes: Uint8Array<ArrayBuffer>, next: (below: number) => number) {
  const at = next(bytes.length + 1);
  switch (next(7)) {
    case 0:
      return bytes.slice(0, at);
    case 1:
      return Uint8Array.from([...bytes.slice(0, at), next(256), ...bytes.slice(at)]);
    case 2:
      return Uint8Array.from([...bytes.slice(0, at), ...bytes.slice(at + 1 + next(8))]);
    case 3:
      return Uint8Array.from([...bytes, ...bytes.slice(at)]);
    case 4:
      bytes.fill(next(2) * 255, at, at + 1 + next(32));
      return bytes;
    default:
      if (at < bytes.length) bytes[at] = bytes[at]! ^ (1 << next(8));
      return bytes;
  }
}
