/**
 * Calls of this daemon's modules to any node: one routed conduit to each, dialled once for all that
 * wait, and closed when nobody has called for a while. Who answers sees our node, by its certificate.
 */

import {
  CallError,
  Calls,
  type Clock,
  type Conduit,
  type Context,
  errorText,
  MinimeError,
  type Timer,
} from "../../core/mod.ts";
import { SESSION_IDLE_MS, SESSIONS_MAX } from "./limits.ts";

export interface SessionsOptions {
  readonly clock: Clock;
  /** By name or key id. Rejects with a MinimeError. */
  readonly dial: (node: string) => Promise<Conduit>;
}

/** What is asked of the node. */
export interface SessionCall {
  readonly verb: string;
  readonly args?: unknown;
  readonly signed?: boolean | undefined;
}

interface Session {
  readonly calls: Promise<Calls>;
  underWay: number;
  idle: Timer | undefined;
}

export class Sessions {
  readonly #options: SessionsOptions;
  readonly #sessions = new Map<string, Session>();

  constructor(options: SessionsOptions) {
    this.#options = options;
  }

  /** Items and reply are those of the verb there; input goes to it. Throws CallError. */
  async *call(
    node: string,
    { verb, args, signed }: SessionCall,
    context: Pick<Context, "input" | "signal" | "deadlineMs">,
  ): AsyncGenerator<unknown, unknown, void> {
    const session = this.#open(node);
    session.underWay++;
    session.idle?.cancel();
    try {
      const calls = await session.calls;
      const { signal, deadlineMs } = context;
      const call = calls.stream(verb, args, { signal, deadlineMs, signed: signed ?? false });
      // How it ends is told by the reply.
      void passInput(context.input, call).catch(() => {});
      try {
        yield* call;
        return await call.reply;
      } finally {
        call.cancel();
      }
    } catch (error) {
      if (error instanceof CallError || !(error instanceof MinimeError)) throw error;
      throw new CallError("unreachable", errorText(error), { cause: error });
    } finally {
      session.underWay--;
      if (session.underWay === 0) this.#closeLater(node, session);
    }
  }

  /** The router closes the conduits. */
  stop(): void {
    for (const { idle } of this.#sessions.values()) idle?.cancel();
    this.#sessions.clear();
  }

  #open(node: string): Session {
    const known = this.#sessions.get(node);
    if (known !== undefined) return known;
    if (this.#sessions.size >= SESSIONS_MAX) {
      throw new CallError("busy", `${SESSIONS_MAX} routed conduits are open already`);
    }
    const calls = this.#dial(node);
    const session: Session = { calls, underWay: 0, idle: undefined };
    this.#sessions.set(node, session);
    const forget = () => this.#forget(node, session);
    calls.then(({ done }) => done.then(forget), forget);
    return session;
  }

  async #dial(node: string): Promise<Calls> {
    const conduit = await this.#options.dial(node);
    return new Calls({ conduit, clock: this.#options.clock, dialled: true });
  }

  #forget(node: string, session: Session): void {
    session.idle?.cancel();
    if (this.#sessions.get(node) === session) this.#sessions.delete(node);
  }

  #closeLater(node: string, session: Session): void {
    if (this.#sessions.get(node) !== session) return;
    session.idle = this.#options.clock.after(SESSION_IDLE_MS, () => {
      this.#forget(node, session);
      void session.calls.then((calls) => calls.close("idle"));
    });
  }
}

async function passInput(
  input: AsyncIterable<unknown>,
  call: { send(item: unknown): Promise<void>; end(): Promise<void> },
): Promise<void> {
  for await (const item of input) await call.send(item);
  await call.end();
}
