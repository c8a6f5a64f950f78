/**
 * What a daemon whose keys live in memory only leaves to the program that it goes on as, so that it
 * stays the same node, with the same key, name and ports.
 */

import * as v from "valibot";
import {
  type Environment,
  keyIdOf,
  meshIdOf,
  MinimeError,
  NO_REVOCATIONS,
  POLICY_LIMITS_DEFAULT,
  type Primitives,
  type RevocationList,
  type Self,
  type Trust,
  verifyChain,
  verifyMeshSecrets,
  verifyPolicy,
  verifyRevocations,
} from "../../core/mod.ts";
import { trustOf } from "../shared/credentials.ts";
import type { NodeView } from "../shared/mesh_view.ts";

const Base64 = v.pipe(v.string(), v.base64());
const Texts = v.array(v.string());

const LeftSchema = v.object({
  signSeed: Base64,
  dhSecret: Base64,
  /** Leaf first. */
  chain: v.array(Base64),
  root: Base64,
  psk: Base64,
  policy: v.optional(Base64),
  revocations: v.optional(Base64),
  secrets: v.optional(Base64),
  segment: v.string(),
  /** Under which others reach us. */
  endpoints: Texts,
  /** On which we listen. */
  listen: Texts,
  peers: v.array(
    v.object({ name: v.string(), keyId: v.string(), endpoints: Texts, segment: v.string() }),
  ),
  /** Of the life that ends. */
  incarnation: v.number(),
  /** Requests that it has run; older programs leave none. */
  ran: v.optional(
    v.array(v.object({ keyId: v.string(), requestId: v.string(), untilMs: v.number() })),
    [],
  ),
});

/** What is left besides keys and trust. */
export type LeftFacts = Omit<
  v.InferOutput<typeof LeftSchema>,
  | "signSeed"
  | "dhSecret"
  | "chain"
  | "root"
  | "psk"
  | "policy"
  | "revocations"
  | "secrets"
  | "peers"
>;

/** A daemon as it was before. */
export interface Resumed extends LeftFacts {
  readonly self: Self;
  readonly trust: Trust;
  readonly peers: v.InferOutput<typeof LeftSchema>["peers"];
  /** What was left is wiped: we are up. */
  forget(): void;
}

/** For {@link resume}. */
export function leave(
  self: Self,
  trust: Trust,
  { facts, nodes }: { readonly facts: LeftFacts; readonly nodes: readonly NodeView[] },
): Uint8Array {
  const { policyDocument, revocationList, secretsDocument, secrets: [secret] } = trust;
  const left: v.InferInput<typeof LeftSchema> = {
    ...facts,
    signSeed: self.signSeed.toBase64(),
    dhSecret: self.dh.secret.toBase64(),
    chain: self.identity.chain.map((each) => each.toBase64()),
    root: trust.rootPublicKey.toBase64(),
    psk: (secret as Trust["secrets"][number]).psk.toBase64(),
    policy: policyDocument?.bytes.toBase64(),
    revocations: revocationList?.bytes.toBase64(),
    secrets: secretsDocument?.bytes.toBase64(),
    peers: nodes.map(({ name, keyId, endpoints, segment }) => ({
      name,
      keyId,
      segment,
      endpoints: [...endpoints],
    })),
  };
  return new TextEncoder().encode(JSON.stringify(left));
}

/** Undefined when nothing was left: this daemon begins. @throws MinimeError */
export function resume(
  env: Pick<Environment, "clock" | "processes" | "random">,
  primitives: Primitives,
): Resumed | undefined {
  const handed = env.processes.handedOver();
  if (handed === undefined) return undefined;
  const left = v.safeParse(LeftSchema, jsonOf(handed.bytes));
  if (!left.success) throw new MinimeError("What the program before has left cannot be read");
  const { signSeed, dhSecret, chain, root, psk, peers, ...rest } = left.output;
  const { policy, revocations, secrets, ...facts } = rest;
  const rootPublicKey = Uint8Array.fromBase64(root);
  const base = { primitives, rootPublicKey, psk: Uint8Array.fromBase64(psk) };
  const nothing = { rules: [], limits: POLICY_LIMITS_DEFAULT };
  const meshId = meshIdOf(primitives, rootPublicKey);
  const revocationList: RevocationList | undefined = revocations === undefined
    ? undefined
    : verifyRevocations(primitives, {
      bytes: Uint8Array.fromBase64(revocations),
      meshId,
      rootPublicKey,
    });
  const verifying = {
    meshId,
    rootPublicKey,
    now: env.clock.now(),
    revocations: revocationList ?? NO_REVOCATIONS,
    skewMs: POLICY_LIMITS_DEFAULT.clockSkewMs,
  };
  const policyDocument = policy === undefined
    ? undefined
    : verifyPolicy(primitives, { ...verifying, bytes: Uint8Array.fromBase64(policy) });
  const secretsDocument = secrets === undefined
    ? undefined
    : verifyMeshSecrets(primitives, { ...verifying, bytes: Uint8Array.fromBase64(secrets) });
  const identity = verifyChain(primitives, {
    ...verifying,
    chain: chain.map((text) => Uint8Array.fromBase64(text)),
    types: ["node"],
  });
  const seed = Uint8Array.fromBase64(signSeed);
  const secret = Uint8Array.fromBase64(dhSecret);
  if (identity.keyId !== keyIdOf(primitives, primitives.signPublicKey(seed))) {
    throw new MinimeError("What the program before has left is of two nodes");
  }
  return {
    ...facts,
    peers,
    trust: trustOf({
      ...base,
      policy: policyDocument?.policy ?? nothing,
      ...(policyDocument === undefined ? {} : { policyDocument }),
      revocationList,
      secretsDocument,
    }),
    self: {
      identity,
      signSeed: seed,
      dh: { secret, publicKey: primitives.dhPublicKey(secret) },
      instance: env.random.bytes(16),
    },
    forget: () => handed.forget(),
  };
}

function jsonOf(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
