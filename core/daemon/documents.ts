/**
 * The signed documents that a daemon believes in, as they came: policy, revocation list, and the
 * mesh's PSKs once they were changed. Each
 * replaces an older one as a whole; two halves of a partition agree afterwards, because the order of
 * documents is total. Who brings a document does not matter: its signature does.
 */

import type { Primitives } from "../crypto/primitives.ts";
import { CLOCK_SKEW_MS_MAX } from "../limits.ts";
import { verifyMeshSecrets } from "../security/mesh_secrets.ts";
import { verifyPolicy } from "../security/policy_document.ts";
import { type DocumentOrder, isNewer, verifyRevocations } from "../security/revocation.ts";
import type { Trust } from "../security/trust.ts";
import { equalBytes } from "../wire/bytes.ts";

export type DocumentKind = "policy" | "revocations" | "secrets";
export const DOCUMENT_KINDS: readonly DocumentKind[] = ["policy", "revocations", "secrets"];

/** Where each lies in what a daemon believes. */
export const DOCUMENT_PLACES = {
  policy: "policyDocument",
  revocations: "revocationList",
  secrets: "secretsDocument",
} as const satisfies Record<DocumentKind, keyof Trust>;

/** A document that counts. */
export interface SignedDocument extends DocumentOrder {
  readonly bytes: Uint8Array;
}

/** What modules pass documents on with. */
export interface Documents {
  /** The one that counts now; undefined when none was ever seen. */
  current(kind: DocumentKind): SignedDocument | undefined;
  /** Whether {@link Documents.adopt} would take it. Throws as that does. */
  isNews(kind: DocumentKind, bytes: Uint8Array): boolean;
  /**
   * True when it is newer than ours, and counts from now on. Throws AuthenticationError or
   * ProtocolError for one that nobody who may has signed.
   */
  adopt(kind: DocumentKind, bytes: Uint8Array): boolean;
}

/** What {@link TrustedDocuments} reads and changes. */
export interface TrustedDocumentsOptions {
  readonly primitives: Primitives;
  /** Unix ms. */
  readonly now: () => number;
  readonly trust: () => Trust;
  readonly believe: (trust: Trust) => void;
}

/** Documents as a part of what the daemon believes in. */
export class TrustedDocuments implements Documents {
  readonly #options: TrustedDocumentsOptions;

  constructor(options: TrustedDocumentsOptions) {
    this.#options = options;
  }

  current(kind: DocumentKind): SignedDocument | undefined {
    return this.#options.trust()[DOCUMENT_PLACES[kind]];
  }

  isNews(kind: DocumentKind, bytes: Uint8Array): boolean {
    return this.#later(kind, bytes) !== undefined;
  }

  adopt(kind: DocumentKind, bytes: Uint8Array): boolean {
    const later = this.#later(kind, bytes);
    if (later === undefined) return false;
    this.#options.believe(later);
    return true;
  }

  /** What we would believe with it; undefined when we need not. */
  #later(kind: DocumentKind, bytes: Uint8Array): Trust | undefined {
    const current = this.current(kind);
    // In a mesh every document comes over every link.
    if (current !== undefined && equalBytes(current.bytes, bytes)) return undefined;
    const trust = this.#options.trust();
    const later = this.#with(kind, trust, bytes);
    const document = later[DOCUMENT_PLACES[kind]];
    return current === undefined || isNewer(document as SignedDocument, current)
      ? later
      : undefined;
  }

  #with(kind: DocumentKind, trust: Trust, bytes: Uint8Array): Trust {
    if (kind === "policy") return this.#policy(trust, bytes);
    if (kind === "revocations") return this.#revocations(trust, bytes);
    const { meshId, rootPublicKey } = trust;
    const verifying = { bytes, meshId, rootPublicKey };
    return { ...trust, secretsDocument: verifyMeshSecrets(this.#options.primitives, verifying) };
  }

  #policy(trust: Trust, bytes: Uint8Array): Trust {
    const { primitives, now } = this.#options;
    const { meshId, rootPublicKey, revocations } = trust;
    const policyDocument = verifyPolicy(primitives, {
      bytes,
      meshId,
      rootPublicKey,
      revocations,
      now: now(),
      skewMs: CLOCK_SKEW_MS_MAX,
      cache: trust.verified,
    });
    const { policy, version } = policyDocument;
    return { ...trust, policy, policyVersion: version, policyDocument };
  }

  #revocations(trust: Trust, bytes: Uint8Array): Trust {
    const { meshId, rootPublicKey } = trust;
    const list = verifyRevocations(this.#options.primitives, { bytes, meshId, rootPublicKey });
    return { ...trust, revocations: list, revocationVersion: list.version, revocationList: list };
  }
}
