/** What programs on this machine do, as seen from outside. */

/** Pids of processes whose command line holds that word. */
export function running(word: string): number[] {
  const found: number[] = [];
  for (const { name } of Deno.readDirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const line = Deno.readTextFileSync(`/proc/${name}/cmdline`);
      // The client carries the word too.
      if (line.split("\0").includes(word) && !line.includes("minime")) found.push(Number(name));
    } catch {
      // It has ended meanwhile.
    }
  }
  return found;
}

/** Resolves when it has not changed for a while. */
export async function still(count: () => number): Promise<void> {
  for (let looks = 0, last = -1; looks < 10; looks++) {
    if (count() !== last) looks = 0;
    last = count();
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Zero for a file that is not there yet. */
export function sizeOf(path: string): number {
  try {
    return Deno.statSync(path).size;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return 0;
    throw error;
  }
}
