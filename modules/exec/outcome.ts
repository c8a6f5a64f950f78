/**
 * What became of a command on all of its nodes: how programs ended, and where none could be started.
 * The exit code of all follows from it, and the lines that tell a person who failed and why.
 */

import * as v from "valibot";
import { EXIT } from "../shared/exit_code.ts";
import { failureLines, linesByNode } from "../shared/group_report.ts";
import type { FailureSet, GroupResult, NodeFailure } from "../shared/group_result.ts";
import { lossOf } from "../shared/lost_daemon.ts";
import { compareNames } from "../shared/names.ts";
import { type RunEnd, RunEndSchema } from "./order.ts";

/** When nothing ran anywhere, for one and the same reason. */
const NOTHING_RAN: Readonly<Partial<Record<FailureSet, number>>> = {
  refused: EXIT.refused,
  unreachable: EXIT.unreachable,
  timedOut: EXIT.timedOut,
};

export class Outcome {
  readonly ends = new Map<string, RunEnd>();
  readonly failures = new Map<string, NodeFailure>();
  /** Nodes some of whose output was lost on the way. */
  readonly lossy = new Set<string>();

  /** `missing`: what is known of some before anything runs. @default nothing */
  constructor(missing: readonly NodeFailure[] = []) {
    for (const failure of missing) this.failures.set(failure.name, failure);
  }

  /** Naturally sorted. */
  get nodes(): string[] {
    return [...this.ends.keys(), ...this.failures.keys()].sort(compareNames);
  }

  /** Takes over what is new in the account, and gives the ends that are. */
  add(result: GroupResult): ReadonlyMap<string, RunEnd> {
    const fresh = new Map<string, RunEnd>();
    for (const [name, value] of result.values) {
      if (this.ends.has(name) || this.failures.has(name)) continue;
      const parsed = v.safeParse(RunEndSchema, value, { abortEarly: true });
      if (parsed.success) fresh.set(name, parsed.output);
      else this.fail(name, `Answer is malformed: ${parsed.issues[0].message}`);
    }
    for (const [name, end] of fresh) this.ends.set(name, end);
    for (const [name, failure] of result.failures) this.failures.set(name, failure);
    return fresh;
  }

  fail(name: string, reason: string): void {
    this.failures.set(name, { name, set: "failed", reason });
  }

  /**
   * The node that was asked has died under it, says nothing any more, or has too much to do: see lossOf,
   * of those without an end. Throws any other error.
   */
  lose(nodes: readonly string[], options: { via: string; error: unknown }): void {
    const loss = lossOf(options);
    for (const name of nodes) {
      if (this.ends.has(name) || this.failures.has(name)) continue;
      this.failures.set(name, { name, ...loss });
    }
  }

  /** The largest of all, where what never ran counts as 125. */
  get exitCode(): number {
    if (this.ends.size === 0) {
      const [set, ...more] = new Set([...this.failures.values()].map((failure) => failure.set));
      if (set !== undefined && more.length === 0) return NOTHING_RAN[set] ?? EXIT.notRun;
    }
    const codes = [...this.ends.values()].map((end) => end.timedOut ? EXIT.timedOut : end.code);
    if (this.failures.size > 0) codes.push(EXIT.notRun);
    if (this.lossy.size > 0) codes.push(EXIT.someFailed);
    return codes.reduce((most, code) => Math.max(most, code), EXIT.ok);
  }

  /** "n[1-3]: exit 2", one for each kind of failure. */
  lines(options: { readonly now: number }): string[] {
    const ends = [...this.ends].map(([name, end]) => ({ name, end }));
    return [
      ...linesByNode(ends, ({ end }) => endText(end)),
      ...failureLines(this.failures.values(), options),
    ];
  }
}

/** In words; undefined for a program that went well. */
export function endText({ code, signal, timedOut, error }: RunEnd): string | undefined {
  if (error !== undefined) return error;
  if (timedOut) return `out of time, ended by ${signal ?? `itself with exit ${code}`}`;
  if (signal !== undefined) return `killed by ${signal}`;
  return code === 0 ? undefined : `exit ${code}`;
}
