/**
 * What a target checks of a signed request before policy is asked and before it counts as seen:
 * mesh, time, chain, revocation, signature, am I a target, bind (SECURITY.md 4, in this order).
 * Policy, journal and audit come after it, in the dispatcher.
 */
import { AuthenticationError } from "../errors.ts";
import { equalBytes, toHex } from "../wire/bytes.ts";
import { type ChainOptions, type Identity, type IdentityType, verifyChain } from "./chain.ts";
import { quote, quoteList } from "./name.ts";
import type { Primitives } from "../crypto/primitives.ts";
import { type SignedRequest, targetsHash } from "./request.ts";

export interface VerifyRequestOptions extends
  Pick<
    ChainOptions,
    "meshId" | "rootPublicKey" | "now" | "revocations" | "cache" | "allowExpired"
  > {
  readonly request: SignedRequest;
  /** How far other clocks may be from ours, both ways. */
  readonly skewMs: number;
  /** The longest time from issue to expiry. */
  readonly ttlMaxMs: number;
  /** This node, from its own certificate. */
  readonly self: { readonly name: string; readonly groups: readonly string[] };
  /** Requests issued before may have run in a life we do not remember: our certificate's begin. */
  readonly ownNotBefore: number;
  /** The handshake hash of the session that brought it. @default none: came through relays */
  readonly bind?: Uint8Array;
  /** The list beside a request whose targets are "listed". @default none */
  readonly listedNames?: readonly string[];
  /** Who may have signed: authority comes from users (R6). @default user */
  readonly signers?: readonly IdentityType[];
}

export interface VerifiedRequest {
  readonly request: SignedRequest;
  readonly identity: Identity;
  /** Unix ms until which a copy could be accepted again: how long the journal must remember it. */
  readonly rememberUntilMs: number;
}

/** Who signed it, or AuthenticationError with the first reason against it. */
export function verifyRequest(
  primitives: Pick<Primitives, "sha256" | "verify">,
  options: VerifyRequestOptions,
): VerifiedRequest {
  const { request } = options;
  if (!equalBytes(request.meshId, options.meshId)) {
    throw new AuthenticationError(
      "wrong-mesh",
      `Request ${request.requestId} is for mesh ${toHex(request.meshId)}, this is ${
        toHex(options.meshId)
      }`,
    );
  }
  checkTime(options);
  const identity = verifyChain(primitives, {
    ...options,
    chain: request.chain,
    types: options.signers ?? USERS,
  });
  checkSignature(primitives, { request, identity });
  checkTarget(primitives, options);
  checkBind(options);
  return { request, identity, rememberUntilMs: request.expiresMs + options.skewMs };
}

const USERS: readonly IdentityType[] = ["user"];

function checkTime(options: VerifyRequestOptions): void {
  const { request, now, skewMs, ttlMaxMs, ownNotBefore } = options;
  const { requestId, issuedMs, expiresMs } = request;
  if (issuedMs > now + skewMs) {
    throw new AuthenticationError(
      "not-yet-valid",
      `Request ${requestId} was issued ${
        issuedMs - now
      } ms in the future, ${skewMs} ms is allowed: is a clock wrong`,
    );
  }
  if (now > expiresMs + skewMs) {
    throw new AuthenticationError(
      "expired",
      `Request ${requestId} expired ${
        now - expiresMs
      } ms ago, ${skewMs} ms is allowed: is a clock wrong`,
    );
  }
  if (expiresMs - issuedMs > ttlMaxMs) {
    throw new AuthenticationError(
      "policy",
      `Request ${requestId} is valid for ${
        expiresMs - issuedMs
      } ms, policy allows ${ttlMaxMs} ms (request_ttl_max)`,
    );
  }
  if (issuedMs < ownNotBefore) {
    throw new AuthenticationError(
      "replay",
      `Request ${requestId} was issued ${
        ownNotBefore - issuedMs
      } ms before the time from which this node knows what it ran`,
    );
  }
}

function checkSignature(
  primitives: Pick<Primitives, "verify">,
  options: { readonly request: SignedRequest; readonly identity: Identity },
): void {
  const { request, identity } = options;
  if (request.signerKeyId !== identity.keyId) {
    throw new AuthenticationError(
      "key-mismatch",
      `Request ${request.requestId} names signer ${request.signerKeyId}, its certificate is of key ${identity.keyId}`,
    );
  }
  if (!primitives.verify(identity.signPublicKey, request.signed, request.signature)) {
    throw new AuthenticationError(
      "signature",
      `Request ${request.requestId} is not signed by ${identity.type} ${quote(identity.name)}`,
    );
  }
}

function checkTarget(
  primitives: Pick<Primitives, "sha256">,
  options: VerifyRequestOptions,
): void {
  const { request: { targets, requestId }, self, listedNames } = options;
  if (targets.kind === "all") return;
  if (targets.kind === "groups") {
    if (targets.groups.some((group) => self.groups.includes(group))) return;
    throw new AuthenticationError(
      "not-a-target",
      `Request ${requestId} is for groups ${quoteList(targets.groups)}, ${quote(self.name)} is in ${
        quoteList(self.groups)
      }`,
    );
  }
  if (targets.kind === "listed") {
    if (
      listedNames === undefined ||
      !equalBytes(targetsHash(primitives, listedNames), targets.hash)
    ) {
      throw new AuthenticationError(
        "not-a-target",
        `Request ${requestId} came ${
          listedNames
            ? "with another list of targets than was signed"
            : "without its list of targets"
        }`,
      );
    }
  }
  const names = targets.kind === "names" ? targets.names : listedNames ?? [];
  if (names.includes(self.name)) return;
  throw new AuthenticationError(
    "not-a-target",
    `Request ${requestId} is for ${quoteList(names)}, this is ${quote(self.name)}`,
  );
}

function checkBind(options: VerifyRequestOptions): void {
  const { request: { bind, requestId } } = options;
  if (bind === undefined) return;
  if (options.bind !== undefined && equalBytes(bind, options.bind)) return;
  throw new AuthenticationError(
    "handshake",
    `Request ${requestId} is bound to another session than the one that brought it`,
  );
}
