/** Keys and certificates of a mesh made for a test: a root, a PSK, and whoever is asked for. */

import {
  choosePrimitives,
  defaultPolicy,
  type IdentityType,
  type IssuerConstraint,
  meshIdOf,
  NO_REVOCATIONS,
  type Primitives,
  pskIdOf,
  type Random,
  type Self,
  signCertificate,
  signRequest,
  type Targets,
  type Trust,
  VerifiedCertificates,
  verifyChain,
} from "../../core/mod.ts";
import { encodeCanonical } from "../../core/mod.ts";

export const DAY_MS = 86_400_000;

/** One for the whole test process: choosing costs some milliseconds and holds no state. */
let shared: Promise<Primitives> | undefined;
export function testPrimitives(): Promise<Primitives> {
  shared ??= choosePrimitives({ sources: ["native", "noble"] });
  return shared;
}

/** What an issuer may sign unless a test is about that. */
const ANYTHING: IssuerConstraint = {
  types: ["node", "user"],
  namePatterns: ["*"],
  groups: ["ops", "compute", "users"],
  longestValidityMs: 400 * DAY_MS,
};

export interface PersonOptions {
  readonly name: string;
  readonly type?: IdentityType;
  readonly groups?: readonly string[];
  readonly notBefore?: number;
  readonly notAfter?: number;
  readonly unixUser?: string;
  /** Who signs the certificate. @default the root */
  readonly issuer?: Self;
}

export class MeshKeys {
  readonly primitives: Primitives;
  readonly rootSeed: Uint8Array;
  readonly rootPublicKey: Uint8Array;
  readonly meshId: Uint8Array;
  readonly psk: Uint8Array;
  readonly #random: Random;
  readonly #now: () => number;

  constructor(primitives: Primitives, options: { random: Random; now: () => number }) {
    this.primitives = primitives;
    this.#random = options.random;
    this.#now = options.now;
    this.rootSeed = this.#random.bytes(32);
    this.rootPublicKey = primitives.signPublicKey(this.rootSeed);
    this.meshId = meshIdOf(primitives, this.rootPublicKey);
    this.psk = this.#random.bytes(32);
  }

  trust(change: Partial<Trust> = {}): Trust {
    return {
      meshId: this.meshId,
      rootPublicKey: this.rootPublicKey,
      secrets: [{ id: pskIdOf(this.primitives, this.psk), psk: this.psk }],
      revocations: NO_REVOCATIONS,
      revocationVersion: 0,
      policy: defaultPolicy("ops"),
      policyVersion: 1,
      verified: new VerifiedCertificates(this.primitives),
      ...change,
    };
  }

  /** A node, unless the type says otherwise; users are in the group ops unless told otherwise. */
  person(options: PersonOptions): Self {
    const { primitives } = this;
    const now = this.#now();
    const signSeed = this.#random.bytes(32);
    const dhSecret = this.#random.bytes(32);
    const type = options.type ?? "node";
    const certificate = signCertificate(primitives, {
      issuerSeed: options.issuer?.signSeed ?? this.rootSeed,
      fields: {
        type,
        serial: 1n,
        meshId: this.meshId,
        name: options.name,
        signPublicKey: primitives.signPublicKey(signSeed),
        dhPublicKey: primitives.dhPublicKey(dhSecret),
        notBefore: options.notBefore ?? now - 1_000,
        notAfter: options.notAfter ?? now + 30 * DAY_MS,
        groups: options.groups ?? (type === "user" ? ["ops"] : []),
        ...(options.unixUser === undefined ? {} : { unixUser: options.unixUser }),
        ...(type === "issuer" ? { constraint: ANYTHING } : {}),
      },
    });
    const identity = verifyChain(primitives, {
      chain: [certificate.bytes, ...options.issuer?.identity.chain ?? []],
      rootPublicKey: this.rootPublicKey,
      meshId: this.meshId,
      now: Math.max(certificate.notBefore, options.issuer?.identity.notBefore ?? 0),
      revocations: NO_REVOCATIONS,
      types: [type],
    });
    return {
      identity,
      signSeed,
      dh: { secret: dhSecret, publicKey: identity.dhPublicKey },
      instance: this.#random.bytes(16),
    };
  }

  /** A request signed by `user`, valid for a minute. */
  sign(user: Self, options: {
    verb: string;
    /** The unix user. @default none in particular */
    as?: string;
    args?: unknown;
    /** Instead of `args`, as they are. */
    rawArguments?: Uint8Array;
    targets?: Targets;
    /** The session it is good for. */
    bind?: Uint8Array;
    issuedMs?: number;
    expiresMs?: number;
  }): Uint8Array {
    const issuedMs = options.issuedMs ?? this.#now();
    return signRequest(this.primitives, {
      meshId: this.meshId,
      requestId: this.#random.bytes(16),
      issuedMs,
      expiresMs: options.expiresMs ?? issuedMs + 30_000,
      targets: options.targets ?? { kind: "all" },
      ...(options.bind === undefined ? {} : { bind: options.bind }),
      verb: options.verb,
      as: options.as ?? "",
      arguments: options.rawArguments ??
        (options.args === undefined ? new Uint8Array(0) : encodeCanonical(options.args)),
      seed: user.signSeed,
      chain: user.identity.chain,
    });
  }
}
