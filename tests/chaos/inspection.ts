/** What the chaos finds on its machines afterwards: records, journal, and processes that nobody has. */

import { pids, stateOf, textOf } from "../soak/processes.ts";
import { type Machine, STATE } from "./machine.ts";

/** Of one record of the journal. */
const JOURNAL_RECORD_BYTES = 56;

/** What a machine keeps of what was asked of it. */
export interface Records {
  readonly name: string;
  /** Files of the audit folder. */
  readonly audit: readonly string[];
  /** Commands that ran here. */
  readonly ran: number;
  /** What its daemons have logged. */
  readonly lines: readonly string[];
  readonly journalBytes: number;
}

/** Undefined when nothing of this machine was ever up. */
export function recordsOf({ name, host, ran, lines }: Machine): Records | undefined {
  const [folder] = foldersOf(host.path(`${STATE}/minime`));
  if (folder === undefined) return undefined;
  const files = [...Deno.readDirSync(`${folder}/audit`)];
  return {
    name,
    audit: files.map((file) => Deno.readTextFileSync(`${folder}/audit/${file.name}`)),
    ran: [...ran].filter(([token]) => token !== "").length,
    lines,
    journalBytes: Deno.statSync(`${folder}/journal`).size,
  };
}

/**
 * Each command that ran has its record, written before; each record is whole, but for those of which
 * a full disk took a part; lives go up; the journal holds whole records.
 */
export function recordProblems({ name, audit, ran, lines, journalBytes }: Records): string[] {
  const problems: string[] = [];
  let allowed = 0;
  for (const text of audit.flatMap((file) => file.split("\n")).filter((line) => line !== "")) {
    const record = parsed(text);
    if (record !== undefined) {
      const isExec = record.event === "decision" && record.verb?.startsWith("exec.") === true;
      if (isExec && record.allowed === true) allowed++;
    } else if (text.slice(1).includes('{"time":')) {
      // The beginning of one alone is no harm: what it was for was refused.
      problems.push(`${name} has a record that another one has spoiled: ${text}`);
    }
  }
  if (allowed < ran) {
    problems.push(`${name} ran ${ran} commands and has ${allowed} records of them`);
  }
  const lives = lines.map((line) => Number(/Life (\d+) of/.exec(line)?.[1])).filter(
    Number.isFinite,
  );
  if (lives.some((life, i) => life <= (lives[i - 1] ?? 0))) {
    problems.push(`${name} lived its lives in the order ${lives.join()}`);
  }
  if (journalBytes % JOURNAL_RECORD_BYTES !== 0) {
    problems.push(`${name} has a journal of ${journalBytes} bytes`);
  }
  return problems;
}

/** Programs of the machine with that variable. */
export function programsOf(variable: string): string[] {
  return pids().filter((pid) => textOf(`/proc/${pid}/environ`).includes(`${variable}\0`))
    .filter((pid) => stateOf(pid)?.state !== "Z")
    .map((pid) => `Still runs: ${textOf(`/proc/${pid}/cmdline`).replaceAll("\0", " ")}`);
}

/** All that runs on a machine whose daemon has ended. */
export function leftOf({ name, host }: Machine): string[] {
  const known = host.pids();
  return host.processes().filter(({ pid }) => known.includes(pid))
    .map(({ argv, state }) =>
      `Left on ${name}: ${argv.join(" ") || `a process in state ${state}`}`
    );
}

interface AuditLine {
  readonly event?: string;
  readonly allowed?: boolean;
  readonly verb?: string;
}

function parsed(text: string): AuditLine | undefined {
  try {
    return JSON.parse(text) as AuditLine;
  } catch {
    return undefined;
  }
}

/** Of all nodes in a state folder: MESH/NODE. */
function foldersOf(root: string): string[] {
  const below = (folder: string) =>
    [...Deno.readDirSync(folder)].map(({ name }) => `${folder}/${name}`);
  try {
    return below(root).flatMap(below);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}
