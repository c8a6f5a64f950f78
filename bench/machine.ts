/** The machine that a table was measured on. */

/** Lines for a README. */
export async function machineText(): Promise<string> {
  const cpu = /^model name\s*: (.+)$/m.exec(await Deno.readTextFile("/proc/cpuinfo"))?.[1];
  const memory = (Deno.systemMemoryInfo().total / 1e9).toFixed(0);
  const cores = navigator.hardwareConcurrency;
  const [load = 0] = Deno.loadavg();
  const name = /^PRETTY_NAME="(.+)"$/m.exec(await Deno.readTextFile("/etc/os-release"))?.[1];
  return [
    `${cores} cores of ${cpu ?? "an unknown CPU"}, ${memory} GB, ` +
    `${name ?? "Linux"}, kernel ${Deno.osRelease()}, Deno ${Deno.version.deno}; ` +
    `load at the start ${load.toFixed(1)}.`,
    ...(load > cores / 2
      ? ["Other programs are running: times are too long, and ratios vary."]
      : []),
    "Candidates take turns within one run; times are medians, so ratios count more than times.",
    "The bundle on this Deno is what a release contains; the compiled file stands beside it, on the " +
    "runtime that could be had here.",
  ].join("\n");
}
