/**
 * What a daemon or a client believes in (the mesh's root, its PSK, revocations) and who it is
 * itself. Both are values made at start; trust can be replaced as a whole when documents change.
 */

import type { Identity } from "./chain.ts";
import type { DhKeyPair } from "../crypto/noise.ts";
import type { Policy } from "./policy.ts";
import type { SignedPolicy } from "./policy_document.ts";
import type { MeshSecrets } from "./mesh_secrets.ts";
import type { RevocationList, Revocations } from "./revocation.ts";
import type { VerifiedCertificates } from "./verified_certificates.ts";

export interface MeshSecret {
  /** 8 bytes that name the PSK in the preamble. */
  readonly id: Uint8Array;
  readonly psk: Uint8Array;
}

export interface Trust {
  /** 16 bytes. */
  readonly meshId: Uint8Array;
  readonly rootPublicKey: Uint8Array;
  /** Before any document named others; see secretsAt of mesh_secrets.ts. */
  readonly secrets: readonly MeshSecret[];
  readonly revocations: Revocations;
  readonly revocationVersion: number;
  readonly policy: Policy;
  readonly policyVersion: number;
  /** The documents behind both, where they are known: to be passed on. */
  readonly policyDocument?: SignedPolicy;
  readonly revocationList?: RevocationList;
  readonly secretsDocument?: MeshSecrets;
  /** Curve operations saved, for certificates seen before. */
  readonly verified: VerifiedCertificates;
}

/** Our own name and keys. */
export interface Self {
  readonly identity: Identity;
  /** Ed25519. */
  readonly signSeed: Uint8Array;
  /** X25519. */
  readonly dh: DhKeyPair;
  /** 16 random bytes per process start. */
  readonly instance: Uint8Array;
}
