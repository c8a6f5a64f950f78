/**
 * The folders of rigs, and what is left of rigs whose test run was killed. A folder is named after
 * its owner's pid and says when the owner was started, so that a reused pid is not taken for it.
 * A dead owner's hosts end by themselves (their stdin ends), unless they were frozen.
 */

import { isGone, killPid } from "./process.ts";

/** Not below /tmp, which hosts cover by their own. */
const BASE = "/var/tmp";
const NAME = /^minime-rig-([0-9]+)-[0-9]+$/;
const END_MS_MAX = 30_000;
const POLL_MS = 5;

/** Makes a new rig's folder, owned by this process. */
export async function makeFolder(): Promise<string> {
  for (let number = 0;; number++) {
    const folder = `${BASE}/minime-rig-${Deno.pid}-${number}`;
    try {
      await Deno.mkdir(folder, { mode: 0o755 });
    } catch (error) {
      if (error instanceof Deno.errors.AlreadyExists) continue;
      throw error;
    }
    await Deno.writeTextFile(`${folder}/owner`, startOf(Deno.pid) ?? "");
    return folder;
  }
}

/** Ends and removes the rigs of owners that no longer live. Resolves to their folders. */
export async function removeLeftovers(): Promise<string[]> {
  const removed: string[] = [];
  for await (const { name } of Deno.readDir(BASE)) {
    const pid = NAME.exec(name)?.[1];
    if (pid === undefined) continue;
    const folder = `${BASE}/${name}`;
    if (await isOwned(folder, Number(pid))) continue;
    await endUsers(folder);
    await removeFolder(folder);
    removed.push(folder);
  }
  return removed;
}

/** Removes a rig's folder once nothing is mounted below it. */
export async function removeFolder(folder: string): Promise<void> {
  // The hosts' mounts are private to them. Were it otherwise, we would delete the machine's files.
  const mounts = await Deno.readTextFile("/proc/self/mountinfo");
  if (mounts.includes(`${folder}/`)) throw new Error(`Cannot remove '${folder}': mounts lie in it`);
  try {
    await Deno.remove(folder, { recursive: true });
  } catch (error) {
    // Two test runs may clean up the same leftovers.
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/** The machine's processes whose arguments name something below the folder. */
export function usersOf(folder: string): number[] {
  const pids: number[] = [];
  for (const { name } of Deno.readDirSync("/proc")) {
    if (!/^[0-9]+$/.test(name) || Number(name) === Deno.pid) continue;
    try {
      const argv = Deno.readTextFileSync(`/proc/${name}/cmdline`).split("\0");
      if (argv.some((word) => word.startsWith(`${folder}/`))) pids.push(Number(name));
    } catch (error) {
      if (!isGone(error)) throw error;
    }
  }
  return pids;
}

async function isOwned(folder: string, pid: number): Promise<boolean> {
  const start = startOf(pid);
  if (start === undefined) return false;
  try {
    const text = await Deno.readTextFile(`${folder}/owner`);
    return text === "" || text === start;
  } catch (error) {
    // It is just being made, or just being removed: in both cases not ours to touch.
    if (error instanceof Deno.errors.NotFound) return true;
    throw error;
  }
}

async function endUsers(folder: string): Promise<void> {
  const end = performance.now() + END_MS_MAX;
  for (;;) {
    const pids = usersOf(folder);
    if (pids.length === 0) return;
    if (performance.now() > end) {
      throw new Error(`Cannot end the processes ${pids.join(", ")} of the dead rig '${folder}'`);
    }
    pids.forEach(killPid);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/** When a process was started, in clock ticks since boot; undefined when it is gone. */
function startOf(pid: number): string | undefined {
  try {
    const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
}
