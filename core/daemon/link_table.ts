/**
 * The table of links, one per peer key. Two ends that dial each other at once get two conduits. Both
 * ends choose the same one to carry the link: the one dialled by the smaller key id, and of two
 * dialled by one end the one with the smaller session. Only the end that dialled the other one
 * closes it, and not before everything that is under way on it has ended.
 */

import type { CloseReason, Conduit, DialOptions, Front } from "../conduit/conduit.ts";
import type { Clock } from "../environment/environment.ts";
import { AuthenticationError, CallError, ConnectionError, errorText } from "../errors.ts";
import { CALL_MS_DEFAULT, LINK_CONDUITS_MAX, LINK_DRAIN_MS } from "../limits.ts";
import type { Log } from "../log.ts";
import type { Identity } from "../security/chain.ts";
import { withTimeLimit } from "../time_limit.ts";
import { Calls } from "./calls.ts";
import type { Serve } from "./incoming.ts";
import { type LinkConduit, StandingLink } from "./link.ts";
import type { Link, LinkChange, Links, NodePeer } from "./links.ts";

/** Asks the other end to dial the bulk half of the link. */
const BULK_VERB = "core.bulk";
/** Shows the other end our renewed certificate. */
const RENEWED_VERB = "core.renewed";

export interface LinkTableOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly selfKeyId: string;
  readonly front: Front;
  /** What this table holds was dialled for some messages; it is no link of the mesh. */
  readonly onDemand: boolean;
  /** Peers at once. @default no limit: there is one link for a certificate */
  readonly peersMax?: number;
  readonly serve: Serve;
  readonly onBug: (error: unknown, verb: string) => void;
}

export class LinkTable implements Links {
  readonly #options: LinkTableOptions;
  readonly #links = new Map<string, StandingLink>();
  readonly #watchers = new Set<(change: LinkChange) => void>();
  /** Everything that has to be waited for at the end. */
  readonly #all = new Set<Calls>();
  #closed: string | undefined;

  constructor(options: LinkTableOptions) {
    this.#options = options;
  }

  get(keyId: string): Link | undefined {
    return this.#links.get(keyId);
  }

