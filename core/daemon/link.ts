/**
 * One link: the conduit that carries it may be exchanged for another one to the same peer (both
 * ends dialled at once) without anybody noticing but the two cores.
 */

import type { CloseReason } from "../conduit/conduit.ts";
import { CallError } from "../errors.ts";
import { PRIORITY } from "../wire/message.ts";
import type { Call, Caller, CallOptions } from "./call.ts";
import type { Calls } from "./calls.ts";
import type { Link, NodePeer } from "./links.ts";

export interface LinkConduit {
  readonly calls: Calls;
  readonly peer: NodePeer;
  readonly dialled: boolean;
  readonly endpoint: string;
}

export class StandingLink implements Link {
  readonly since: number;
  readonly closed: Promise<CloseReason>;
  #now: LinkConduit;
  #bulk: Calls | undefined;
  #bulkWaiters: ((calls: Calls) => void)[] = [];
  readonly #dialBulk: (link: StandingLink) => Promise<void>;
  #resolveClosed: (reason: CloseReason) => void = () => {};

  constructor(
    first: LinkConduit,
    options: { readonly since: number; readonly dialBulk: (link: StandingLink) => Promise<void> },
  ) {
    this.#now = first;
    this.since = options.since;
    this.#dialBulk = options.dialBulk;
    this.closed = new Promise((resolve) => this.#resolveClosed = resolve);
  }

  get peer(): NodePeer {
    return this.#now.peer;
  }

  get dialled(): boolean {
    return this.#now.dialled;
  }

  get endpoint(): string {
    return this.#now.endpoint;
  }

  get heardAt(): number {
    return this.#now.calls.heardAt;
  }

  /** What carries the link now. */
  get conduit(): LinkConduit {
    return this.#now;
  }

  get bulkCalls(): Calls | undefined {
    return this.#bulk;
  }

  request(verb: string, args?: unknown, options?: CallOptions): Promise<unknown> {
    return this.#now.calls.request(verb, args, options);
  }

  stream(verb: string, args?: unknown, options?: CallOptions): Call {
    return this.#now.calls.stream(verb, args, options);
  }

  tell(verb: string, args: unknown): Promise<void> {
    return this.#now.calls.tell(verb, args, PRIORITY.control);
  }

  async bulk(): Promise<Caller> {
    if (this.#bulk !== undefined) return this.#bulk;
    const ready = new Promise<Calls>((resolve) => this.#bulkWaiters.push(resolve));
    await this.#dialBulk(this);
    return await Promise.race([
      ready,
      this.closed.then((reason): never => {
        throw new CallError("unreachable", `Link is gone: ${reason.text}`);
      }),
    ]);
  }

  /** The second conduit is here; the first one to come is kept. */
  attachBulk(calls: Calls): void {
    this.#bulk ??= calls;
    for (const wake of this.#bulkWaiters.splice(0)) wake(this.#bulk);
    calls.done.then(() => {
      if (this.#bulk === calls) this.#bulk = undefined;
    });
  }

  async close(text: string): Promise<void> {
    await this.#bulk?.close(text);
    await this.#now.calls.close(text);
  }

  /** For the table alone: another conduit carries the link from now on. Returns the old one. */
  exchange(conduit: LinkConduit): LinkConduit {
    const old = this.#now;
    this.#now = conduit;
    return old;
  }

  /** For the table alone: no conduit is left. */
  end(reason: CloseReason): void {
    this.#resolveClosed(reason);
  }
}
