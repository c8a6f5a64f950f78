/**
 * Programs in the background, inside of the process that holds them (holder.ts): started by a user who
 * then goes away, and found again by their name. The last of their output and how they ended are kept
 * for a while; what there is at all is on record (job_records.ts) before it runs.
 */

import { CallError, type Environment, errorText, type Log } from "../../core/mod.ts";
import type { JobRecord, JobRecords } from "./job_records.ts";
import {
  JOB_ARGV_CHARACTERS_MAX,
  JOB_KEPT_MS,
  JOB_LIST_CHARACTERS_MAX,
  JOB_NODESET_CHARACTERS_MAX,
  JOBS_KEPT_MAX,
} from "./limits.ts";
import type { JobEnd, JobOrder, JobView, RunEnd, SignalName } from "./order.ts";
import type { Chunk } from "./program.ts";
import type { Programs, Signed } from "./programs.ts";
import { Ring } from "./ring.ts";

interface Job {
  readonly name: string;
  readonly keyId: string;
  readonly run: string;
  /** All nodes that were to run it, folded; undefined when nobody said it, or in too many words. */
  readonly nodeset: string | undefined;
  /** Shortened when it is long. */
  readonly argv: readonly string[];
  /** Unix ms. */
  readonly startedMs: number;
  readonly ring: Ring;
  /** Of output, before this process held it. */
  readonly earlierBytes: number;
  endedMs: number | undefined;
  end: RunEnd | undefined;
  /** Resolves when it runs or never will. Never rejects. */
  started: Promise<void>;
  /** Resolves when it has ended. Never rejects. */
  over: Promise<void>;
}

/** Nobody's: a job does not end because a caller has gone. */
const NEVER = new AbortController().signal;
const NO_INPUT: AsyncIterable<never> = { [Symbol.asyncIterator]: () => NOTHING };
const NOTHING: AsyncIterator<never> = {
  next: () => Promise.resolve({ done: true, value: undefined }),
};

/** Said of what ran when its holder died: the holder's warden has killed it. */
const LOST: RunEnd = {
  code: 125,
  error: "Lost: the process that held it has died, or the machine was switched off",
};

export interface JobsParts {
  readonly env: Pick<Environment, "clock">;
  readonly log: Log;
  readonly programs: Pick<Programs, "run" | "signalOf">;
  readonly records: Pick<JobRecords, "read" | "save">;
}

export class Jobs {
  readonly #parts: JobsParts;
  /** By key id and name, in the order of their start. */
  readonly #jobs = new Map<string, Job>();

  constructor(parts: JobsParts) {
    this.#parts = parts;
  }

  /** Takes over what is on record from a holder before this one. */
  async restore(): Promise<void> {
    const now = this.#parts.env.clock.now();
    for (const record of await this.#parts.records.read()) {
      const ring = new Ring();
      ring.finish();
      const { bytes: earlierBytes, endedMs = now, end = LOST, nodeset, ...known } = record;
      const nothing = Promise.resolve();
      const times = { endedMs, started: nothing, over: nothing };
      this.#jobs.set(keyOf(record), { ...known, nodeset, ring, earlierBytes, end, ...times });
    }
    this.#forget();
    await this.#save();
  }

  /** Whether there is nothing here for which anybody could ask. */
  get isEmpty(): boolean {
    this.#forget();
    return this.#jobs.size === 0;
  }

