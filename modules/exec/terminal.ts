/**
 * A program on a terminal of its own, for one user who sits at another one. script(1) makes the
 * pseudo-terminal and carries its bytes over pipes, so that for us it is a program like any other; it
 * passes on the exit status, and hangs up when it dies. Its first line tells which terminal it is:
 * stty(1) needs that to change its size.
 */

import type { Environment } from "../../core/mod.ts";
import type { TerminalSize } from "./order.ts";
import { type Chunk, STDOUT } from "./program.ts";

const LINE_FEED = 0x0a;
/** "/dev/pts/" and a number, with its carriage return. */
const NAME_BYTES_MAX = 64;

export interface TerminalProgram {
  readonly argv: readonly string[];
  /** Instead of those of the program, which gets its own again from the shell inside. */
  readonly variables: Readonly<Record<string, string>>;
}

/** The same program inside a terminal. */
export function inTerminal(
  argv: readonly string[],
  options: {
    readonly size: TerminalSize;
    readonly variables: Readonly<Record<string, string>>;
  },
): TerminalProgram {
  const { size: { rows, columns, kind }, variables } = options;
  const line = [
    `SHELL=${quoted(variables.SHELL ?? "/bin/sh")}`,
    "export SHELL",
    `/bin/stty rows ${rows} cols ${columns}`,
    "/usr/bin/tty",
    `exec ${argv.map(quoted).join(" ")}`,
  ].join("; ");
  return {
    argv: ["/usr/bin/script", "-qefc", line, "/dev/null"],
    // It runs the line by $SHELL.
    variables: { ...variables, TERM: kind, SHELL: "/bin/sh" },
  };
}

/**
 * Takes the terminal's name out of the output; knows how to change its size from then on. Keys wait
 * for the name: the terminal would echo them before it.
 */
export class TerminalOutput {
  /** Resolves when its name is known, or that there is none. */
  readonly ready: Promise<void>;
  readonly #processes: Pick<Environment["processes"], "spawn">;
  readonly #resolveReady: () => void;
  #head: Uint8Array | undefined = new Uint8Array(0);
  #name: string | undefined;

  constructor(processes: Pick<Environment["processes"], "spawn">) {
    this.#processes = processes;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.ready = promise;
    this.#resolveReady = resolve;
  }

  /** What the program itself wrote; undefined when there is nothing of that in it. */
  take(chunk: Chunk): Chunk | undefined {
    const [stream, bytes] = chunk;
    if (this.#head === undefined || stream !== STDOUT) return chunk;
    const whole = new Uint8Array(this.#head.length + bytes.length);
    whole.set(this.#head);
    whole.set(bytes, this.#head.length);
    const end = whole.indexOf(LINE_FEED);
    if (end < 0 && whole.length < NAME_BYTES_MAX) {
      this.#head = whole;
      return undefined;
    }
    this.#head = undefined;
    this.#resolveReady();
    const name = /^(\/dev\/pts\/\d+)\r?$/.exec(new TextDecoder().decode(whole.subarray(0, end)));
    // What is no name was said by somebody who could not make a terminal.
    if (name === null) return [STDOUT, whole];
    this.#name = name[1];
    const rest = whole.subarray(end + 1);
    return rest.length === 0 ? undefined : [STDOUT, rest];
  }

  /** Nothing more comes out. Idempotent. */
  end(): void {
    this.#resolveReady();
  }

  /** The kernel tells the programs there. */
  async resize({ rows, columns }: Pick<TerminalSize, "rows" | "columns">): Promise<void> {
    if (this.#name === undefined) return;
    const child = await this.#processes.spawn("/bin/stty", {
      args: ["-F", this.#name, "rows", String(rows), "cols", String(columns)],
      clearEnvironment: true,
    });
    await child.status;
  }
}

/** For a shell: one word, whatever is in it. */
function quoted(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}
