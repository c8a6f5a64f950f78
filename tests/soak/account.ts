/**
 * What the soak holds against each command: its result accounts for every target once, and the nodes'
 * own files say the same. A token stands in a node's file once for each time that its command ran there.
 */

import { printable } from "../../modules/shared/text.ts";
import type { LineResult } from "./worker.ts";

/** One command that was given to a client. */
export interface Order {
  readonly token: string;
  readonly targets: readonly string[];
  /** Left running in the background. */
  readonly isJob: boolean;
}

/** How often the command of a token ran on a node. */
export type Ran = (node: string, token: string) => number;

/** Numbers of the report, by name. */
export type Counts = Map<string, number>;

interface NodeResult {
  readonly node: string;
  readonly code?: number;
  readonly error?: string;
  readonly failure?: string;
  readonly ran?: "never" | "maybe";
}

/** What is wrong; nothing if all is well. `result` is undefined when the client was killed. */
export function problemsOf(
  order: Order,
  result: LineResult | undefined,
  { ran, counts }: { readonly ran: Ran; readonly counts: Counts },
): string[] {
  const { token, targets, isJob } = order;
  const twice = targets.filter((node) => ran(node, token) > 1)
    .map((node) => `${token} ran ${ran(node, token)} times on ${node}`);
  if (result === undefined) {
    count(counts, "commands whose client was killed");
    return twice;
  }
  return [...twice, ...isJob ? jobProblems(order, result, { ran, counts }) : accountProblems()];

  function accountProblems(): string[] {
    const nodes = nodesOf(result as LineResult);
    if (nodes === undefined) {
      const reason = printable(reasonOf(result as LineResult));
      count(counts, `commands without an account: ${reason}`);
      // Who could not ask anybody need not account for anything.
      const began = targets.some((node) => ran(node, token) > 0);
      return began ? [`${token} ran, and there is no account of it: ${reason}`] : [];
    }
    count(counts, "commands with an account");
    const named = nodes.map(({ node }) => node).sort();
    const whole = [...targets].sort();
    const problems = named.join() === whole.join()
      ? []
      : [`${token}: asked ${whole.join()}, told of ${named.join()}`];
    return [...problems, ...nodes.flatMap((node) => nodeProblems(token, node, { ran, counts }))];
  }
}

/** One way or the other, a started job runs: nobody kills those who hold jobs. */
function jobProblems(
  { token, targets }: Order,
  { code, stderr }: LineResult,
  { ran, counts }: { readonly ran: Ran; readonly counts: Counts },
): string[] {
  count(counts, code === 0 ? "jobs started on all nodes" : "jobs not started everywhere");
  if (code !== 0) return [];
  return targets.filter((node) => ran(node, token) !== 1)
    .map((node) => `Job ${token} never ran on ${node}: ${stderr}`);
}

function nodeProblems(
  token: string,
  { node, code, error, failure, ran: said }: NodeResult,
  { ran, counts }: { readonly ran: Ran; readonly counts: Counts },
): string[] {
  const times = ran(node, token);
  if (failure === undefined && error === undefined) {
    count(counts, code === 0 ? "targets answered" : `targets answered with exit ${code}`);
    return times === 1 || code !== 0 ? [] : [`${token} answered on ${node}, where it did not run`];
  }
  count(counts, `targets ${failure ?? "not started"}${said === undefined ? "" : ` (${said})`}`);
  const never = error !== undefined || said === "never" || failure === "refused";
  return never && times > 0 ? [`${token} ran on ${node}, which was told as never`] : [];
}

/** Undefined when there is none: the command as a whole failed. */
function nodesOf({ stdout }: LineResult): readonly NodeResult[] | undefined {
  if (stdout === "") return undefined;
  return (JSON.parse(stdout) as { nodes: readonly NodeResult[] }).nodes;
}

/** Without names and numbers, so that equal ones are counted together. */
function reasonOf({ code, stderr }: LineResult): string {
  const text = (stderr.split("\n")[0] ?? "").replace(/"[^"]*"/g, "…").replace(/\d+/g, "N");
  return `exit ${code}, ${text.slice(0, 100)}`;
}

function count(counts: Counts, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1);
}
