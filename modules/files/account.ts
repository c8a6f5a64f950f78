/** Who got the files and who did not, and why: for a person, a program and the exit code. */

import * as v from "valibot";
import { EXIT, exitCodeOf } from "../shared/exit_code.ts";
import { failureLines } from "../shared/group_report.ts";
import type { GroupResult, NodeFailure } from "../shared/group_result.ts";
import { lossOf } from "../shared/lost_daemon.ts";
import { compareNames } from "../shared/names.ts";
import { foldNodeset } from "../shared/nodeset.ts";
import { printable } from "../shared/text.ts";
import { type Summary, SummarySchema } from "./summary.ts";

export class Account {
  readonly summaries = new Map<string, Summary>();
  readonly failures = new Map<string, NodeFailure>();

  /** `missing`: as {@link Account.miss}. @default nobody */
  constructor(missing: readonly NodeFailure[] = []) {
    this.miss(missing);
  }

  /** Nodes that were meant, and of which nothing could be asked. */
  miss(missing: readonly NodeFailure[]): void {
    for (const failure of missing) this.failures.set(failure.name, failure);
  }

  /** The answers and failures of a group operation, those that are new. */
  add(result: Pick<GroupResult, "values" | "failures">): void {
    for (const [name, value] of result.values) {
      if (this.summaries.has(name) || this.failures.has(name)) continue;
      const parsed = v.safeParse(SummarySchema, value, { abortEarly: true });
      if (parsed.success) this.summaries.set(name, parsed.output);
      else this.failures.set(name, { name, set: "failed", reason: "Answer is malformed" });
    }
    for (const [name, failure] of result.failures) this.failures.set(name, failure);
  }

  /** See lossOf: of those that are not accounted for. */
  lose(nodes: readonly string[], options: { via: string; error: unknown }): void {
    const loss = lossOf(options);
    for (const name of nodes) {
      if (this.summaries.has(name) || this.failures.has(name)) continue;
      this.failures.set(name, { name, ...loss });
    }
  }

  /** As exec's: of one kind of failure everywhere, its own code. */
  get exitCode(): number {
    const asked = this.summaries.size + this.failures.size;
    const failed = this.#incomplete.length + this.failures.size;
    const sets = new Set([...this.failures.values()].map(({ set }) => set));
    if (this.failures.size === asked && sets.size === 1) {
      if (sets.has("refused")) return EXIT.refused;
      if (sets.has("unreachable")) return EXIT.unreachable;
      if (sets.has("timedOut")) return EXIT.timedOut;
    }
    return exitCodeOf(asked, failed);
  }

  /** One or more for each kind of trouble, and of what is to be known: `n[1-2]: Could not write "/x/a": permission denied`. */
  lines(options: { readonly now: number }): string[] {
    const kinds = new Map<string, string[]>();
    for (const [name, { problems, shown }] of this.#incomplete) {
      const hidden = problems - shown.length;
      const all = hidden > 0 ? [...shown, `and ${hidden} more`] : shown;
      for (const text of all) kinds.set(text, [...kinds.get(text) ?? [], name]);
    }
    for (const [name, { notes = [] }] of this.summaries) {
      for (const text of notes) kinds.set(text, [...kinds.get(text) ?? [], name]);
    }
    return [
      ...[...kinds].map(([text, names]) => printable(`${foldNodeset(names)}: ${text}`)),
      ...failureLines(this.failures.values(), options),
    ];
  }

  json(): unknown {
    const names = [...this.summaries.keys(), ...this.failures.keys()].sort(compareNames);
    const nodes = names.map((node) => {
      const failure = this.failures.get(node);
      if (failure === undefined) return { node, ...this.summaries.get(node) };
      const { set, name: _, ...rest } = failure;
      return { node, failure: set, ...rest };
    });
    return { nodes, exitCode: this.exitCode };
  }

  get #incomplete(): [string, Summary][] {
    return [...this.summaries].filter(([, { problems }]) => problems > 0);
  }
}
