/**
 * Echoes: a packet to a node and back along one path, stamped by every node that it passes. When
 * none comes back, echoes to the nodes on the way find out how far one gets.
 */

import { CallError, type Clock, type Random, toHex, withTimeLimit } from "../../core/mod.ts";
import type { RouteClass } from "../shared/carrier.ts";
import { ECHOES_MAX } from "./limits.ts";
import {
  echoTimes,
  type Packet,
  readPacket,
  type Refusal,
  refusedAt,
  STREAM_ID_BYTES,
  streamOf,
  writeEcho,
} from "./packet.ts";
import type { RefusedPacket } from "./transit.ts";

const MICROSECONDS = 1_000;

export interface EchoesOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly transmit: (packet: Packet) => void;
}

export interface EchoQuestion {
  /** From us to the target, both included. */
  readonly path: readonly string[];
  readonly class: RouteClass;
  /** For the echo; as much again is spent on finding where it was lost. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

/** Round trips from us, in milliseconds. */
export interface EchoAnswer {
  /** Undefined: the echo did not come back. */
  readonly ms: number | undefined;
  /** To each node of the path behind us; undefined where it is not known. */
  readonly hops: readonly (number | undefined)[];
  /** Where it was lost; undefined when later ones came back from everywhere. */
  readonly lost?: LostEcho;
}

/** The last node that answered, and what it said. */
export interface LostEcho {
  readonly by: string;
  readonly hop: string;
  readonly text: string;
  /** Undefined: it did not refuse, nothing came back from behind it. */
  readonly why?: Refusal;
}

type Outcome = { readonly reply: Packet } | { readonly refused: RefusedPacket };

export class Echoes {
  readonly #options: EchoesOptions;
  readonly #pending = new Map<string, (outcome: Outcome) => void>();

  constructor(options: EchoesOptions) {
    this.#options = options;
  }

  /** Rejects with CallError when too many are under way, or with the signal's reason. */
  async ask(question: EchoQuestion): Promise<EchoAnswer> {
    const outcome = await this.#echo(question);
    if (outcome === undefined) return await this.#search(question);
    const { path } = question;
    if ("reply" in outcome) {
      const { ms, reply } = outcome;
      const times = echoTimes(reply).map((us) => within(ms - us / MICROSECONDS, ms));
      return { ms, hops: [...times, ms] };
    }
    const { by, hop, text, why } = outcome.refused;
    const hops = path.slice(1).map((keyId) => keyId === by ? outcome.ms : undefined);
    return { ms: undefined, hops, lost: { by, hop, text, why } };
  }

  onReply(reply: Packet): void {
    this.#pending.get(streamOf(reply))?.({ reply });
  }

  onRefused(refused: RefusedPacket): void {
    this.#pending.get(refused.stream)?.({ refused });
  }

  /** To each node on the way at once. */
  async #search(question: EchoQuestion): Promise<EchoAnswer> {
    const { path } = question;
    const hops = await Promise.all(
      path.slice(1).map(async (_, index) => {
        const outcome = await this.#echo({ ...question, path: path.slice(0, index + 2) });
        return outcome !== undefined && "reply" in outcome ? outcome.ms : undefined;
      }),
    );
    // It came too late all the same: this is the answer to another one.
    if (hops.at(-1) !== undefined) return { ms: undefined, hops };
    const last = hops.findLastIndex((one) => one !== undefined) + 1;
    const [by, hop] = [path[last] as string, path[last + 1] as string];
    return { ms: undefined, hops, lost: { by, hop, text: "no answer" } };
  }

  /** Undefined: nothing came back in time. */
  async #echo(question: EchoQuestion): Promise<Outcome & { readonly ms: number } | undefined> {
    const { clock, random, transmit } = this.#options;
    const { path, class: routeClass, timeoutMs, signal } = question;
    if (this.#pending.size >= ECHOES_MAX) {
      throw new CallError("busy", `${ECHOES_MAX} echoes are under way already`);
    }
    const stream = random.bytes(STREAM_ID_BYTES);
    const id = toHex(stream);
    const late = new CallError("timeout", "No echo");
    try {
      return await withTimeLimit((over) =>
        new Promise((resolve, reject) => {
          const from = clock.monotonic();
          over.addEventListener("abort", () => reject(over.reason));
          if (over.aborted) return reject(over.reason);
          this.#pending.set(id, (outcome) => {
            if ("refused" in outcome && refusedAt(path, outcome.refused) < 0) return;
            resolve({ ...outcome, ms: clock.monotonic() - from });
          });
          transmit(readPacket(writeEcho({ class: routeClass, stream, path })));
        }), {
        clock,
        ms: timeoutMs,
        late: () => late,
        ...(signal === undefined ? {} : { signal }),
      });
    } catch (error) {
      if (error === late) return undefined;
      throw error;
    } finally {
      this.#pending.delete(id);
    }
  }
}

/** What a node stamps is its own affair: it may show nonsense, and then nothing is shown. */
function within(ms: number, total: number): number | undefined {
  return ms >= 0 && ms <= total ? ms : undefined;
}
