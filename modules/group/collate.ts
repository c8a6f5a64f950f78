/**
 * The account of one operation at one node: which of its targets are still open, and what came
 * since the last partial was taken. Each target is settled exactly once.
 */

import { CallError, ProtocolError } from "../../core/mod.ts";
import { canonicalKey } from "../shared/canonical.ts";
import type { FailureSet } from "../shared/group_result.ts";
import { ENTRY_BYTES, REASON_CHARACTERS_MAX } from "./limits.ts";
import type { Detail, Partial, PartialBody } from "./partial.ts";
import { toRanges } from "./ranges.ts";
import type { Reducer } from "./reducers.ts";

export class Collator {
  readonly #open: Set<number>;
  readonly #reducer: Reducer;
  readonly #failures = new Map<string, { set: FailureSet; detail: Detail; indices: number[] }>();
  #answered: number[] = [];
  #bytes = 0;

  constructor(targets: Iterable<number>, reducer: Reducer) {
    this.#open = new Set(targets);
    this.#reducer = reducer;
  }

  /** Targets that nothing is known of yet. */
  get open(): number {
    return this.#open.size;
  }

  isOpen(index: number): boolean {
    return this.#open.has(index);
  }

  /** What `take` would give, roughly; 0 when there is nothing to take. */
  get bytes(): number {
    return this.#bytes + (this.#answered.length === 0 ? 0 : this.#reducer.bytes + ENTRY_BYTES);
  }

  /** An answer that the reducer can make nothing of is a failure of its target. */
  answer(index: number, answer: unknown): void {
    this.#mustBeOpen(index);
    try {
      this.#reducer.add(index, answer);
    } catch (error) {
      if (!(error instanceof CallError || error instanceof ProtocolError)) throw error;
      return this.fail("failed", [index], { reason: error.message });
    }
    this.#open.delete(index);
    this.#answered.push(index);
  }

  fail(set: FailureSet, indices: readonly number[], detail: Detail): void {
    if (indices.length === 0) return;
    const reason = detail.reason.slice(0, REASON_CHARACTERS_MAX);
    const key = `${set} ${canonicalKey({ ...detail, reason })}`;
    for (const index of indices) {
      this.#mustBeOpen(index);
      this.#open.delete(index);
    }
    const same = this.#failures.get(key);
    this.#bytes += ENTRY_BYTES * indices.length;
    if (same !== undefined) same.indices.push(...indices);
    else {
      this.#failures.set(key, { set, detail: { ...detail, reason }, indices: [...indices] });
      this.#bytes += key.length;
    }
  }

  /** All of the partial or, with ProtocolError, nothing of it. */
  merge({ answered, state, failures }: Omit<Partial, "items">): void {
    for (const index of answered) this.#mustBeOpen(index);
    this.#reducer.merge(state, answered);
    for (const index of answered) this.#open.delete(index);
    this.#answered.push(...answered);
    for (const { set, indices, detail } of failures) this.fail(set, indices, detail);
  }

  /** What came since the last time; nobody changes it afterwards. */
  take(): PartialBody {
    const body: PartialBody = {};
    if (this.#answered.length > 0) {
      body.answered = toRanges(this.#answered);
      body.state = this.#reducer.take();
    }
    for (const { set, detail, indices } of this.#failures.values()) {
      (body[set] ??= []).push([toRanges(indices), detail]);
    }
    this.#answered = [];
    this.#failures.clear();
    this.#bytes = 0;
    return body;
  }

  #mustBeOpen(index: number): void {
    if (!this.#open.has(index)) throw new ProtocolError(`Target ${index} is settled already`);
  }
}
