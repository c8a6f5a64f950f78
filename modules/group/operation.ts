/**
 * One group operation at one node, origin and relay alike: runs the steps itself if it is a target,
 * passes the others on to its neighbours, and merges what comes back into partials for the one
 * above. Every target is settled exactly once, at the latest when the time is over.
 *
 * When the one above is gone, what runs below is not cancelled: the origin sends again by another
 * way, and the copies attach to it. Only a cancel, or the deadline, ends it.
 */

import {
  type Call,
  CallError,
  type Link,
  PRIORITY,
  ProtocolError,
  type Timer,
} from "../../core/mod.ts";
import { watchSilence } from "../shared/silence.ts";
import { Broadcast, type Sink, sinkOf } from "./broadcast.ts";
import { Collator } from "./collate.ts";
import { Due } from "./due.ts";
import { Items } from "./items.ts";
import {
  BEGUN_SHARE,
  ITEMS_BYTES_EARLY,
  ITEMS_MS,
  ORPHAN_MS,
  PART_BYTES_MAX,
  SUSPECT_MS,
} from "./limits.ts";
import {
  type Detail,
  doubted,
  isEmpty,
  type PartialBody,
  type PartialFailure,
  readPartial,
} from "./partial.ts";
import { createReducer } from "./reducers.ts";
import type { Run } from "./runs.ts";
import { relayArgs } from "./relay_args.ts";
import { relayLoss } from "./relay_loss.ts";
import { Starts } from "./starts.ts";
import type { Station } from "./station.ts";
import { type Edge, type Part, split } from "./tree.ts";
import type { Work } from "./work.ts";

export interface OperationOptions {
  readonly work: Work;
  /** Indices of the origin's list, and the names there. */
  readonly targets: ReadonlyMap<number, string>;
  readonly deadlineMs: number;
  /** Beyond the deadline, how long to wait for accounts from below. */
  readonly slackMs: number;
  /** Names of the nodes before us, the origin first. */
  readonly via: readonly string[];
  /** May grow while the operation runs. */
  readonly avoid: readonly Edge[];
  /** How long after the first news a partial is due; undefined: only when there is much of it. */
  readonly partMs: number | undefined;
  /** Whether another copy may have reached a target that one never started. @default there is none */
  readonly mayHaveRan?: (index: number) => boolean;
  /** Takes over targets whose way was lost: to send again, or to fail. @default they fail */
  readonly onLost?: (indices: readonly number[], detail: Detail) => void;
}

export class Operation {
  readonly #station: Station;
  readonly #options: OperationOptions;
  readonly #collator: Collator;
  readonly #deadlineAt: number;
  readonly #cancelled = new AbortController();
  readonly #runs: Run[] = [];
  readonly #items = new Items();
  readonly #input = new Broadcast();
  readonly #due: Due;
  readonly #starts: Starts;
  /** Parts that are under way below. */
  #carrying = 0;
  #abandoned: Timer | undefined;
  /** Nobody will read any more. */
  #over = false;
  #wake: (() => void) | undefined;
  #roomWaiters: (() => void)[] = [];

