/**
 * Those who are connected by no link: programs of users, of the owner of the socket, and whoever
 * comes by a conduit that a module made. What
 * one user may have under way counts over all of their conduits, and is remembered for a while when
 * the last one goes: to dial again must not renew it.
 */

import type { Conduit, Peer } from "../conduit/conduit.ts";
import type { Clock } from "../environment/environment.ts";
import { AuthenticationError } from "../errors.ts";
import { USER_CONDUITS_MAX } from "../limits.ts";
import type { Identity } from "../security/chain.ts";
import { Calls } from "./calls.ts";
import type { Serve } from "./incoming.ts";
import { UserLimits } from "./user_limits.ts";

export interface ClientsOptions {
  readonly clock: Clock;
  readonly serve: Serve;
  readonly onBug: (error: unknown, verb: string) => void;
}

export class Clients {
  readonly #options: ClientsOptions;
  readonly #connected = new Map<Calls, Peer>();
  /** By key id, or by token. */
  readonly #users = new Map<string, UserLimits>();

  constructor(options: ClientsOptions) {
    this.#options = options;
  }

  /** Those who are connected now. */
  list(): readonly Calls[] {
    return [...this.#connected.keys()];
  }

  /** Refuses a user who has too many conduits. Throws AuthenticationError. */
  admit(user: Identity): void {
    if (this.#users.get(user.keyId)?.full !== true) return;
    throw new AuthenticationError(
      "quota",
      `User "${user.name}" has ${USER_CONDUITS_MAX} connections to us already`,
    );
  }

  /** The same for those who hold one token. */
  admitToken(token: string): void {
    if (this.#users.get(`token ${token}`)?.full !== true) return;
    throw new AuthenticationError(
      "quota",
      `There are ${USER_CONDUITS_MAX} connections with this token already`,
    );
  }

  /** Takes over a conduit that is no link. */
  adopt(conduit: Conduit): void {
    const { peer } = conduit;
    const key = limitedBy(peer);
    const limits = key === undefined ? undefined : this.#limitsOf(key);
    limits?.addConduit();
    const calls = new Calls({
      ...this.#options,
      conduit,
      dialled: false,
      ...(limits === undefined ? {} : { limits }),
    });
    this.#connected.set(calls, peer);
    calls.done.then(() => {
      this.#connected.delete(calls);
      limits?.dropConduit();
    });
  }

  /** Closes the conduits of those of whom `why` says why they may not stay; forgets who is gone. */
  recheck(why: (identity: Identity) => string | undefined): void {
    for (const [calls, peer] of this.#connected) {
      const text = "identity" in peer ? why(peer.identity) : undefined;
      if (text !== undefined) void calls.close(text);
    }
    for (const [keyId, limits] of this.#users) if (limits.unused) this.#users.delete(keyId);
  }

  #limitsOf(keyId: string): UserLimits {
    let limits = this.#users.get(keyId);
    if (limits === undefined) {
      this.#users.set(keyId, limits = new UserLimits(this.#options.clock));
    }
    return limits;
  }
}

/** On whose account a conduit goes; nobody's for the owner of the socket. */
function limitedBy(peer: Peer): string | undefined {
  if (peer.kind === "joiner") return `token ${peer.token}`;
  return peer.kind === "user" ? peer.identity.keyId : undefined;
}
