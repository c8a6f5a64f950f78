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
import { Joiners } from "./joiners.ts";
import { UserLimits } from "./user_limits.ts";

export interface ClientsOptions {
  readonly clock: Clock;
  readonly serve: Serve;
  readonly onBug: (error: unknown, verb: string) => void;
}

export class Clients {
  readonly #options: ClientsOptions;
  readonly #connected = new Map<Calls, Peer>();
  /** By key id. */
  readonly #users = new Map<string, UserLimits>();
  readonly #joiners: Joiners;

  constructor(options: ClientsOptions) {
    this.#options = options;
    this.#joiners = new Joiners(options.clock);
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

  /** Makes room among those who hold one token. Throws AuthenticationError. */
  admitToken(token: string): void {
    this.#joiners.admit(token);
  }

  /** Takes over a conduit that is no link. */
  adopt(conduit: Conduit): void {
    const { peer } = conduit;
    const limits = this.#limitsFor(peer);
    limits?.addConduit();
    const calls = new Calls({
      ...this.#options,
      conduit,
      dialled: false,
      ...(limits === undefined ? {} : { limits }),
    });
    this.#connected.set(calls, peer);
    if (peer.kind === "joiner") this.#joiners.add(peer.token, calls);
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

  /** What counts for all conduits of a user; none for the owner of the socket. */
  #limitsFor(peer: Peer): UserLimits | undefined {
    // Each its own: they share a secret, and may be strangers to each other.
    if (peer.kind === "joiner") return new UserLimits(this.#options.clock);
    return peer.kind === "user" ? this.#limitsOf(peer.identity.keyId) : undefined;
  }

  #limitsOf(keyId: string): UserLimits {
    let limits = this.#users.get(keyId);
    if (limits === undefined) {
      this.#users.set(keyId, limits = new UserLimits(this.#options.clock));
    }
    return limits;
  }
}
