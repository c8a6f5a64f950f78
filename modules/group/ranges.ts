/**
 * Sets of targets on the wire: indices into the list frozen at the origin, as a flat list
 * [first, last, first, last, …] of ascending ranges that neither touch nor overlap.
 */

import { ProtocolError } from "../../core/mod.ts";
import { GROUP_TARGETS_MAX } from "../shared/limits.ts";

export type Ranges = readonly number[];

/** Indices in any order, each once. */
export function toRanges(indices: Iterable<number>): number[] {
  const ranges: number[] = [];
  for (const index of [...indices].sort((a, b) => a - b)) {
    const last = ranges.length - 1;
    if (ranges[last] === index - 1) ranges[last] = index;
    else ranges.push(index, index);
  }
  return ranges;
}

/**
 * Ascending. Throws ProtocolError for anything that toRanges would not have made, and for more than
 * `max` indices before they are made: two numbers of a peer can stand for all targets there are.
 */
export function fromRanges(ranges: Ranges, max: number = GROUP_TARGETS_MAX): number[] {
  const indices: number[] = [];
  if (ranges.length % 2 !== 0) throw new ProtocolError("Ranges of targets have an odd length");
  let before = -2;
  for (let i = 0; i < ranges.length; i += 2) {
    const first = ranges[i] as number;
    const last = ranges[i + 1] as number;
    const whole = Number.isInteger(first) && Number.isInteger(last);
    if (!whole || first <= before + 1 || last < first || first < 0 || last >= GROUP_TARGETS_MAX) {
      throw new ProtocolError(`Range of targets ${first} to ${last} is wrong`);
    }
    if (indices.length + last - first + 1 > max) {
      throw new ProtocolError(`Ranges have more than ${max} targets`);
    }
    for (let index = first; index <= last; index++) indices.push(index);
    before = last;
  }
  return indices;
}
