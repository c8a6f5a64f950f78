/** The machine's processes, as /proc shows them. */

/** Of the machine. */
export function pids(): number[] {
  return [...Deno.readDirSync("/proc")].map(({ name }) => Number(name)).filter((pid) => pid > 0);
}

/** Undefined for what is gone. */
export function stateOf(pid: number): { state: string; parent: number } | undefined {
  const stat = textOf(`/proc/${pid}/stat`);
  const [state, parent] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return state === undefined || stat === "" ? undefined : { state, parent: Number(parent) };
}

/** Empty for what is gone. */
export function textOf(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return "";
  }
}
