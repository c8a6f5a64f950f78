/** One request of ours, from its start to its reply or failure. Used by Calls alone. */

import type { Conduit } from "../conduit/conduit.ts";
import type { Clock, Timer } from "../environment/environment.ts";
import { CallError, errorText } from "../errors.ts";
import { KIND, type Kind, type Message, type Priority } from "../wire/message.ts";
import type { Call, CallOptions } from "./call.ts";
import { decodeCallError } from "./call_error.ts";
import { creditOf } from "./incoming.ts";
import { StreamReceiver, StreamSender } from "./stream.ts";

export interface OutgoingOptions {
  readonly verb: string;
  readonly stream: number;
  readonly priority: Priority;
  readonly conduit: Conduit;
  readonly onOver: () => void;
}

/** Settles exactly once: by its end or error, its deadline, its signal, or its conduit's end. */
export class OutgoingCall implements Call {
  readonly reply: Promise<unknown>;
  readonly #options: OutgoingOptions;
  #items: StreamReceiver | undefined;
  #sender: StreamSender | undefined;
  #discard = false;
  #ended = false;
  #over: CallError | undefined | true;
  #timer: Timer | undefined;
  #signal: AbortSignal | undefined;
  #resolve: (value: unknown) => void = () => {};
  #reject: (error: CallError) => void = () => {};

  constructor(options: OutgoingOptions) {
    this.#options = options;
    this.reply = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    // Whoever only iterates gets the failure from the iterator.
    this.reply.catch(() => {});
  }

  begin(args: unknown, options: CallOptions & { readonly deadlineMs: number }, clock: Clock): void {
    const { verb } = this.#options;
    const { deadlineMs, signal } = options;
    if (signal?.aborted) return this.#abortBy(signal);
    // Who hands on what is left of its own patience may have none left.
    if (!(deadlineMs >= 0)) {
      return this.fail(new CallError("timeout", `No time is left to call "${verb}"`));
    }
    if (deadlineMs > 0) {
      this.#timer = clock.after(deadlineMs, () => {
        this.#stop(new CallError("timeout", `No answer to "${verb}" within ${deadlineMs} ms`));
      });
    }
    if (signal !== undefined) {
      this.#signal = signal;
      signal.addEventListener("abort", this.#onAbort);
    }
    const message: Message = {
      ...this.#make(KIND.request, args),
      verb,
      deadlineMs,
      signed: options.signed ?? false,
    };
    this.#options.conduit.send(message).catch((error: unknown) => this.fail(unsendable(error)));
  }

  [Symbol.asyncIterator](): AsyncIterator<unknown> {
    return this.#receiver()[Symbol.asyncIterator]();
  }

  discardItems(): void {
    this.#discard = true;
  }

  async send(item: unknown): Promise<void> {
    this.#sender ??= new StreamSender();
    if (this.#over !== undefined || this.#ended) throw this.#overError();
    await this.#sender.send(() => {
      const message = this.#make(KIND.item, item);
      const done = this.#options.conduit.send(message).catch((error: unknown) => {
        throw unsendable(error);
      });
      return { weight: message.weight, done };
    });
  }

  async end(): Promise<void> {
    if (this.#ended || this.#over !== undefined) return;
    this.#ended = true;
    await this.#sender?.flush();
    if (this.#over !== undefined) return;
    await this.#options.conduit.send(this.#make(KIND.end, undefined)).catch(() => {
      // The reply tells how the call ended.
    });
  }

  cancel(reason = "Cancelled"): void {
    this.#stop(new CallError("cancelled", reason));
  }

  receive(message: Message): void {
    if (message.kind === KIND.item) this.#receiver().push(message.body, message.weight);
    else if (message.kind === KIND.credit) {
      this.#sender ??= new StreamSender();
      this.#sender.give(creditOf(message));
    } else if (message.kind === KIND.error) this.fail(decodeCallError(message.body));
    else if (message.kind === KIND.end) this.#succeed(message.body);
  }

  fail(error: CallError): void {
    if (this.#over !== undefined) return;
    this.#over = error;
    this.#settle();
    this.#receiver().finish(error);
    this.#reject(error);
  }

  #succeed(body: unknown): void {
    if (this.#over !== undefined) return;
    this.#over = true;
    this.#settle();
    this.#items?.finish();
    this.#resolve(body);
  }

  #settle(): void {
    this.#timer?.cancel();
    this.#signal?.removeEventListener("abort", this.#onAbort);
    this.#sender?.finish(this.#overError());
    this.#options.onOver();
  }

  /** Gives up here and tells the callee. */
  #stop(error: CallError): void {
    if (this.#over !== undefined) return;
    this.fail(error);
    this.#options.conduit.send(this.#make(KIND.cancel, undefined)).catch(() => {
      // Nobody is left to be told.
    });
  }

  readonly #onAbort = (): void => {
    if (this.#signal !== undefined) this.#abortBy(this.#signal);
  };

  #abortBy(signal: AbortSignal): void {
    const { reason } = signal;
    this.#stop(
      reason instanceof CallError
        ? reason
        : new CallError("cancelled", `Cancelled: ${errorText(reason)}`),
    );
  }

  #receiver(): StreamReceiver {
    if (this.#items === undefined) {
      this.#items = new StreamReceiver((bytes) => {
        this.#options.conduit.send(this.#make(KIND.credit, bytes)).catch(() => {
          // Credit on a conduit that is gone is of no use to anybody.
        });
      });
      if (this.#discard) this.#items.discard();
      if (this.#over === true) this.#items.finish();
    }
    return this.#items;
  }

  #overError(): CallError {
    if (this.#over instanceof CallError) return this.#over;
    return new CallError("cancelled", `Call of "${this.#options.verb}" is over`);
  }

  #make(kind: Kind, body: unknown): Message {
    const { stream, priority } = this.#options;
    return { kind, priority, stream, verb: "", deadlineMs: 0, signed: false, body, weight: 0 };
  }
}

function unsendable(error: unknown): CallError {
  if (error instanceof CallError) return error;
  return new CallError("unreachable", errorText(error), { cause: error });
}
