/** The limit of open files of this very process, changed from outside by prlimit(1). */

export async function setSoftLimit(soft: number, hard?: number): Promise<void> {
  const { success, stderr } = await new Deno.Command("prlimit", {
    args: ["--pid", `${Deno.pid}`, `--nofile=${soft}:${hard ?? ""}`],
  }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
}

export function softLimit(): number {
  return Number(/^Max open files\s+(\d+)/m.exec(Deno.readTextFileSync("/proc/self/limits"))?.[1]);
}
