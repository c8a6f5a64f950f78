/** What the chaos finds on its machines afterwards: records, journal, and processes that nobody has. */

import { pids, stateOf, textOf } from "../soak/processes.ts";
import { type Machine, STATE } from "./machine.ts";

/** Of one record of the journal. */
const JOURNAL_RECORD_BYTES = 56;

/**
 * Each command that ran has its record, written before; each record is whole, but for those of which
 * a full disk took a part; lives go up; the journal holds whole records.
 */
export function auditProblems(machine: Machine): string[] {
  const { name, host, lines } = machine;
  const [folder] = foldersOf(host.path(`${STATE}/minime`));
  if (folder === undefined) return [];
  const problems: string[] = [];
  let allowed = 0;
  for (const { name: file } of Deno.readDirSync(`${folder}/audit`)) {
    const texts = Deno.readTextFileSync(`${folder}/audit/${file}`).split("\n");
    for (const text of texts.filter((each) => each !== "")) {
      const record = parsed(text);
      if (record === undefined) {
        // It must be the beginning of one, and nothing else.
        if (text.includes("}")) problems.push(`${name} has a damaged record: ${text}`);
      } else if (record.event === "decision" && record.allowed === true) {
        if (record.verb?.startsWith("exec.")) allowed++;
      }
    }
  }
  const ran = [...machine.ran].filter(([token]) => token !== "").length;
  if (allowed < ran) {
    problems.push(`${name} ran ${ran} commands and has ${allowed} records of them`);
  }
  const lives = lines.map((line) => Number(/Life (\d+) of/.exec(line)?.[1])).filter(
    Number.isFinite,
  );
  const back = lives.filter((life, i) => life <= (lives[i - 1] ?? 0));
  if (back.length > 0) problems.push(`${name} lived its lives in the order ${lives.join()}`);
  const journal = Deno.statSync(`${folder}/journal`).size;
  if (journal % JOURNAL_RECORD_BYTES !== 0) {
    problems.push(`${name} has a journal of ${journal} bytes`);
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