  /**
   * Resolves when it runs, or with its end when it could not be started. The same run again is the
   * same job: it is never started twice.
   */
  async start(
    order: JobOrder,
    by: Signed,
    options: { readonly elsewhere: number },
  ): Promise<{ end?: RunEnd }> {
    const { job: name, ...run } = order;
    const { keyId } = by.identity;
    const key = keyOf({ keyId, name });
    this.#forget();
    const known = this.#jobs.get(key);
    if (known !== undefined && known.run === order.run) {
      await known.started;
      if (this.#jobs.get(key) === known) return startedAs(known);
      throw new CallError("failed", `Job "${name}" could not be started`);
    }
    if (known !== undefined && known.endedMs === undefined) {
      throw new CallError("failed", `Job "${name}" runs already`);
    }
    const { promise: started, resolve: onStart } = Promise.withResolvers<void>();
    const job: Job = {
      name,
      keyId,
      run: order.run,
      nodeset: (order.nodeset?.length ?? Infinity) > JOB_NODESET_CHARACTERS_MAX
        ? undefined
        : order.nodeset,
      argv: shortWords(order.argv, JOB_ARGV_CHARACTERS_MAX),
      startedMs: this.#parts.env.clock.now(),
      ring: new Ring(),
      earlierBytes: 0,
      endedMs: undefined,
      end: undefined,
      started,
      over: Promise.resolve(),
    };
    this.#jobs.delete(key);
    this.#jobs.set(key, job);
    try {
      await this.#save();
      const context = { principal: by, signal: NEVER, bound: false, input: NO_INPUT };
      const output = this.#parts.programs.run(run, context, { onStart, ...options });
      const following = this.#follow(job, output);
      job.over = following.catch((error) => {
        this.#parts.log("warning", `Job "${name}" broke off: ${errorText(error)}`);
      });
      await Promise.race([started, following]);
    } catch (error) {
      if (this.#jobs.get(key) === job) this.#jobs.delete(key);
      await this.#trySave();
      throw error;
    } finally {
      onStart();
    }
    return startedAs(job);
  }

  /** Resolves when all have ended and their ends are on record. */
  async settled(): Promise<void> {
    await Promise.all([...this.#jobs.values()].map(({ over }) => over));
  }

  /** Those of the user of that key; the more there are, the less is told of each. */
  list(keyId: string): JobView[] {
    this.#forget();
    const jobs = [...this.#jobs.values()].filter((job) => job.keyId === keyId);
    const charactersMax = Math.floor(JOB_LIST_CHARACTERS_MAX / Math.max(1, jobs.length));
    return jobs.map(({ name, run, argv, startedMs, endedMs, end, ...job }) => ({
      job: name,
      run,
      argv: shortWords(argv, charactersMax),
      startedMs,
      bytes: bytesOf(job),
      ...(endedMs === undefined ? {} : { endedMs }),
      ...(end === undefined ? {} : { end: shortEnd(end, charactersMax) }),
    }));
  }

  /** Its output; and how it ended, if it has. */
  async *logs(
    { keyId, job: name, follow }: { keyId: string; job: string; follow: boolean },
    { signal }: { readonly signal: AbortSignal },
  ): AsyncGenerator<Chunk, JobEnd, void> {
    const job = this.#find(keyId, name);
    if (job === undefined) return { found: false };
    const cutBytes = yield* job.ring.read({ follow, signal });
    // The output is over a moment before the end is known.
    if (follow && !signal.aborted) await job.over;
    const missed = cutBytes + job.earlierBytes;
    return { ...endOf(job), ...(missed === 0 ? {} : { cutBytes: missed }) };
  }

  /** When it has ended. */
  async wait(
    { keyId, job: name }: { keyId: string; job: string },
    { signal }: { readonly signal: AbortSignal },
  ): Promise<JobEnd> {
    const job = this.#find(keyId, name);
    if (job === undefined) return { found: false };
    const { promise: gone, resolve } = Promise.withResolvers<void>();
    signal.addEventListener("abort", () => resolve());
    await Promise.race([job.over, gone]);
    return endOf(job);
  }

  /** To all of its processes. */
  signal(
    { keyId, job: name, signal }: { keyId: string; job: string; signal: SignalName },
  ): JobEnd {
    const job = this.#find(keyId, name);
    if (job === undefined) return { found: false };
    this.#parts.programs.signalOf(keyId, { run: job.run, signal });
    return endOf(job);
  }

  async #follow(job: Job, output: AsyncGenerator<Chunk, RunEnd, void>): Promise<void> {
    try {
      for (;;) {
        const { done, value } = await output.next();
        if (!done) job.ring.push(value);
        else {
          job.end = value;
          return;
        }
      }
    } catch (error) {
      job.end = { code: 125, error: errorText(error) };
      throw error;
    } finally {
      job.endedMs = this.#parts.env.clock.now();
      job.ring.finish();
      // Who waits for the end hears of it when no crash can make it another one.
      await this.#trySave();
    }
  }

  #find(keyId: string, name: string): Job | undefined {
    this.#forget();
    return this.#jobs.get(keyOf({ keyId, name }));
  }

  /**
   * What ended long ago; and when there are many, what ended first of the user who has most of them: one
   * user's jobs must not push out what others want to know.
   */
  #forget(): void {
    const now = this.#parts.env.clock.now();
    const kept = new Map<string, { readonly key: string; readonly endedMs: number }[]>();
    let count = 0;
    for (const [key, { keyId, endedMs }] of this.#jobs) {
      if (endedMs === undefined) continue;
      if (now - endedMs > JOB_KEPT_MS) {
        this.#jobs.delete(key);
        continue;
      }
      const own = kept.get(keyId) ?? [];
      own.push({ key, endedMs });
      kept.set(keyId, own);
      count++;
    }
    for (; count > JOBS_KEPT_MAX; count--) {
      const most = [...kept.values()].reduce((a, b) => b.length > a.length ? b : a);
      const first = most.reduce((a, b) => b.endedMs < a.endedMs ? b : a);
      most.splice(most.indexOf(first), 1);
      this.#jobs.delete(first.key);
    }
  }

  async #save(): Promise<void> {
    await this.#parts.records.save(() => [...this.#jobs.values()].map(recordOf));
  }

  /** What is not on record is told as lost by the next holder, should there be one. */
  async #trySave(): Promise<void> {
    try {
      await this.#save();
    } catch (error) {
      this.#parts.log("warning", `Jobs are not on record: ${errorText(error)}`);
    }
  }
}

