/**
 * What programs of this host send through the daemon's socket, on the authority of the node's key. For
 * each target and tag one after the other, so that their order is kept; bounded in all.
 */

import { type Caller, CallError, type ModuleHost, type Timer, toHex } from "../../core/mod.ts";
import type { PutReply } from "./letter.ts";
import { LETTER_BYTES_MAX, OUTBOX_BYTES_MAX, PUT_MS_MAX } from "./limits.ts";
import { deliverByGroup, sendLetter } from "./sending.ts";

const ID_BYTES = 16;
/** How long from its making a part may be started. */
const START_MS_MAX = 5_000;

export interface Outgoing {
  readonly node: string;
  readonly tag: string;
  readonly waitMs: number;
  readonly signal: AbortSignal;
}

/** Letters for one tag of one node, of which one is on its way. */
interface Line {
  /** By the monotonic clock, when the mailbox last took something. */
  movedAt: number;
  /** What tells those behind that it is their turn. */
  readonly waiting: Set<() => void>;
}

export class Outbox {
  readonly #host: ModuleHost;
  readonly #group: Caller;
  /** By node and tag. */
  readonly #lines = new Map<string, Line>();
  #bytes = 0;

  constructor(host: ModuleHost) {
    this.#host = host;
    this.#group = host.module("group");
  }

  /** Gathers the items of a call into one body. Rejects with CallError when it is too much. */
  async gather(items: AsyncIterable<unknown>): Promise<Uint8Array> {
    const chunks: Uint8Array[] = [];
    let bytes = 0;
    try {
      for await (const item of items) {
        if (!(item instanceof Uint8Array)) {
          throw new CallError("invalid", "A message is sent as items of bytes");
        }
        this.#hold(item.length);
        bytes += item.length;
        if (bytes > LETTER_BYTES_MAX) {
          throw new CallError("invalid", `Message has more than ${LETTER_BYTES_MAX} bytes`);
        }
        chunks.push(item.slice());
      }
      return joined(chunks, bytes);
    } finally {
      this.#bytes -= bytes;
    }
  }

  /**
   * Resolves when the letter is in the mailbox, or there was no room. Rejects with CallError, also
   * when those before it have not moved for as long as it would wait itself.
   */
  async send(body: Uint8Array, outgoing: Outgoing): Promise<PutReply> {
    this.#hold(body.length);
    try {
      const line = await this.#turn(outgoing);
      try {
        return await this.#sendNow(body, outgoing, line);
      } finally {
        this.#pass(outgoing, line);
      }
    } finally {
      this.#bytes -= body.length;
    }
  }

  /** Waits until those before are gone; {@link #pass} must follow. */
  async #turn(outgoing: Outgoing): Promise<Line> {
    const { node, tag, waitMs, signal } = outgoing;
    const { clock } = this.#host.env;
    signal.throwIfAborted();
    const joinedAt = clock.monotonic();
    const line = this.#lines.get(nameOf(outgoing));
    if (line === undefined) {
      const begun: Line = { movedAt: joinedAt, waiting: new Set() };
      this.#lines.set(nameOf(outgoing), begun);
      return begun;
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    let timer: Timer | undefined;
    const leave = (reason: unknown) => {
      line.waiting.delete(resolve);
      reject(reason);
    };
    const onAbort = () => leave(signal.reason);
    const look = () => {
      const end = Math.max(joinedAt, line.movedAt) + waitMs + PUT_MS_MAX;
      const left = end - clock.monotonic();
      if (left > 0) timer = clock.after(left, look);
      else leave(new CallError("busy", `Messages before this one wait for "${tag}" of "${node}"`));
    };
    line.waiting.add(resolve);
    signal.addEventListener("abort", onAbort);
    look();
    try {
      await promise;
      return line;
    } finally {
      timer?.cancel();
      signal.removeEventListener("abort", onAbort);
    }
  }

  #pass(outgoing: Outgoing, line: Line): void {
    const [next] = line.waiting;
    if (next === undefined) this.#lines.delete(nameOf(outgoing));
    else {
      line.waiting.delete(next);
      line.movedAt = this.#host.env.clock.monotonic();
      next();
    }
  }

  #sendNow(
    body: Uint8Array,
    { node, tag, waitMs, signal }: Outgoing,
    line: Line,
  ): Promise<PutReply> {
    const { env: { clock, random } } = this.#host;
    return sendLetter({
      tag,
      id: toHex(random.bytes(ID_BYTES)),
      body,
      waitMs,
      clock,
      signal,
      deliver: async (part) => {
        const signed = this.#host.signRequest({
          verb: "mailbox.put",
          args: part,
          targets: [node],
          ttlMs: START_MS_MAX,
        });
        const way = { node, signed, waitMs: part.waitMs, signal };
        const reply = await deliverByGroup(this.#group, way);
        if (reply.kept) line.movedAt = clock.monotonic();
        return reply;
      },
    });
  }

  #hold(bytes: number): void {
    if (this.#bytes + bytes > OUTBOX_BYTES_MAX) {
      throw new CallError(
        "busy",
        `More than ${OUTBOX_BYTES_MAX} bytes of messages are on their way`,
      );
    }
    this.#bytes += bytes;
  }
}

function nameOf({ node, tag }: Outgoing): string {
  return `${node} ${tag}`;
}

function joined(chunks: readonly Uint8Array[], bytes: number): Uint8Array {
  const [first] = chunks;
  if (chunks.length === 1 && first !== undefined) return first;
  const whole = new Uint8Array(bytes);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}
