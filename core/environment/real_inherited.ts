/**
 * Files that were open in whoever started us, and stayed open by accident: a log that only root may
 * write, a lock. A daemon that keeps them holds them for as long as it lives, and its programs, which
 * run as other users, could use them. The runtime opens its own so that no other program gets them
 * (close-on-exec): what is not so has come from outside.
 */

/** In the flags of an open file, as proc(5) shows them. */
const O_CLOEXEC = 0o2000000;
/** Stdin, stdout and stderr are meant for us. */
const STANDARD_MAX = 2;

/** Closes all of them; `kept` is the number of one that is meant for us as well. */
export function closeInherited(kept: number | undefined): void {
  const inherited = [...Deno.readDirSync("/proc/self/fd")].map(({ name }) => Number(name))
    .filter((fd) => fd > STANDARD_MAX && fd !== kept && isInherited(fd));
  if (inherited.length === 0) return;
  const libc = Deno.dlopen("libc.so.6", { close: { parameters: ["i32"], result: "i32" } });
  for (const fd of inherited) libc.symbols.close(fd);
  libc.close();
}

function isInherited(fd: number): boolean {
  let text: string;
  try {
    text = Deno.readTextFileSync(`/proc/self/fdinfo/${fd}`);
  } catch (error) {
    // Closed since, as the one by which the list was read.
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
  const flags = /^flags:\s*([0-7]+)$/m.exec(text)?.[1];
  return flags !== undefined && (Number.parseInt(flags, 8) & O_CLOEXEC) === 0;
}