  constructor(station: Station, options: OperationOptions) {
    this.#station = station;
    this.#options = options;
    this.#deadlineAt = station.clock.monotonic() + options.deadlineMs;
    this.#collator = new Collator(options.targets.keys(), createReducer(options.work.reduce));
    this.#due = new Due(station.clock, () => this.#wakeReader());
    this.#starts = new Starts({
      clock: station.clock,
      startBy: options.work.startBy,
      graceMs: options.slackMs * BEGUN_SHARE,
      onWord: options.via.length === 0 ? undefined : () => this.#due.within(ITEMS_MS),
    });
  }

  get over(): boolean {
    return this.#over;
  }

  /** Begins with all targets, or tries again with some of them that are still open. */
  send(targets: ReadonlyMap<number, string> = this.#options.targets): void {
    if (!this.#input.isWhole) {
      const reason = "Too much input has passed to send it again by another way";
      return this.fail([...targets.keys()], { reason, ran: "maybe" });
    }
    const { picture, selfName, links } = this.#station;
    const { via, avoid } = this.#options;
    const { own, parts, lost } = split(targets, {
      picture,
      selfName,
      via,
      avoid,
      linked: (keyId) => links.get(keyId) !== undefined,
    });
    for (const { indices, detail } of lost) this.#lose(indices, detail);
    // Others are sent off before we begin ourselves.
    for (const part of parts) void this.#carry(part);
    if (own !== undefined) void this.#runOwn(own);
  }

  /** Settles targets that are open as unreachable. */
  fail(indices: readonly number[], detail: Detail): void {
    if (this.#over) return;
    this.#collator.fail("unreachable", indices, detail);
    this.#changed();
  }

  /** Hands what the caller streams to all targets. Resolves when that is done, or nobody waits. */
  async feed(input: AsyncIterable<unknown>): Promise<void> {
    for await (const item of input) {
      if (this.#over) return;
      await this.#input.send(item);
    }
    await this.#input.end();
  }

  /** Partials as they are due, and as the return value the last one. For one reader. */
  async *partials(): AsyncGenerator<PartialBody, PartialBody, void> {
    try {
      while (!this.#over && (this.#collator.open > 0 || this.#items.bytes > PART_BYTES_MAX)) {
        if (this.#isDue()) {
          this.#starts.told();
          yield this.#take();
        } else await new Promise<void>((resolve) => this.#wake = resolve);
      }
      const last = this.#take();
      // Whoever was given up and lives may be at work still.
      this.abandon();
      return last;
    } finally {
      this.#detach();
    }
  }

  /** Nobody waits for the account any more. */
  #detach(): void {
    this.#over = true;
    this.#due.clear();
    for (const run of this.#runs) run.release();
    this.#makeRoom();
    this.#wakeReader();
  }

  /**
   * Who passed it to us is gone: what runs below goes on, for the origin will soon send it again by another
   * way. If it does not, it has died, and what is carried by nobody but us ends with the wait for it.
   * Idempotent.
   */
  abandon(): void {
    this.#detach();
    if (this.#carrying === 0 || this.#abandoned || this.#cancelled.signal.aborted) return;
    this.#abandoned = this.#station.clock.after(ORPHAN_MS, () => this.cancel());
  }

  /** Nobody wants it any more, here and below. Idempotent. */
  cancel(): void {
    // Whoever has let go of a run cannot cancel it.
    for (const run of this.#runs) run.cancel();
    this.#detach();
    this.#cancelled.abort(new CallError("cancelled", "Operation was cancelled"));
  }

  get #leftMs(): number {
    return Math.ceil(this.#deadlineAt - this.#station.clock.monotonic());
  }

  async #runOwn(index: number): Promise<void> {
    const { work } = this.#options;
    const run = this.#station.runs.run(work, Math.max(1, this.#leftMs));
    this.#runs.push(run);
    using _ = this.#starts.begin();
    if (work.input) this.#input.add(run);
    for await (const [place, value] of run.items()) {
      if (this.#over) return;
      this.#items.push([index, place, value]);
      this.#changed();
      await this.#room();
    }
    const outcome = await run.outcome;
    this.#input.remove(run);
    if (this.#over) return;
    if (outcome.set === "answered") this.#collator.answer(index, outcome.answer);
    else this.#collator.fail(outcome.set, [index], outcome.detail);
    this.#changed();
  }

  /** One neighbour's part, until it is accounted for. Never rejects. */
  async #carry(part: Part): Promise<void> {
    this.#carrying++;
    await this.#carryPart(part);
    if (--this.#carrying === 0) this.#abandoned?.cancel();
  }

  async #carryPart(part: Part): Promise<void> {
    const owed = new Set(part.indices);
    const leftMs = this.#leftMs;
    const link = this.#station.links.get(part.next);
    const at = link?.peer.identity.name ?? this.#nameOf(part.next);
    if (leftMs <= 0) return this.#timeOut(owed, { reason: "Time was over", ran: "never" });
    if (link === undefined) {
      const reason = `Link from "${this.#station.selfName}" to "${at}" is gone`;
      return this.#lose(part.indices, { reason, ran: "never", ...this.#edgeTo(at) });
    }
    let call: Call | undefined;
    let sink: Sink | undefined;
    let givenUp = false;
    const noInput = () => sink === undefined || this.#input.remove(sink);
    using _ = watchSilence({
      clock: this.#station.clock,
      caller: link,
      heardAt: () => link.heardAt,
      silentMs: SUSPECT_MS,
      onSilent: () => {
        givenUp = this.#giveUp(owed, part.next, link.heardAt);
        if (givenUp) noInput();
        return givenUp;
      },
    });
    using word = this.#starts.await(link.peer, () => {
      if (givenUp) return;
      givenUp = true;
      noInput();
      // Whoever wakes up and finds the order finds this beside it.
      call?.cancel();
      const reason = `No word from "${at}" in time that it has begun`;
      this.#timeOut(owed, { reason, ran: "maybe" });
      owed.clear();
    });
    try {
      call = this.#pass(link, part, leftMs);
      if (this.#options.work.input) this.#input.add(sink = sinkOf(call));
      for await (const item of call) {
        word.heard();
        // What it still says is about targets that others owe by now.
        if (givenUp) continue;
        this.#merge(owed, item);
        await this.#room();
      }
      const last = await call.reply;
      if (givenUp) return;
      this.#merge(owed, last);
      if (owed.size > 0) throw new ProtocolError(`${owed.size} targets are missing in it`);
    } catch (error) {
      if (givenUp) return;
      call?.cancel();
      if (error instanceof CallError && error.class === "timeout") {
        const reason = `No account from relay "${at}" in time`;
        return this.#timeOut(owed, { reason, ran: "maybe" });
      }
      this.#lose([...owed], { ...relayLoss(error, at), ...this.#edgeTo(at) });
    } finally {
      noInput();
    }
  }

  /**
   * A silent neighbour: what it owes is reached around it, if there is a way to all of it. It may be
   * frozen, or only the link to it dead. `heardAt`: monotonic ms, when it was heard last.
   */
  #giveUp(owed: Set<number>, next: string, heardAt: number): boolean {
    const { clock, picture, selfName, links } = this.#station;
    const at = this.#nameOf(next);
    const { via, avoid, targets } = this.#options;
    if (this.#over || owed.size === 0) return true;
    // Nothing can be sent again any more: whoever is dead loses its link, and whoever is slow has time.
    if (!this.#input.isWhole) return false;
    const open = new Map([...owed].map((index) => [index, targets.get(index) ?? ""]));
    const linked = (keyId: string) => keyId !== next && links.get(keyId) !== undefined;
    const around = split(open, { picture, selfName, via, avoid, linked });
    if (around.lost.length > 0) return false;
    owed.clear();
    const reason = `Node "${at}" is silent`;
    const since = Math.floor(clock.now() - (clock.monotonic() - heardAt));
    this.#lose([...open.keys()], { reason, ran: "maybe", since, ...this.#edgeTo(at) });
    return true;
  }

  #pass(link: Link, part: Part, leftMs: number): Call {
    const { work, slackMs } = this.#options;
    const args = relayArgs(this.#options, { part, leftMs, selfName: this.#station.selfName });
    return link.stream("group.relay", args, {
      deadlineMs: leftMs + slackMs,
      signal: this.#cancelled.signal,
      ...(work.stream || work.input ? { priority: PRIORITY.bulk } : {}),
    });
  }

  /** Throws ProtocolError, and then nothing of the partial was taken. */
  #merge(owed: Set<number>, body: unknown): void {
    const partial = readPartial(body, owed);
    if (!this.#over) {
      if (isEmpty(partial)) this.#starts.give();
      for (const item of partial.items) this.#items.push(item);
      const final = partial.failures.filter(({ detail }) => detail.lost === undefined);
      this.#collator.merge({
        ...partial,
        failures: final.flatMap((one) => doubted(one, this.#options.mayHaveRan)),
      });
    }
    for (const index of partial.answered) owed.delete(index);
    for (const { indices, detail } of partial.failures) {
      for (const index of indices) owed.delete(index);
      if (detail.lost) this.#lose(indices, detail);
    }
    this.#changed();
  }

  #lose(indices: readonly number[], detail: Detail): void {
    if (this.#over || indices.length === 0) return;
    if (this.#options.onLost === undefined) this.fail(indices, detail);
    else this.#options.onLost(indices, detail);
  }

  #timeOut(owed: ReadonlySet<number>, detail: Detail): void {
    if (this.#over) return;
    const failure: PartialFailure = { set: "timedOut", indices: [...owed], detail };
    for (const one of doubted(failure, this.#options.mayHaveRan)) {
      this.#collator.fail(one.set, one.indices, one.detail);
    }
    this.#changed();
  }

  #edgeTo(at: string): Pick<Detail, "at" | "by" | "lost"> {
    return { at, by: this.#station.selfName, lost: true };
  }

  #nameOf(keyId: string): string {
    return this.#station.picture.byKey(keyId)?.name ?? keyId;
  }

  #take(): PartialBody {
    this.#due.clear();
    const items = this.#items.take(PART_BYTES_MAX);
    // What a target has streamed goes before its account.
    const isRest = this.#items.isEmpty;
    const body = isRest ? this.#collator.take() : {};
    if (!isRest) this.#due.within(0);
    this.#makeRoom();
    return items.length === 0 ? body : { ...body, items };
  }

  #isDue(): boolean {
    return this.#due.isNow || this.#collator.bytes >= PART_BYTES_MAX ||
      this.#items.bytes >= ITEMS_BYTES_EARLY;
  }

  #changed(): void {
    if (this.#over) return;
    const { open, bytes } = this.#collator;
    if (open === 0 || this.#isDue()) return this.#wakeReader();
    const { partMs } = this.#options;
    if (!this.#items.isEmpty) this.#due.within(ITEMS_MS);
    else if (bytes > 0 && partMs !== undefined) this.#due.within(partMs);
  }

  #wakeReader(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }

  /** Resolves when the reader above has taken enough; until then we read nothing from below. */
  async #room(): Promise<void> {
    while (!this.#over && this.#collator.bytes + this.#items.bytes >= 2 * PART_BYTES_MAX) {
      await new Promise<void>((resolve) => this.#roomWaiters.push(resolve));
    }
  }

  #makeRoom(): void {
    for (const wake of this.#roomWaiters.splice(0)) wake();
  }
}
