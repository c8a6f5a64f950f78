/** What `minime jobs` shows. */

import * as v from "valibot";
import { formatDuration } from "../shared/duration.ts";
import { compareNames } from "../shared/names.ts";
import { foldNodeset } from "../shared/nodeset.ts";
import { printable } from "../shared/text.ts";
import { type JobView, JobViewSchema } from "./order.ts";
import { endText } from "./outcome.ts";

function stateOf({ end }: JobView): string {
  return end === undefined ? "runs" : `ended: ${endText(end) ?? "exit 0"}`;
}

/** By node, naturally sorted, whoever answered first. */
export function viewsOf(
  answers: ReadonlyMap<string, unknown>,
): (JobView & { readonly node: string })[] {
  return [...answers].toSorted(([a], [b]) => compareNames(a, b)).flatMap(([node, value]) =>
    v.parse(v.array(JobViewSchema), value).map((view) => ({ node, ...view }))
  );
}

/** Nodes may have different jobs of one name. */
function identityOf({ job, run, argv }: JobView): string {
  return JSON.stringify([job, run, argv]);
}

/**
 * A line for each job and state, the oldest job first; SINCE is that of the node which is there longest.
 * Nodes start a job at nearly the same time, so that says nothing of their order.
 */
export function jobRows(
  views: readonly (JobView & { readonly node: string })[],
  now: number,
): string[][] {
  const begun = new Map<string, number>();
  for (const view of views) {
    const key = identityOf(view);
    begun.set(key, Math.min(view.startedMs, begun.get(key) ?? Infinity));
  }
  const ageOf = (view: JobView) => begun.get(identityOf(view)) ?? 0;
  const oldestFirst = views.toSorted((a, b) =>
    ageOf(a) - ageOf(b) || compareNames(a.job, b.job) || compareNames(a.node, b.node)
  );
  const rows = new Map<string, { names: string[]; view: JobView; at: number }>();
  for (const { node, ...view } of oldestFirst) {
    const key = `${identityOf(view)} ${stateOf(view)}`;
    const at = view.endedMs ?? view.startedMs;
    const row = rows.get(key);
    if (row === undefined) rows.set(key, { names: [node], view, at });
    else {
      row.names.push(node);
      row.at = Math.min(row.at, at);
    }
  }
  return [...rows.values()].map(({ names, view, at }) => {
    const since = formatDuration(Math.max(0, now - at));
    return [view.job, foldNodeset(names), stateOf(view), since, printable(view.argv.join(" "))];
  });
}
