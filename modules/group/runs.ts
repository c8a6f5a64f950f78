/**
 * What this node itself does for group operations: runs the steps, once for each request id, and
 * keeps what came of it until no copy can be accepted any more. A copy that arrives on another way
 * attaches to the running or finished one. A run outlives the conduit that brought it, since the
 * origin will send again; it ends by its deadline or when somebody cancels the operation.
 */

import {
  type Caller,
  encodeCanonical,
  equalBytes,
  errorText,
  type StepResult,
  toCallError,
} from "../../core/mod.ts";
import type { Clock } from "../../core/mod.ts";
import { canonicalKey } from "../shared/canonical.ts";
import { formatDuration } from "../shared/duration.ts";
import type { FailureSet } from "../shared/group_result.ts";
import { GROUP_START_MS_MAX, GROUP_TARGETS_MAX } from "../shared/limits.ts";
import { listNodeset } from "../shared/nodeset.ts";
import { ENTRY_BYTES, RUN_BYTES_MAX, RUNS_MAX, START_DOUBT_MS, START_SKEW_MS } from "./limits.ts";
import type { Sink } from "./broadcast.ts";
import { KeptRun, type KeptRunParts } from "./kept_run.ts";
import type { Detail } from "./partial.ts";
import type { Work } from "./work.ts";

/** What became of one target. */
export type Outcome =
  | { readonly set: "answered"; readonly answer: unknown; readonly bytes: number }
  | { readonly set: FailureSet; readonly detail: Detail };

/** A run as one sees it who carries it; writes to it are the operation's input. */
export interface Run extends Sink {
  /** Never rejects; the same for every copy. */
  readonly outcome: Promise<Outcome>;
  /** What it streams, with its place in the whole; ends with the run. */
  items(): AsyncIterable<readonly [place: number, value: unknown]>;
  /** The operation is no longer wanted. */
  cancel(): void;
  /** Somebody else may carry it from now on. Idempotent. */
  release(): void;
}

export interface RunsOptions {
  readonly clock: Pick<Clock, "now" | "after">;
  /** The core of this daemon. */
  readonly core: Caller;
  readonly selfName: string;
}

export class Runs {
  readonly #options: RunsOptions;
  /** By request id, oldest first. Different orders under one id are kept side by side. */
  readonly #kept = new Map<string, KeptRun[]>();
  #count = 0;
  #bytes = 0;

  constructor(options: RunsOptions) {
    this.#options = options;
  }

  /** Operations remembered. */
  get size(): number {
    return this.#count;
  }

  run(work: Work, deadlineMs: number): Run {
    const now = this.#options.clock.now();
    this.#forgetExpired(now);
    let order: string | Uint8Array;
    try {
      order = work.signed ?? canonicalKey(work.steps);
    } catch (error) {
      const reason = `Arguments cannot travel: ${errorText(error)}`;
      return settled({ set: "failed", detail: { reason } });
    }
    const copy = this.#kept.get(work.id)?.find((kept) => sameOrder(kept.order, order));
    if (copy !== undefined) return copy.carry();
    const late = now - work.startBy;
    if (late > START_SKEW_MS) {
      // Of many that are a little late, all say the same.
      const by = late < 1_000 ? "" : ` ${formatDuration(late)}`;
      const reason = `Came${by} after its latest start`;
      return settled({ set: "timedOut", detail: { reason, ran: "never" } });
    }
    // The origin checks it too, but a neighbour's word must not make us remember for ever.
    if (work.startBy > now + GROUP_START_MS_MAX + START_DOUBT_MS) {
      return settled({ set: "failed", detail: { reason: "Latest start is too far away" } });
    }
    const bytes = order.length + ENTRY_BYTES;
    if (!this.#makeRoom(bytes)) {
      const reason = "Too many group operations at once; try again later";
      return settled({ set: "failed", detail: { reason } });
    }
    // A view of the message that brought it would keep all of that alive.
    const own = typeof order === "string" ? order : order.slice();
    return this.#start(work, deadlineMs, { order: own, bytes }).carry();
  }

