/**
 * The pid file of a daemon: "PID STARTTIME\n", where STARTTIME is field 22 of /proc/PID/stat (clock
 * ticks from the machine's boot to the process's start). A pid alone is reused sooner or later; both
 * together name one process for ever, so nobody ever signals a stranger.
 */

import type { Environment } from "../../core/mod.ts";
import { NotFoundError } from "../../core/mod.ts";

type Needs = Pick<Environment, "files" | "processes">;

export interface ProcessName {
  readonly pid: number;
  readonly startTime: string;
}

/** Writes who we are. */
export async function writePidFile(env: Needs, path: string): Promise<void> {
  const { pid } = env.processes;
  await env.files.write(path, `${pid} ${await startTimeOf(env, pid) ?? "0"}\n`);
}

/** The process in the file when it is still that one and lives; undefined otherwise. */
export async function livingProcess(env: Needs, path: string): Promise<ProcessName | undefined> {
  let text: string;
  try {
    text = await env.files.readText(path);
  } catch (error) {
    if (error instanceof NotFoundError) return undefined;
    throw error;
  }
  const [pidText = "", startTime = ""] = text.trim().split(" ");
  const pid = Number(pidText);
  if (!Number.isSafeInteger(pid) || pid <= 0) return undefined;
  return await startTimeOf(env, pid) === startTime ? { pid, startTime } : undefined;
}

/** Whether that very process lives still, whatever became of its file. */
export async function isLiving(env: Needs, { pid, startTime }: ProcessName): Promise<boolean> {
  return await startTimeOf(env, pid) === startTime;
}

/** Undefined when there is no such process, or only its zombie. */
async function startTimeOf(env: Needs, pid: number): Promise<string | undefined> {
  let stat: string;
  try {
    stat = await env.files.readText(`/proc/${pid}/stat`);
  } catch (error) {
    if (error instanceof NotFoundError) return undefined;
    throw error;
  }
  // The second field is the program's name in parentheses and may hold anything.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return fields[0] === "Z" ? undefined : fields[19];
}
