/**
 * On which nodes a job was to run, by what those say that know it: one of them that does not answer may
 * run it on, and is told of, whether anybody named it or not.
 */

import type { GroupResult, NodeFailure } from "../shared/group_result.ts";
import type { Targets } from "../shared/missing_nodes.ts";
import { parseNodeset } from "../shared/nodeset.ts";
import type { JobEnd } from "./order.ts";

/** Of nodes that have the job, what each says of it. */
export type Found = ReadonlyMap<string, JobEnd>;

/** All on which it was to run. @throws UsageError for a nodeset that cannot be read */
export function nodesOfJob(found: Found): ReadonlySet<string> {
  const nodesets = new Set([...found.values()].map(({ nodeset = "" }) => nodeset));
  return new Set([...nodesets].filter((text) => text !== "").flatMap((text) => parseNodeset(text)));
}

/** Those of the targets that were to run it; undefined when there is none. */
export function targetsAmong(nodes: ReadonlySet<string>, targets: Targets): Targets | undefined {
  const names = targets.names.filter((name) => nodes.has(name));
  const missing = targets.missing.filter(({ name }) => nodes.has(name));
  return names.length + missing.length === 0 ? undefined : { names, missing };
}

/** Says of those that were to run it and cannot be asked that it may run on there. */
export function tellUncertain(result: GroupResult, nodes: ReadonlySet<string>): void {
  for (const [name, { ran: _, ...failure }] of result.failures) {
    if (!nodes.has(name) || !isUncertain(failure)) continue;
    const reason = `${failure.reason}; the job may run on there`;
    result.failures.set(name, { ...failure, reason });
  }
}

function isUncertain({ set }: Pick<NodeFailure, "set">): boolean {
  return set === "unreachable" || set === "timedOut";
}
