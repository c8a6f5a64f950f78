/**
 * Background jobs outlive their daemon, in a process that holds them (docs/exec.md). Where a node is
 * taken out for good there is no next daemon to list or end them: they are ended, or named.
 */

import { type Environment, isName, MinimeError } from "../../core/mod.ts";
import { isLiving, livingProcess, type ProcessName } from "../shared/pid_file.ts";
import { statePaths, SYSTEM_STATE_ROOT } from "../shared/state_folder.ts";
import { HOLDER_CHECK_MS, HOLDER_END_MS_MAX, HOLDER_KILL_MS_MAX } from "./limits.ts";

type Needs = Pick<Environment, "clock" | "files" | "processes">;

/** The process that holds the jobs of a node. */
export interface JobHolder extends ProcessName {
  readonly node: string;
}

/** Of the nodes of a mesh that are installed on this machine. */
export async function jobHolders(env: Needs, mesh: string): Promise<JobHolder[]> {
  const holders: JobHolder[] = [];
  for (const node of (await env.files.list(`${SYSTEM_STATE_ROOT}/${mesh}`)).filter(isName)) {
    const holder = await livingProcess(env, statePaths(SYSTEM_STATE_ROOT, mesh, node).jobsPid);
    if (holder !== undefined) holders.push({ node, ...holder });
  }
  return holders;
}

/** It ends its jobs and then itself. Rejects with MinimeError when it cannot be killed either. */
export async function endJobs(env: Needs, holder: JobHolder): Promise<void> {
  env.processes.signal(holder.pid, "SIGTERM");
  if (await isGone(env, holder, HOLDER_END_MS_MAX)) return;
  // Its warden kills what it held.
  env.processes.signal(holder.pid, "SIGKILL");
  if (await isGone(env, holder, HOLDER_KILL_MS_MAX)) return;
  throw new MinimeError(
    `Process ${holder.pid}, which holds the background jobs of "${holder.node}", cannot be killed`,
  );
}

async function isGone(env: Needs, holder: ProcessName, patienceMs: number): Promise<boolean> {
  const { clock } = env;
  const until = clock.monotonic() + patienceMs;
  while (await isLiving(env, holder)) {
    if (clock.monotonic() >= until) return false;
    await clock.sleep(HOLDER_CHECK_MS);
  }
  return true;
}
