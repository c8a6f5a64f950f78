/** What many scenarios add up to, as a table for people. */

import { FAULT_KINDS, type FaultKind } from "./fault.ts";
import type { ScenarioOutcome } from "./scenario.ts";

/** An outcome without its story, which would be most of it. */
export type Shown = Omit<ScenarioOutcome, "story">;

type Row = readonly string[];

export function summaryOf(outcomes: readonly Shown[], seconds: number): string {
  const failed = outcomes.filter(({ problems }) => problems.length > 0);
  const sum = (of: (outcome: Shown) => number) => outcomes.reduce((all, one) => all + of(one), 0);
  const healed = outcomes.flatMap(({ healedMs }) => healedMs);
  const singles = outcomes.flatMap(({ singles }) => singles);
  const kinds = Object.keys(FAULT_KINDS) as FaultKind[];
  const rows = kinds.map((kind): Row => {
    const ofKind = singles.filter((one) => one.kind === kind);
    const changes = ofKind.reduce((all, one) => all + one.changes, 0);
    const bytes = ofKind.reduce((all, one) => all + one.floodBytes, 0);
    return [
      kind,
      String(sum(({ faults }) => faults[kind] ?? 0)),
      String(ofKind.length),
      ...quantiles(ofKind.flatMap(({ detectMs }) => detectMs ?? [])),
      ...quantiles(ofKind.map(({ healMs }) => healMs)),
      changes === 0 ? "" : (bytes / changes / 1_024).toFixed(1),
    ];
  });
  const header = [
    "fault",
    "injected",
    "alone",
    "noticed by all, p50 ms",
    "p99",
    "healed, p50 ms",
    "p99",
    "KiB flooded a change",
  ];
  return [
    ...table([header, ...rows]),
    `After all faults at once healed in p50 ${quantiles(healed)[0]}, p99 ${
      quantiles(healed)[1]
    } ms`,
    `${outcomes.length} seeds, ${failed.length} failed; ${sum(({ calls }) => calls)} operations, ` +
    `${sum(({ streams }) => streams)} streams, ${sum(({ events }) => events)} events, ${
      seconds.toFixed(1)
    } s`,
    ...failed.length === 0
      ? []
      : [`Failed: ${failed.map(({ seed }) => seed).sort((a, b) => a - b).join(" ")}`],
  ].join("\n");
}

/** The median and the 99th of a hundred. */
function quantiles(values: readonly number[]): [string, string] {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.ceil(share * sorted.length) - 1]?.toFixed(0) ?? "";
  return [at(0.5), at(0.99)];
}

function table(rows: readonly Row[]): string[] {
  const widths = (rows[0] as Row).map((_, column) =>
    Math.max(...rows.map((row) => (row[column] ?? "").length))
  );
  return rows.map((row) =>
    row.map((cell, column) =>
      column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0)
    ).join("  ")
  );
}
