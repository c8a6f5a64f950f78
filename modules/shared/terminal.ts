/**
 * The three standard streams of a process and the terminal behind them. main.ts makes the real
 * one; tests make their own. Only the command line touches it, commands use Output and StandardInput.
 */

export interface Terminal {
  readonly stdinIsTerminal: boolean;
  readonly stdoutIsTerminal: boolean;
  readonly stderrIsTerminal: boolean;
  /** Of systemd. */
  readonly stderrIsJournal: boolean;
  /** Characters; undefined when there is no terminal. */
  size(): { readonly columns: number; readonly rows: number } | undefined;
  /** Resolves when all bytes were taken. One write at a time per stream. */
  write(stream: "stdout" | "stderr", bytes: Uint8Array): Promise<void>;
  /** Stdin's keys come one by one, unseen and without a meaning, until it is told otherwise. */
  setRaw(raw: boolean): void;
  /** The next bytes of stdin, put into `memory`: how many, or null at the end. One read at a time. */
  readStdin(memory: Uint8Array): Promise<number | null>;
}

export interface StandardInput {
  readonly isTerminal: boolean;
  /** See Terminal.setRaw; until disposed. */
  raw(): Disposable;
  /** As it comes. Stdin can be consumed once. */
  readonly bytes: AsyncIterable<Uint8Array>;
  /** The same, where a chunk is valid until the next one is asked for; the other end is a pipe or a file. */
  readonly lent: AsyncIterable<Uint8Array>;
  /** All of it as UTF-8 text. */
  text(): Promise<string>;
}
