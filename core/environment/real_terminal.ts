/**
 * The standard streams of this process. A reader that went away is a ConnectionError with the
 * reason "reset", anything else that stops a write a FileError.
 */

import { connectionError, fileError, marksOf } from "./real_errors.ts";

const STREAMS = {
  stdout: () => Deno.stdout,
  stderr: () => Deno.stderr,
} as const;

export class RealTerminal {
  readonly stdinIsTerminal = Deno.stdin.isTerminal();
  readonly stdoutIsTerminal = Deno.stdout.isTerminal();
  readonly stderrIsTerminal = Deno.stderr.isTerminal();

  /** As systemd.exec(5) has it: the variable alone says nothing of a stream that was led elsewhere. */
  get stderrIsJournal(): boolean {
    const journal = Deno.env.get("JOURNAL_STREAM") ?? "";
    if (journal === "") return false;
    const { dev, ino } = Deno.statSync("/proc/self/fd/2");
    return journal === `${dev}:${ino}`;
  }

  /** Deno.stdin.readable is no faster, and loads 5 ms of web streams on Deno 2.9. */
  async readStdin(memory: Uint8Array): Promise<number | null> {
    try {
      return await Deno.stdin.read(memory);
    } catch (error) {
      throw fileError("read stdin", error);
    }
  }

  setRaw(raw: boolean): void {
    // Back again is back to all of what was before.
    Deno.stdin.setRaw(raw);
    if (!raw) return;
    try {
      // The runtime leaves this on, and a line feed would move to the first column as well.
      new Deno.Command("/bin/stty", { args: ["-opost"], stdin: "inherit" }).outputSync();
    } catch (error) {
      if (!marksOf(error).includes("NotFound")) throw error;
    }
  }

  size(): { columns: number; rows: number } | undefined {
    if (!this.stdoutIsTerminal && !this.stderrIsTerminal) return undefined;
    try {
      const { columns, rows } = Deno.consoleSize();
      // A terminal that does not know its size says 0.
      return columns > 0 ? { columns, rows } : undefined;
    } catch {
      // consoleSize asks stdin, stdout and stderr in turn and throws when none can tell.
      return undefined;
    }
  }

  async write(stream: "stdout" | "stderr", bytes: Uint8Array): Promise<void> {
    const target = STREAMS[stream]();
    try {
      for (let at = 0; at < bytes.length;) at += await target.write(bytes.subarray(at));
    } catch (error) {
      const action = `write to ${stream}`;
      if (marksOf(error).includes("BrokenPipe")) throw connectionError(action, error);
      throw fileError(action, error);
    }
  }
}
