/**
 * What `group.call` answers: every target in exactly one of five sets. The items of its stream are
 * disjoint parts of that account, and the reply is the last part with the totals; GroupResult puts
 * them together. Node names come as nodesets; a target's text was written by another machine.
 */

import * as v from "valibot";
import { CallError } from "../../core/mod.ts";
import { Fold, type FoldGroup } from "./fold.ts";
import { sortedNames } from "./names.ts";
import { parseNodeset } from "./nodeset.ts";

/** The four sets besides `answered`. */
export const FAILURE_SETS = ["failed", "refused", "unreachable", "timedOut"] as const;
export type FailureSet = typeof FAILURE_SETS[number];

/** Of a target that is unreachable or timed out: it did nothing, or nobody can know. */
export const RAN = ["never", "maybe"] as const;

/** Nodes that failed for one reason. */
const FailureSchema = v.object({
  nodes: v.string(),
  reason: v.string(),
  ran: v.optional(v.picklist(RAN)),
  /** The hop at which the way to the nodes was lost. */
  at: v.optional(v.string()),
  /** Unix ms since when it is so; where the reason does not say it, since when they are down. */
  since: v.optional(v.number()),
  /** Which of several steps failed, from 0. */
  step: v.optional(v.number()),
});
export type Failure = Readonly<v.InferOutput<typeof FailureSchema>>;

const failures = v.array(FailureSchema);

/** Of a target: what it streamed, and how many items before it were lost with a relay. */
export type StreamedItem = readonly [name: string, value: unknown, lost: number];

/** Part of the account: one item of the stream. */
export const GroupPartSchema = v.object({
  account: v.object({
    answered: v.string(),
    failed: failures,
    refused: failures,
    unreachable: failures,
    timedOut: failures,
  }),
  /** Nodeset and answer: of one step its reply, of several steps the list of their replies. */
  values: v.array(v.tuple([v.string(), v.unknown()])),
  /** What targets streamed; all of a target comes before its answer. */
  items: v.optional(v.array(v.tuple([v.string(), v.unknown(), v.number()]))),
});
export type GroupPart = Readonly<v.InferOutput<typeof GroupPartSchema>>;

const GroupCountsSchema = v.object({
  asked: v.number(),
  answered: v.number(),
  failed: v.number(),
  refused: v.number(),
  unreachable: v.number(),
  timedOut: v.number(),
});
export type GroupCounts = Readonly<v.InferOutput<typeof GroupCountsSchema>>;

/** The reply: the last part, and the totals of all parts. */
export const GroupReplySchema = v.object({
  ...GroupPartSchema.entries,
  id: v.string(),
  /** The frozen list of targets. */
  targets: v.string(),
  counts: GroupCountsSchema,
  /** What a reducer made of all answers; see ReduceSchema. */
  reduced: v.optional(v.unknown()),
});
export type GroupReply = Readonly<v.InferOutput<typeof GroupReplySchema>>;

/** One target that did not answer. */
export interface NodeFailure extends Omit<Failure, "nodes"> {
  readonly name: string;
  readonly set: FailureSet;
}

/** The whole account, node by node. */
export class GroupResult {
  readonly answered = new Set<string>();
  /** Empty for reducers that keep no answers. */
  readonly values = new Map<string, unknown>();
  readonly failures = new Map<string, NodeFailure>();
  reduced: unknown;
  #targets: readonly string[] = [];

  /** Naturally sorted; known when the operation is over. */
  get targets(): readonly string[] {
    return this.#targets;
  }

  get counts(): GroupCounts {
    const counts = { failed: 0, refused: 0, unreachable: 0, timedOut: 0 };
    for (const { set } of this.failures.values()) counts[set]++;
    return { asked: this.#targets.length, answered: this.answered.size, ...counts };
  }

  /** Equal answers together, the largest set first. */
  folded(): FoldGroup<unknown>[] {
    const fold = new Fold<unknown>();
    for (const [name, value] of this.values) fold.add(name, value);
    return fold.groups();
  }

  /** Throws CallError when a node is in it twice. */
  add({ account, values }: GroupPart): void {
    for (const name of this.#once(account.answered)) this.answered.add(name);
    for (const set of FAILURE_SETS) {
      for (const { nodes, ...failure } of account[set]) {
        for (const name of this.#once(nodes)) this.failures.set(name, { name, set, ...failure });
      }
    }
    for (const [nodes, value] of values) {
      for (const name of parseNodeset(nodes)) this.values.set(name, value);
    }
  }

  /** Throws CallError when not every target is accounted for. */
  finish(reply: GroupReply): void {
    this.add(reply);
    this.reduced = reply.reduced;
    this.#targets = parseNodeset(reply.targets);
    const known = this.#targets.every((name) => this.answered.has(name) || this.failures.has(name));
    if (!known || this.answered.size + this.failures.size !== this.#targets.length) {
      throw new CallError("failed", `Account of group operation ${reply.id} does not add up`);
    }
  }

  /** When the operation is over: nodes that were meant as well, and of which it knew nothing. */
  miss(failures: readonly NodeFailure[]): void {
    // One may have come meanwhile.
    const known = new Set(this.#targets);
    const missing = failures.filter(({ name }) => !known.has(name));
    for (const failure of missing) this.failures.set(failure.name, failure);
    this.#targets = sortedNames([...this.#targets, ...missing.map(({ name }) => name)]);
  }

  #once(nodes: string): string[] {
    const names = parseNodeset(nodes);
    for (const name of names) {
      if (!this.answered.has(name) && !this.failures.has(name)) continue;
      throw new CallError("failed", `Account of a group operation has "${name}" twice`);
    }
    return names;
  }
}