  list(): readonly Link[] {
    return [...this.#links.values()];
  }

  watch(run: (change: LinkChange) => void): Disposable {
    this.#watchers.add(run);
    return { [Symbol.dispose]: () => void this.#watchers.delete(run) };
  }

  async dial(endpoint: string, options: DialOptions = {}): Promise<Link> {
    const { front, onDemand } = this.#options;
    const conduit = await front.dial(endpoint, { ...options, onDemand });
    return this.adopt(conduit, { dialled: true, endpoint });
  }

  /** Refuses a second living daemon with a key that is linked already (cloned machine). */
  refuseTwin({ identity, instance }: NodePeer): void {
    const link = this.#living(identity.keyId);
    if (link === undefined || link.peer.instance === instance) return;
    throw new AuthenticationError(
      "duplicate",
      `Key of "${identity.name}" is in use by another daemon that is linked to us; ` +
        "two machines must not share one key",
    );
  }

  /** Refuses a twin, and whoever is too many. */
  admit(peer: NodePeer): void {
    this.refuseTwin(peer);
    const link = this.#living(peer.identity.keyId);
    const { name } = peer.identity;
    const { peersMax = Infinity } = this.#options;
    if (link === undefined) {
      // One that is being closed gives its place to the next of the same peer.
      if (this.#links.has(peer.identity.keyId) || this.#links.size < peersMax) return;
      throw new AuthenticationError("quota", `We have ${peersMax} conduits on demand already`);
    }
    if (link.size >= LINK_CONDUITS_MAX) {
      throw new AuthenticationError(
        "quota",
        `Link to "${name}" has ${link.size} conduits already, ${LINK_CONDUITS_MAX} is the most`,
      );
    }
  }

  /** Takes over a conduit to or from another node, or closes it and throws. */
  adopt(
    conduit: Conduit,
    options: { readonly dialled: boolean; readonly endpoint: string },
  ): StandingLink {
    const peer = conduit.peer as NodePeer;
    try {
      // Once more: two of them may have been admitted before either was here.
      this.#check(peer);
    } catch (error) {
      void conduit.close(errorText(error));
      throw error;
    }
    const added: LinkConduit = { ...options, peer, calls: this.#startCalls(conduit, options) };
    this.#retire(peer.identity.keyId);
    const present = this.#links.get(peer.identity.keyId);
    const link = present ?? this.#open(added);
    added.calls.done.then((reason) => this.#dropped(link, added, reason));
    if (present !== undefined) this.#add(present, added);
    return link;
  }

  /** Closes the links to those of whom `why` says why they may not stay. */
  recheck(why: (identity: Identity) => string | undefined): void {
    for (const link of this.#links.values()) {
      const text = why(link.peer.identity);
      if (text !== undefined) void link.close(text);
    }
  }

  /** The peer, if it is linked, is who this newer certificate says. */
  renew(identity: Identity): void {
    this.#links.get(identity.keyId)?.renew(identity);
  }

  /** Shows all peers our renewed chain. Who does not take it loses the conduit when the old one ends. */
  tellRenewed(chain: readonly Uint8Array[]): void {
    for (const link of this.#links.values()) {
      link.request(RENEWED_VERB, { chain }).catch((error) => {
        const { name } = link.peer.identity;
        this.#options.log("info", `"${name}" does not take our certificate: ${errorText(error)}`);
      });
    }
  }

  /** Resolves when no request of any peer is being executed. */
  async idle(): Promise<void> {
    await Promise.all([...this.#all].map((calls) => calls.idle()));
  }

  async close(text: string): Promise<void> {
    this.#closed = text;
    await Promise.all([...this.#all].map((calls) => calls.close(text)));
  }

  #check(peer: NodePeer): void {
    if (this.#closed !== undefined) throw new ConnectionError("closed", this.#closed);
    if (peer.bulk && this.#living(peer.identity.keyId) === undefined) {
      throw new ConnectionError("closed", `Link to "${peer.identity.name}" is gone`);
    }
    this.admit(peer);
  }

  /** One that takes more conduits. */
  #living(keyId: string): StandingLink | undefined {
    const link = this.#links.get(keyId);
    return link?.isClosing ? undefined : link;
  }

  /** A link that is being closed is over as soon as there is a conduit for another one. */
  #retire(keyId: string): void {
    const link = this.#links.get(keyId);
    if (link?.isClosing) {
      this.#over(link, { by: "us", text: "another link begins", error: undefined });
    }
  }

  #open(first: LinkConduit): StandingLink {
    const link = new StandingLink(first, {
      clock: this.#options.clock,
      dialBulk: (one) => this.#dialBulk(one),
    });
    this.#links.set(first.peer.identity.keyId, link);
    this.#publish({ kind: "up", link });
    return link;
  }

  #add(link: StandingLink, added: LinkConduit): void {
    link.add(added);
    if (added.peer.bulk) return;
    const { carrier } = link;
    const stays = this.#better(carrier, added);
    link.carryBy(stays);
    const surplus = stays === carrier ? added : carrier;
    if (surplus.dialled) this.#closeWhenDry(link, surplus);
  }

  #better(one: LinkConduit, other: LinkConduit): LinkConduit {
    if (one.dialled === other.dialled) {
      return one.peer.session < other.peer.session ? one : other;
    }
    const weAreSmaller = this.#options.selfKeyId < one.peer.identity.keyId;
    return one.dialled === weAreSmaller ? one : other;
  }

  /** Not at once: the other end may not know yet which of the two carries the link. */
  #closeWhenDry(link: StandingLink, surplus: LinkConduit): void {
    const { calls } = surplus;
    const timer = this.#options.clock.after(LINK_DRAIN_MS, () => {
      if (link.carrier === surplus) return;
      if (calls.incomingCount + calls.outgoingCount > 0) return this.#closeWhenDry(link, surplus);
      void calls.close("another conduit carries this link");
    });
    calls.done.then(() => timer.cancel());
  }

  #dropped(link: StandingLink, conduit: LinkConduit, reason: CloseReason): void {
    const heir = link.drop(conduit);
    if (link.carrier !== conduit) return;
    if (heir !== undefined) return link.carryBy(heir);
    // Another one may stand there already.
    if (this.#links.get(link.peer.identity.keyId) === link) this.#over(link, reason);
  }

  #over(link: StandingLink, reason: CloseReason): void {
    this.#links.delete(link.peer.identity.keyId);
    link.end(reason);
    this.#publish({ kind: "down", link, reason });
  }

  /** Whoever dialled the carrier can dial its bulk half too; the other one asks for it. */
  async #dialBulk(link: StandingLink): Promise<void> {
    if (!link.dialled) {
      await link.request(BULK_VERB, {});
      return;
    }
    const { endpoint, peer } = link;
    const { clock, front, onDemand } = this.#options;
    const text = `Bulk half of the link to "${peer.identity.name}" did not come up`;
    const late = () => new CallError("timeout", `${text} within ${CALL_MS_DEFAULT} ms`);
    const expect = { keyId: peer.identity.keyId };
    const conduit = await withTimeLimit(
      (signal) => front.dial(endpoint, { bulk: true, onDemand, expect, signal }),
      { clock, ms: CALL_MS_DEFAULT, late },
    );
    this.adopt(conduit, { dialled: true, endpoint });
  }

  #startCalls(conduit: Conduit, options: { readonly dialled: boolean }): Calls {
    const { clock, serve, onBug } = this.#options;
    const calls = new Calls({ conduit, clock, serve, onBug, dialled: options.dialled });
    this.#all.add(calls);
    calls.done.then(() => this.#all.delete(calls));
    return calls;
  }

  #publish(change: LinkChange): void {
    for (const run of [...this.#watchers]) {
      try {
        run(change);
      } catch (error) {
        this.#options.log("error", `Watcher of links failed: ${errorText(error)}`);
      }
    }
  }
}
