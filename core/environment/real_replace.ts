/**
 * One process goes on as another program: execve(2) keeps the pid, so whoever manages the process
 * need not know. What must not be lost and must not be on a disk is handed over in memory: an
 * unnamed file (memfd_create(2)) whose number the next program gets in a variable.
 */

import type { HandedOver } from "./environment.ts";
import { MinimeError } from "../errors.ts";

/** The number of the open file, for the next program. */
const VARIABLE = "MINIME_HANDED_OVER";
const encoder = new TextEncoder();

/** Returns the variable with which the next program finds the bytes. */
export function handOver(bytes: Uint8Array): Record<string, string> {
  const libc = Deno.dlopen("libc.so.6", {
    memfd_create: { parameters: ["buffer", "u32"], result: "i32" },
  });
  try {
    const fd = libc.symbols.memfd_create(cString("minime"), 0);
    if (fd < 0) throw new MinimeError("Cannot keep anything in memory for the next program");
    Deno.writeFileSync(pathOf(fd), bytes);
    return { [VARIABLE]: String(fd) };
  } finally {
    libc.close();
  }
}

/** The number of the open file with what is handed over to us; undefined: nothing is. */
export function fileHandedOver(): number | undefined {
  const text = Deno.env.get(VARIABLE);
  return text !== undefined && /^\d{1,6}$/.test(text) ? Number(text) : undefined;
}

/** What an earlier program of this process has left; undefined: nothing. */
export function handedOver(): HandedOver | undefined {
  const fd = fileHandedOver();
  if (fd === undefined) return undefined;
  const bytes = Deno.readFileSync(pathOf(fd));
  return {
    bytes,
    forget() {
      // Whoever else has it open, such as the guard of an upgrade, finds nothing any more.
      Deno.writeFileSync(pathOf(fd), new Uint8Array(0));
      Deno.env.delete(VARIABLE);
      closeFile(fd);
    },
  };
}

/** Does not return when it succeeds. Throws MinimeError. */
export function replaceProcess(
  program: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
): never {
  const libc = Deno.dlopen("libc.so.6", {
    execve: { parameters: ["buffer", "buffer", "buffer"], result: "i32" },
  });
  // Both must live until the call: the list holds their addresses only.
  const words = [program, ...args].map(cString);
  const variables = Object.entries(environment).map(([name, value]) => cString(`${name}=${value}`));
  libc.symbols.execve(cString(program), addressesOf(words), addressesOf(variables));
  libc.close();
  throw new MinimeError(`Cannot go on as "${program}": it cannot be run`);
}

function closeFile(fd: number): void {
  const libc = Deno.dlopen("libc.so.6", { close: { parameters: ["i32"], result: "i32" } });
  libc.symbols.close(fd);
  libc.close();
}

function pathOf(fd: number): string {
  return `/proc/self/fd/${fd}`;
}

function cString(text: string): Uint8Array<ArrayBuffer> {
  return encoder.encode(`${text}\0`);
}

/** As C has a list of strings: their addresses, and zero. */
function addressesOf(strings: readonly Uint8Array<ArrayBuffer>[]): Uint8Array<ArrayBuffer> {
  const list = new BigUint64Array(strings.length + 1);
  strings.forEach((bytes, i) => {
    list[i] = BigInt(Deno.UnsafePointer.value(Deno.UnsafePointer.of(bytes)));
  });
  return new Uint8Array(list.buffer);
}
