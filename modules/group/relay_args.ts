/** What a node hands to a neighbour: the same work, and that neighbour's share of the targets. */

import { foldInOrder } from "../shared/nodeset.ts";
import { AVOID_EDGES_MAX, SLACK_SHARE } from "./limits.ts";
import type { OperationOptions } from "./operation.ts";
import { toRanges } from "./ranges.ts";
import type { Part } from "./tree.ts";
import type { RelayArgs } from "./work.ts";

export function relayArgs(
  { work, targets, slackMs, via, avoid }: OperationOptions,
  { part, leftMs, selfName }: {
    readonly part: Part;
    readonly leftMs: number;
    readonly selfName: string;
  },
): RelayArgs {
  const names = [...part.indices].sort((a, b) => a - b).map((index) => targets.get(index) ?? "");
  return {
    work,
    mine: toRanges(part.indices),
    names: foldInOrder(names),
    deadlineMs: leftMs,
    slackMs: Math.floor(slackMs * SLACK_SHARE),
    via: [...via, selfName],
    avoid: avoid.slice(-AVOID_EDGES_MAX).map(([from, to]) => [from, to]),
  };
}
