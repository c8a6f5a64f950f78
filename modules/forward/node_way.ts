/**
 * The way of all forwards of this command to one node: one session, made again when it broke, and how
 * many connections go over it at once. Who has to wait is not accepted meanwhile, and waits in the
 * kernel's queue as before any busy server.
 *
 * A session waits for its node for a while, which may only be cut off, and so do the connections that
 * it carries. A new connection does not: when no new session can be made it fails, and says why.
 */

import {
  type Call,
  CallError,
  ConnectionError,
  errorText,
  FirstSignal,
  MinimeError,
} from "../../core/mod.ts";
import type { CommandContext, MeshClient } from "../shared/command.ts";
import { isGone } from "../shared/looks.ts";
import { BUSY_MS_MAX, BUSY_RETRY_MS, CONNECTIONS_MAX, SLOW_MS } from "./limits.ts";

/** A connection that the node has made. */
export interface Opened {
  readonly call: Call;
  /** What comes after the node has said that it is connected. */
  readonly items: AsyncIterator<unknown>;
}

export class NodeWay implements AsyncDisposable {
  readonly node: string;
  readonly #context: CommandContext;
  readonly #waiting: (() => void)[] = [];
  #open = 0;
  #session: Promise<MeshClient> | undefined;
  #check: Promise<MinimeError | undefined> | undefined;

  constructor(context: CommandContext, node: string) {
    this.#context = context;
    this.node = node;
  }

  /** Whether the next one has to wait. */
  get isFull(): boolean {
    return this.#open >= CONNECTIONS_MAX;
  }

  /** Resolves when there is room for one more connection, which counts until `leave`. */
  async enter(): Promise<void> {
    while (this.isFull) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#open++;
  }

  leave(): void {
    this.#open--;
    this.#waiting.shift()?.();
  }

  /** Rejects with ConnectionError when the node cannot be reached. */
  async connect(): Promise<void> {
    await this.#reach();
  }

  /**
   * Has the node connect. Rejects with CallError or ConnectionError that says why it did not. A session
   * that broke is made again, once; a node that has enough to do is asked again for a while.
   */
  async open(
    destination: { readonly host: string; readonly port: number },
    signal: AbortSignal,
  ): Promise<Opened> {
    const { clock } = this.#context.env;
    const end = clock.monotonic() + BUSY_MS_MAX;
    let again = true;
    for (;;) {
      const session = this.#reach();
      const gone = new AbortController();
      try {
        const client = await session;
        const ends = new FirstSignal(signal, gone.signal);
        const begun = begin(client, { destination, node: this.node, ends });
        const why = await this.#whyGone(begun);
        if (why !== undefined) gone.abort(why);
        return await begun;
      } catch (error) {
        signal.throwIfAborted();
        // The session stays: what it carries may go on.
        if (gone.signal.aborted) throw gone.signal.reason;
        if (isGone(error)) {
          await this.#drop(session);
          if (!again) throw error;
          again = false;
        } else if (error instanceof CallError && error.class === "busy") {
          if (clock.monotonic() > end) throw error;
          await clock.sleep(BUSY_RETRY_MS, { signal });
        } else throw error;
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#drop(this.#session);
    await this.#check;
  }

  /** When the node is long in answering: why it cannot be reached, if so. Never rejects for its sake. */
  async #whyGone(begun: Promise<Opened>): Promise<MinimeError | undefined> {
    const answer = begun.then(() => undefined, () => undefined);
    const slow = Promise.withResolvers<true>();
    const timer = this.#context.env.clock.after(SLOW_MS, () => slow.resolve(true));
    const isSlow = await Promise.race([answer, slow.promise]);
    timer.cancel();
    return isSlow ? await Promise.race([answer, this.#tryAnew()]) : undefined;
  }

  /** Once for all that wait. */
  #tryAnew(): Promise<MinimeError | undefined> {
    this.#check ??= this.#context.session(this.node).then(
      async (session) => {
        await session.close();
        return undefined;
      },
      (error: unknown) => {
        if (error instanceof MinimeError) return error;
        throw error;
      },
    ).finally(() => this.#check = undefined);
    return this.#check;
  }

  #reach(): Promise<MeshClient> {
    this.#session ??= this.#context.session(this.node);
    return this.#session;
  }

  /** Only the session that broke: another connection may have made a new one already. */
  async #drop(session: Promise<MeshClient> | undefined): Promise<void> {
    if (this.#session === session) this.#session = undefined;
    try {
      await (await session)?.close();
    } catch (error) {
      // It never came to be: who asked for it was told.
      if (!(error instanceof ConnectionError)) this.#context.out.detail(errorText(error));
    }
  }
}

async function begin(
  session: MeshClient,
  { destination, node, ends }: {
    readonly destination: { readonly host: string; readonly port: number };
    readonly node: string;
    /** Lasts as long as the connection, and is disposed of with it. */
    readonly ends: FirstSignal;
  },
): Promise<Opened> {
  const { signal } = ends;
  const over = () => ends[Symbol.dispose]();
  try {
    const signed = await session.sign("forward.connect", destination, { targets: [node] });
    const call = session.stream("forward.connect", signed, { signed: true, deadlineMs: 0, signal });
    call.reply.then(over, over);
    call.send(null).catch(() => {
      // Why the call is over comes from its items.
    });
    const items = call[Symbol.asyncIterator]();
    const connected = await items.next();
    if (!connected.done) return { call, items };
    throw new CallError("failed", "Connection ended before it began");
  } catch (error) {
    over();
    throw error;
  }
}
