/**
 * A partial: what a node says to the one above it about targets that were not accounted for
 * before. Partials are disjoint, so each target is merged exactly once at every hop; one that names
 * a target twice, or one that is not owed, is refused as a whole.
 */

import * as v from "valibot";
import { ProtocolError } from "../../core/mod.ts";
import { FAILURE_SETS, type FailureSet, RAN } from "../shared/group_result.ts";
import { REASON_CHARACTERS_MAX } from "./limits.ts";
import type { Item } from "./items.ts";
import { fromRanges } from "./ranges.ts";

const RangesSchema = v.array(v.number());
const Name = v.pipe(v.string(), v.maxLength(253));

/** Why targets failed; `lost` asks the origin to try another way, around the edge `by` - `at`. */
const DetailSchema = v.strictObject({
  reason: v.pipe(v.string(), v.maxLength(REASON_CHARACTERS_MAX)),
  ran: v.optional(v.picklist(RAN)),
  at: v.optional(Name),
  by: v.optional(Name),
  since: v.optional(v.number()),
  step: v.optional(v.number()),
  lost: v.optional(v.literal(true)),
});
export type Detail = Readonly<v.InferOutput<typeof DetailSchema>>;

const failures = v.optional(v.array(v.tuple([RangesSchema, DetailSchema])), []);

const PartialSchema = v.strictObject({
  answered: v.optional(RangesSchema, []),
  /** Of the reducer, for the answered ones. */
  state: v.optional(v.unknown()),
  failed: failures,
  refused: failures,
  unreachable: failures,
  timedOut: failures,
  /** What targets streamed before they are accounted for, here or in a later partial. */
  items: v.optional(v.array(v.tuple([v.number(), v.number(), v.unknown()])), []),
});
/** As it travels: empty sets are left out. */
export type PartialBody = v.InferInput<typeof PartialSchema>;

export interface PartialFailure {
  readonly set: FailureSet;
  readonly indices: readonly number[];
  readonly detail: Detail;
}

export interface Partial {
  readonly answered: readonly number[];
  readonly state: unknown;
  readonly failures: readonly PartialFailure[];
  readonly items: readonly Item[];
}

/**
 * Who reports knows of one copy only: "never" holds where no other may have run. So does "refused",
 * since a node that was restarted with a new key refuses what its former life may have run.
 */
export function doubted(
  { set, indices, detail }: PartialFailure,
  mayHaveRan: ((index: number) => boolean) | undefined,
): PartialFailure[] {
  const saysNever = detail.ran === "never" || set === "refused";
  if (mayHaveRan === undefined || !saysNever) return [{ set, indices, detail }];
  return [
    { set, indices: indices.filter((index) => !mayHaveRan(index)), detail },
    { set, indices: indices.filter(mayHaveRan), detail: { ...detail, ran: "maybe" } },
  ];
}

/** It says only that somebody is at it. */
export function isEmpty({ answered, failures, items }: Partial): boolean {
  return answered.length + failures.length + items.length === 0;
}

/** Throws ProtocolError unless it is well-formed, and disjoint in itself and within `owed`. */
export function readPartial(body: unknown, owed: ReadonlySet<number>): Partial {
  const parsed = v.safeParse(PartialSchema, body, { abortEarly: true });
  if (!parsed.success) {
    throw new ProtocolError(`Partial account is malformed: ${parsed.issues[0].message}`);
  }
  const seen = new Set<number>();
  const read = (ranges: readonly number[]): number[] => {
    const indices = fromRanges(ranges, owed.size);
    for (const index of indices) {
      if (seen.has(index)) throw new ProtocolError(`Target ${index} is accounted for twice`);
      if (!owed.has(index)) throw new ProtocolError(`Target ${index} is not owed`);
      seen.add(index);
    }
    return indices;
  };
  const { output } = parsed;
  for (const [index] of output.items) {
    if (!owed.has(index)) throw new ProtocolError(`Target ${index} streams and is not owed`);
  }
  return {
    items: output.items,
    answered: read(output.answered),
    state: output.state,
    failures: FAILURE_SETS.flatMap((set) =>
      output[set].map(([ranges, detail]) => ({ set, indices: read(ranges), detail }))
    ),
  };
}
