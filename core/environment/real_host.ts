/** Facts about the machine and this process, from /proc and the runtime; nothing is spawned. */
import type { HostFacts } from "./environment.ts";
import { loggedInUsers } from "./real_users.ts";

/** Clock ticks of /proc/PID/stat: fixed by the kernel's interface on x86_64 and aarch64. */
const TICKS_PER_SECOND = 100;
const RLIMIT_NOFILE = 7;

// deno-lint-ignore require-await -- the contract lets other environments take their time
export async function hostFacts(): Promise<HostFacts> {
  const { total, available } = Deno.systemMemoryInfo();
  const [one = 0, five = 0, fifteen = 0] = Deno.loadavg();
  return {
    name: Deno.hostname(),
    architecture: Deno.build.arch,
    cores: navigator.hardwareConcurrency,
    booted: bootTime(),
    load: [one, five, fifteen],
    memory: { totalBytes: total, freeBytes: available },
    users: loggedInUsers(),
    process: { residentBytes: Deno.memoryUsage().rss, cpuMs: cpuMs() },
  };
}

/**
 * Raises the soft limit of open files to the hard one, for a daemon with many connections, and
 * returns the limit now in force. `deno run` has done so already; a compiled file has not. It costs
 * milliseconds (loading libc), so only the daemon calls it.
 */
export function raiseFileLimit(): number {
  const [soft, hard] = fileLimits();
  if (soft >= hard) return soft;
  const libc = Deno.dlopen("libc.so.6", {
    setrlimit: { parameters: ["i32", "buffer"], result: "i32" },
  });
  try {
    const limit = BigInt(hard);
    const failed = libc.symbols.setrlimit(RLIMIT_NOFILE, new BigUint64Array([limit, limit]));
    return failed === 0 ? hard : soft;
  } finally {
    libc.close();
  }
}

function fileLimits(): [number, number] {
  const text = Deno.readTextFileSync("/proc/self/limits");
  const match = /^Max open files\s+(\d+|unlimited)\s+(\d+|unlimited)/m.exec(text);
  const limit = (word: string | undefined) => word === "unlimited" ? Infinity : Number(word);
  return match === null ? [0, 0] : [limit(match[1]), limit(match[2])];
}

/** From the kernel and not by "now minus uptime", which differs by a second from call to call. */
function bootTime(): number {
  const match = /^btime (\d+)$/m.exec(Deno.readTextFileSync("/proc/stat"));
  return match === null ? Date.now() - Deno.osUptime() * 1000 : Number(match[1]) * 1000;
}

function cpuMs(): number {
  const stat = Deno.readTextFileSync("/proc/self/stat");
  // The program's name may hold spaces and brackets: fields are counted after its last bracket.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * 1000 / TICKS_PER_SECOND;
}