  #start(
    work: Work,
    deadlineMs: number,
    parts: Pick<KeptRunParts, "order" | "bytes">,
  ): KeptRun {
    const { clock } = this.#options;
    const kept = new KeptRun({ ...parts, untilMs: work.startBy + START_DOUBT_MS, clock });
    kept.outcome = this.#execute(work, deadlineMs, kept);
    const same = this.#kept.get(work.id);
    if (same === undefined) this.#kept.set(work.id, [kept]);
    else same.push(kept);
    this.#count++;
    this.#bytes += kept.bytes;
    kept.outcome.then((outcome) => {
      kept.finish();
      // What was refused has not run: whoever brings the true request must not be told this.
      if (outcome.set === "refused") return this.#forget(work.id, kept);
      const answer = outcome.set === "answered" ? outcome.bytes : outcome.detail.reason.length;
      const bytes = answer + kept.tape.bytes;
      kept.bytes += bytes;
      this.#bytes += bytes;
    });
    return kept;
  }

  async #execute(work: Work, deadlineMs: number, kept: KeptRun): Promise<Outcome> {
    const { core, selfName } = this.#options;
    const steps = work.signed ?? work.steps?.map(({ verb, args }) => ({ verb, args }));
    try {
      const listed = work.listed === undefined
        ? {}
        : { listedNames: listNodeset(work.listed, { namesMax: GROUP_TARGETS_MAX }) };
      const { signal } = kept;
      const execute = { steps, ...listed };
      const results = work.stream || work.input
        ? await kept.follow(
          core.stream("core.execute", { ...execute, stream: true }, { deadlineMs, signal }),
        )
        : await core.request("core.execute", execute, { deadlineMs, signal });
      return outcomeOf(results as StepResult[], { selfName, bytesMax: work.bytesPerNodeMax });
    } catch (error) {
      const failure = toCallError(error);
      return failureOf(failure.class, failure.message, { selfName, ran: "maybe" });
    }
  }

  #forgetExpired(now: number): void {
    for (const [id, all] of this.#kept) {
      for (const kept of all) {
        // What still runs is kept, however old.
        if (!kept.finished) continue;
        if (kept.untilMs >= now) continue;
        this.#forget(id, kept);
      }
    }
  }

  #forget(id: string, kept: KeptRun): void {
    const rest = this.#kept.get(id)?.filter((other) => other !== kept) ?? [];
    if (rest.length === 0) this.#kept.delete(id);
    else this.#kept.set(id, rest);
    this.#count--;
    this.#bytes -= kept.bytes;
  }

  /**
   * Gives up the oldest answers first, and only then the knowledge that something ran: or a few
   * large operations of anybody would shut out all others. A copy that comes after that reads once
   * more, or finds in the core's journal that its signed request ran.
   */
  #makeRoom(bytes: number): boolean {
    this.#dropAnswers(bytes);
    for (const [id, all] of this.#kept) {
      if (this.#hasRoom(bytes)) return true;
      for (const kept of all) if (kept.finished) this.#forget(id, kept);
    }
    return this.#hasRoom(bytes);
  }

  #hasRoom(bytes: number): boolean {
    return this.#count < RUNS_MAX && this.#bytes + bytes <= RUN_BYTES_MAX;
  }

  #dropAnswers(bytes: number): void {
    for (const all of this.#kept.values()) {
      if (this.#bytes + bytes <= RUN_BYTES_MAX) return;
      for (const kept of all) {
        const freed = kept.bytes - kept.order.length - ENTRY_BYTES;
        if (!kept.finished || freed <= 0) continue;
        const reason = "It ran, but its answer is no longer kept";
        kept.outcome = Promise.resolve({ set: "failed", detail: { reason } });
        kept.tape.forget();
        kept.bytes -= freed;
        this.#bytes -= freed;
      }
    }
  }
}

function settled(outcome: Outcome): Run {
  const nothing = () => Promise.resolve();
  return {
    outcome: Promise.resolve(outcome),
    async *items() {},
    write: nothing,
    end: nothing,
    cancel() {},
    release() {},
  };
}

function sameOrder(a: string | Uint8Array, b: string | Uint8Array): boolean {
  if (typeof a === "string" || typeof b === "string") return a === b;
  return equalBytes(a, b);
}

/** Of one step the answer is its reply, of several the list of their replies. */
function outcomeOf(
  results: readonly StepResult[],
  options: { readonly selfName: string; readonly bytesMax: number },
): Outcome {
  const { selfName, bytesMax } = options;
  const values: unknown[] = [];
  for (const [step, result] of results.entries()) {
    if (result.ok) {
      values.push(result.value ?? null);
      continue;
    }
    const ran = step === 0 && result.class === "unreachable" ? "never" : "maybe";
    return failureOf(result.class, result.message, { selfName, ran, step });
  }
  const answer = values.length === 1 ? values[0] : values;
  try {
    // As deep as it will lie in a partial: what cannot travel is a failure of this target alone.
    const bytes = encodeCanonical([[[[[answer]]]]]).length;
    canonicalKey(answer);
    if (bytes <= bytesMax) return { set: "answered", answer, bytes };
    const reason = `Answer of ${bytes} bytes is too large: ${bytesMax} bytes per node are allowed`;
    return { set: "failed", detail: { reason } };
  } catch (error) {
    return { set: "failed", detail: { reason: `Answer cannot travel: ${errorText(error)}` } };
  }
}

function failureOf(
  errorClass: string,
  reason: string,
  options: { readonly selfName: string; readonly ran: "never" | "maybe"; readonly step?: number },
): Outcome {
  const { selfName, ran, step = 0 } = options;
  const detail = { reason, ...(step === 0 ? {} : { step }) };
  switch (errorClass) {
    case "refused":
      return { set: "refused", detail };
    case "timeout":
      return { set: "timedOut", detail: { ...detail, ran: "maybe" } };
    case "unreachable":
      return { set: "unreachable", detail: { ...detail, ran, at: selfName } };
    default:
      return { set: "failed", detail };
  }
}
