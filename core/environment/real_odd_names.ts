/**
 * Names that are not UTF-8, which the runtime leaves out of a folder's list or distorts. The kernel is
 * asked for its own list; where no libc can be opened nobody finds them.
 */
import type { OddNames } from "./disk.ts";

/** getdents64 has no function of its own in older C libraries. */
const GETDENTS64: Readonly<Record<string, bigint>> = { x86_64: 217n, aarch64: 61n };
/** O_RDONLY | O_CLOEXEC | O_NONBLOCK: who put a pipe in the folder's place holds up nobody. */
const OPEN_FLAGS = 0o2004000;
const LIST_BYTES = 64 * 1024;
/** Where the length of an entry, and its name with a NUL behind it, are in a struct linux_dirent64. */
const LENGTH_AT = 16;
const NAME_AT = 19;
const ASCII_MAX = 0x7f;

type Libc = ReturnType<typeof openLibc>;

export class RealOddNames implements OddNames {
  /** Undefined: not needed yet; null: there is none. */
  #libc: Libc | null | undefined;
  readonly #list = new Uint8Array(LIST_BYTES);
  readonly #decoder = new TextDecoder("utf-8", { fatal: true });

  in(folder: string): Uint8Array[] {
    const getdents = GETDENTS64[Deno.build.arch];
    const libc = this.#libc ??= tryOpenLibc();
    if (getdents === undefined || libc === null) return [];
    const { open, close, syscall } = libc.symbols;
    const fd = open(new TextEncoder().encode(`${folder}\0`), OPEN_FLAGS);
    if (fd < 0) return [];
    try {
      const found: Uint8Array[] = [];
      for (;;) {
        const bytes = Number(syscall(getdents, BigInt(fd), this.#list, BigInt(LIST_BYTES)));
        if (bytes <= 0) return found;
        this.#collect(bytes, found);
      }
    } finally {
      close(fd);
    }
  }

  [Symbol.dispose](): void {
    this.#libc?.close();
    this.#libc = null;
  }

  #collect(bytes: number, found: Uint8Array[]): void {
    const list = this.#list;
    const view = new DataView(list.buffer);
    for (let at = 0; at < bytes;) {
      const start = at + NAME_AT;
      const end = list.indexOf(0, start);
      let isPlain = true;
      for (let index = start; index < end; index++) {
        if ((list[index] as number) > ASCII_MAX) isPlain = false;
      }
      if (!isPlain && !this.#isText(list.subarray(start, end))) found.push(list.slice(start, end));
      at += view.getUint16(at + LENGTH_AT, true);
    }
  }

  #isText(name: Uint8Array): boolean {
    try {
      this.#decoder.decode(name);
      return true;
    } catch (error) {
      if (error instanceof TypeError) return false;
      throw error;
    }
  }
}

function tryOpenLibc(): Libc | null {
  try {
    return openLibc();
  } catch {
    // Another C library.
    return null;
  }
}

function openLibc() {
  return Deno.dlopen("libc.so.6", {
    open: { parameters: ["buffer", "i32"], result: "i32" },
    close: { parameters: ["i32"], result: "i32" },
    syscall: { parameters: ["usize", "usize", "buffer", "usize"], result: "isize" },
  });
}
