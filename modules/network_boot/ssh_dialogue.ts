/**
 * The origin's half of the talk with the script on a host (boot_script.ts), and then with the
 * daemon that it starts. Whatever ends it early becomes one HostError: the script's own reason, a
 * time that ran out, ssh's reason, or what the shell said when it could not run the daemon.
 */

import type { Clock } from "../../core/mod.ts";
import { parseAnswer, type ScriptAnswer } from "./boot_script.ts";
import { HOST_REASONS, HostError, type HostReason } from "./host_error.ts";
import type { ScriptFacts } from "./script_facts.ts";
import type { LaunchedProcess } from "./launcher.ts";
import { GLIBC_NEEDED } from "./libc.ts";
import { NOISE_LINES_MAX } from "./limits.ts";
import type { LineProcess, LineProcessEnd } from "./line_process.ts";
import { failureOf, SSH_FAILED } from "./ssh.ts";

/** An answer that ends a question. */
export type Outcome = Exclude<ScriptAnswer, { word: "FACT" | "BAD" }>;

interface Within {
  readonly ms: number;
  /** For people, when it ran out. */
  readonly what: string;
}

/** Exit codes of a shell (POSIX 2.8.2): found but not to be run, and not found. */
const CANNOT_RUN = 126;
const NOT_FOUND = 127;

export class SshDialogue implements LaunchedProcess {
  readonly #process: LineProcess;
  readonly #clock: Clock;
  readonly #signal: AbortSignal;
  readonly #stop = () => this.kill();
  #late: string | undefined;
  #runs = false;

  constructor(
    process: LineProcess,
    options: { readonly clock: Clock; readonly signal: AbortSignal },
  ) {
    this.#process = process;
    this.#clock = options.clock;
    this.#signal = options.signal;
    this.#signal.addEventListener("abort", this.#stop);
    if (this.#signal.aborted) this.kill();
  }

  get ended(): Promise<LineProcessEnd> {
    return this.#process.ended;
  }

  /** A command of ours, without its last line feed. */
  async say(text: string): Promise<void> {
    await this.#process.write(`${text}\n`); // Nobody there any more: the answer says so.
  }

  /** The last of our commands: from here on it is the daemon that speaks, started with these words. */
  async run(words: readonly string[]): Promise<void> {
    this.#runs = true;
    await this.say([`RUN ${words.length}`, ...words].join("\n"));
  }

  /** The same: it is the program that speaks, and installs its node. */
  async install(words: readonly string[]): Promise<void> {
    this.#runs = true;
    await this.say([`INSTALL ${words.length}`, ...words].join("\n"));
  }

  /** Raw bytes. False when nobody reads them any more. */
  async send(bytes: Uint8Array, within: Within): Promise<boolean> {
    return await this.#within(within, () => this.#process.write(bytes));
  }

  /** The outcome of what we said; facts on the way are noted. Rejects with HostError. */
  async answer(facts: ScriptFacts, within: Within): Promise<Outcome> {
    return await this.#within(within, async () => {
      for (let lines = 0; lines < NOISE_LINES_MAX; lines++) {
        const line = await this.#process.next();
        if (line === undefined) throw await this.failure();
        const answer = parseAnswer(line);
        if (answer === undefined) continue;
        if (answer.word === "BAD") throw badAnswer(answer);
        if (answer.word !== "FACT") return answer;
        facts.note(answer.name, answer.value);
      }
      throw new HostError("script", `it printed more than ${NOISE_LINES_MAX} lines of its own`);
    });
  }

  next(): Promise<string | undefined> {
    return this.#process.next();
  }

  write(line: string): Promise<boolean> {
    return this.#process.write(line);
  }

  async failure(): Promise<HostError> {
    const end = await this.#process.ended;
    this.#signal.throwIfAborted();
    if (this.#late !== undefined) return new HostError("timeout", this.#late);
    const isDaemons = this.#runs && end.code !== SSH_FAILED;
    return isDaemons ? runFailure(end) : await failureOf(this.#process);
  }

  kill(): void {
    this.#process.kill();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#signal.removeEventListener("abort", this.#stop);
    await this.#process[Symbol.asyncDispose]();
  }

  async #within<T>({ ms, what }: Within, run: () => Promise<T>): Promise<T> {
    const timer = this.#clock.after(ms, () => {
      this.#late = what;
      this.kill();
    });
    try {
      return await run();
    } finally {
      timer.cancel();
    }
  }
}

function badAnswer({ reason, text }: { reason: string; text: string }): HostError {
  const known: HostReason = Object.hasOwn(HOST_REASONS, reason) ? reason as HostReason : "script";
  const words = known === "hash-mismatch" ? "what arrived is not what was sent" : "";
  return new HostError(known, words === "" ? text : words, { detail: text });
}

/** Why the shell could not run the file, or the file itself ended. */
function runFailure({ code, signal, stderr }: LineProcessEnd): HostError {
  const lines = stderr.split("\n").map((line) => line.trim()).filter((line) => line !== "");
  const detail = lines.at(-1);
  const old = lines.find((line) => /GLIBC_[0-9.]+.{0,20}not found|libc\.so/.test(line));
  if (old !== undefined) {
    return new HostError("wrong-libc", `${GLIBC_NEEDED} is needed`, { detail: old });
  }
  if (/No space left on device|isk quota exceeded/.test(stderr)) {
    return new HostError("no-space", detail ?? "", { detail });
  }
  if (code === CANNOT_RUN && /Exec format error/i.test(stderr)) {
    return new HostError("wrong-cpu", "the program is for another one", { detail });
  }
  if (code === CANNOT_RUN) return new HostError("noexec", detail ?? "", { detail });
  if (code === NOT_FOUND) {
    return new HostError("wrong-libc", "the program's loader is missing", { detail });
  }
  const how = signal === undefined ? `exit code ${code}` : signal;
  return new HostError("daemon", `it ended with ${how}`, { detail });
}
