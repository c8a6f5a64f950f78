/**
 * The table of links, one per peer key. When both ends dialled at once, the conduit dialled by the
 * smaller key id carries the link at both ends; the other one is let run dry and closed.
 */

import type { Conduit, DialOptions, Front } from "../conduit/conduit.ts";
import type { Clock } from "../environment/environment.ts";
import { AuthenticationError, ConnectionError, errorText } from "../errors.ts";
import { LINK_DRAIN_MS } from "../limits.ts";
import { Calls } from "./calls.ts";
import type { Serve } from "./incoming.ts";
import { type LinkConduit, StandingLink } from "./link.ts";
import type { Link, LinkChange, Links, NodePeer } from "./links.ts";
import type { Log } from "./module.ts";

/** Asks the other end to dial the bulk half of the link. */
export const BULK_VERB = "core.bulk";

export interface LinkTableOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly selfKeyId: string;
  readonly front: Front;
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
    const conduit = await this.#options.front.dial(endpoint, options);
    return this.adopt(conduit, { dialled: true, endpoint });
  }

  /** Refuses a second living daemon with a key that is linked already (cloned machine). */
  admit(peer: NodePeer): void {
    const link = this.#links.get(peer.identity.keyId);
    if (link === undefined || link.peer.instance === peer.instance) return;
    throw new AuthenticationError(
      "duplicate",
      `Key of "${peer.identity.name}" is in use by another daemon that is linked to us; ` +
        "two machines must not share one key",
    );
  }

  /** Takes over a conduit to or from another node. */
  adopt(
    conduit: Conduit,
    options: { readonly dialled: boolean; readonly endpoint: string },
  ): StandingLink {
    const peer = conduit.peer as NodePeer;
    const carrier: LinkConduit = { ...options, peer, calls: this.#startCalls(conduit, options) };
    const link = this.#links.get(peer.identity.keyId);
    if (peer.bulk) {
      if (link === undefined) {
        void carrier.calls.close("bulk conduit without a link");
        throw new ConnectionError("closed", `Link to "${peer.identity.name}" is gone`);
      }
      link.attachBulk(carrier.calls);
      return link;
    }
    if (link === undefined) return this.#open(carrier);
    if (this.#staysCarrier(link.conduit, carrier)) this.#letRunDry(carrier.calls);
    else {
      const old = link.exchange(carrier);
      this.#watchEnd(link, carrier);
      this.#letRunDry(old.calls);
    }
    return link;
  }

  /** Resolves when no request of any peer is being executed. */
  async idle(): Promise<void> {
    await Promise.all([...this.#all].map((calls) => calls.idle()));
  }

  async close(text: string): Promise<void> {
    this.#closed = text;
    await Promise.all([...this.#all].map((calls) => calls.close(text)));
  }

  #open(carrier: LinkConduit): StandingLink {
    const { clock } = this.#options;
    const link = new StandingLink(carrier, {
      since: clock.now(),
      dialBulk: (one) => this.#dialBulk(one),
    });
    this.#links.set(carrier.peer.identity.keyId, link);
    this.#watchEnd(link, carrier);
    this.#publish({ kind: "up", link });
    return link;
  }

  #watchEnd(link: StandingLink, carrier: LinkConduit): void {
    const { keyId } = carrier.peer.identity;
    carrier.calls.done.then((reason) => {
      if (link.conduit !== carrier || this.#links.get(keyId) !== link) return;
      this.#links.delete(keyId);
      link.end(reason);
      void link.bulkCalls?.close(reason.text);
      this.#publish({ kind: "down", link, reason });
    });
  }

  /** Of two conduits of one link: dialled by the smaller key; of two dialled by one end, the newer. */
  #staysCarrier(present: LinkConduit, other: LinkConduit): boolean {
    if (present.dialled === other.dialled) return false;
    const weAreSmaller = this.#options.selfKeyId < present.peer.identity.keyId;
    return present.dialled === weAreSmaller;
  }

  /** What is under way on it may finish; nothing new is sent on it by us. */
  #letRunDry(calls: Calls): void {
    const { clock } = this.#options;
    const timer = clock.after(LINK_DRAIN_MS, () => void calls.close("duplicate conduit"));
    calls.done.then(() => timer.cancel());
  }

  async #dialBulk(link: StandingLink): Promise<void> {
    if (!link.dialled) {
      await link.request(BULK_VERB, {});
      return;
    }
    const { keyId } = link.peer.identity;
    const conduit = await this.#options.front.dial(link.endpoint, {
      bulk: true,
      expect: { keyId },
    });
    this.adopt(conduit, { dialled: true, endpoint: link.endpoint });
  }

  #startCalls(conduit: Conduit, options: { readonly dialled: boolean }): Calls {
    const { clock, serve, onBug } = this.#options;
    const calls = new Calls({ conduit, clock, serve, onBug, dialled: options.dialled });
    this.#all.add(calls);
    this.#closeWhenExpired(conduit, calls);
    calls.done.then(() => this.#all.delete(calls));
    if (this.#closed !== undefined) void calls.close(this.#closed);
    return calls;
  }

  #closeWhenExpired(conduit: Conduit, calls: Calls): void {
    const { clock } = this.#options;
    const { identity } = conduit.peer as NodePeer;
    const timer = clock.after(identity.notAfter - clock.now(), () => {
      void calls.close(`Certificate of "${identity.name}" has expired`);
    });
    calls.done.then(() => timer.cancel());
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
