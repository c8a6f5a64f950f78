/**
 * One command on several nodes, each in a session of its own that ends in that node: nothing goes
 * through the tree, so nobody between can read or change anything, and nothing is folded on the way.
 */

import { CallError, MinimeError } from "../../core/mod.ts";
import type { CommandContext } from "../shared/command.ts";
import { SESSION_SILENT_MS_MAX } from "../shared/limits.ts";
import { failureOf } from "../shared/session_failure.ts";
import { inWindow } from "../shared/window.ts";
import { type ExecutionOptions, NOT_STARTED } from "./execution.ts";
import { SESSIONS_MAX } from "./limits.ts";
import { nodesetOf, type SignalName } from "./order.ts";
import { Outcome } from "./outcome.ts";
import { runInSession, type SendSignal } from "./session_run.ts";

export interface PrivateExecutionOptions extends Omit<ExecutionOptions, "client" | "env"> {
  readonly context: Pick<CommandContext, "env" | "session">;
}

export class PrivateExecution {
  readonly outcome: Outcome;
  readonly #options: PrivateExecutionOptions;
  readonly #cancelled = new AbortController();
  readonly #running = new Map<string, SendSignal>();
  readonly #nodeset: string;
  #stopped = false;

  constructor(options: PrivateExecutionOptions) {
    this.#options = options;
    this.#nodeset = nodesetOf(options);
    this.outcome = new Outcome(options.missing);
  }

  /** Resolves when all nodes are accounted for. */
  async finish(): Promise<Outcome> {
    const { nodes, fanout } = this.#options;
    await inWindow(nodes, Math.min(fanout, SESSIONS_MAX), (node) => this.#runOn(node));
    return this.outcome;
  }

  /** Sends it to all programs that run, and starts no more. */
  async signal(signal: SignalName): Promise<void> {
    this.#stopped = true;
    await Promise.all([...this.#running.values()].map((send) => send(signal)));
  }

  /** Gives it up: nodes end what still runs. */
  cancel(reason: string): void {
    this.#stopped = true;
    this.#cancelled.abort(new CallError("cancelled", reason));
  }

  async #runOn(node: string): Promise<void> {
    if (this.#stopped) return this.outcome.fail(node, NOT_STARTED);
    const { context, order, as, connectMs, stdin, sink, onProgress, onQuiet } = this.#options;
    using input = stdin?.open();
    try {
      const end = await runInSession(context, {
        node,
        order: { ...order, nodeset: this.#nodeset },
        as,
        connectMs,
        ...(input === undefined ? {} : { input: input.bytes }),
        signal: this.#cancelled.signal,
        silence: { silentMs: SESSION_SILENT_MS_MAX, ...(onQuiet === undefined ? {} : { onQuiet }) },
        mayStart: () => !this.#stopped,
        onStart: (send) => void this.#running.set(node, send),
        onOutput: (chunk) => sink?.take(node, chunk),
      });
      this.outcome.ends.set(node, end);
      sink?.end(node, end);
    } catch (error) {
      if (this.#cancelled.signal.aborted || !(error instanceof MinimeError)) throw error;
      this.outcome.failures.set(node, failureOf(node, error));
    } finally {
      this.#running.delete(node);
      onProgress?.(this.outcome.ends.size + this.outcome.failures.size);
    }
  }
}