function keyOf({ keyId, name }: Pick<Job, "keyId" | "name">): string {
  return `${keyId} ${name}`;
}

function recordOf(job: Job): JobRecord {
  const { name, keyId, run, nodeset, argv, startedMs, endedMs, end } = job;
  return {
    name,
    keyId,
    run,
    argv,
    startedMs,
    bytes: bytesOf(job),
    ...(nodeset === undefined ? {} : { nodeset }),
    ...(endedMs === undefined ? {} : { endedMs }),
    ...(end === undefined ? {} : { end }),
  };
}

/** Those before the limit, and of the one that goes beyond it the beginning. */
function shortWords(argv: readonly string[], charactersMax: number): string[] {
  const words: string[] = [];
  let left = charactersMax;
  for (const word of argv) {
    if (word.length >= left) return [...words, cutText(word, left)];
    words.push(word);
    left -= word.length + 1;
  }
  return words;
}

function shortEnd(end: RunEnd, charactersMax: number): RunEnd {
  const { error = "" } = end;
  return error.length <= charactersMax ? end : { ...end, error: cutText(error, charactersMax) };
}

function cutText(text: string, characters: number): string {
  // A character of which one half is left would be none any more.
  return `${text.slice(0, characters).toWellFormed()}…`;
}

function bytesOf({ earlierBytes, ring }: Pick<Job, "earlierBytes" | "ring">): number {
  return earlierBytes + ring.written;
}

function startedAs({ end }: Job): { end?: RunEnd } {
  return end?.error === undefined ? {} : { end };
}

function endOf({ end, nodeset }: Job): JobEnd {
  return {
    found: true,
    ...(end === undefined ? {} : { end }),
    ...(nodeset === undefined ? {} : { nodeset }),
  };
}
