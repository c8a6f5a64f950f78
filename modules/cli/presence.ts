/**
 * What a daemon shows to those who manage it, once it is clear that it will go on, until it stops: its
 * pid file, for init scripts, and its word with a service manager. One that has to wait for something
 * before it can run is there already, for a manager ends what is not there after a minute; for what it
 * waits is in its status, and in a file beside the pid file.
 */

import type { Environment } from "../../core/mod.ts";
import { Supervision } from "./supervision.ts";

type Needs = Pick<Environment, "clock" | "files" | "processes">;

/** Where and for how long. */
export interface PresenceOptions {
  /** @default none */
  readonly pidFile?: string;
  /** Whether the process goes on as another program when this one ends. */
  readonly goesOn: () => boolean;
}

/** Shows nothing until it is told what. */
export class Presence implements AsyncDisposable {
  readonly #env: Needs;
  readonly #options: PresenceOptions;
  #supervision: Supervision | undefined;
  #isOver = false;

  constructor(env: Needs, options: PresenceOptions) {
    this.#env = env;
    this.#options = options;
  }

  /** It does not run yet: `text` says for what it waits, in a line. */
  async waits(text: string): Promise<void> {
    const { pidFile } = this.#options;
    // First: who sees the pid file looks here for more.
    if (pidFile !== undefined) await this.#write(waitingFile(pidFile), text);
    await this.#show(() => Promise.resolve(text));
  }

  /** It runs; `status` says how, in a line. */
  async runs(status: () => Promise<string>): Promise<void> {
    const { pidFile } = this.#options;
    if (pidFile !== undefined) await this.#env.files.remove(waitingFile(pidFile));
    await this.#show(status);
  }

  /** Nothing is shown any more. Idempotent. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#supervision?.[Symbol.dispose]();
    const { pidFile } = this.#options;
    if (pidFile === undefined || this.#supervision === undefined) return;
    for (const path of [pidFile, waitingFile(pidFile)]) await this.#env.files.remove(path);
  }

  async #show(status: () => Promise<string>): Promise<void> {
    if (this.#supervision !== undefined) return this.#supervision.turnTo(status);
    const { pidFile, goesOn } = this.#options;
    if (pidFile !== undefined) await this.#write(pidFile, String(this.#env.processes.pid));
    this.#supervision = new Supervision(this.#env, status, goesOn);
  }

  /** Other users' programs read it. */
  async #write(path: string, line: string): Promise<void> {
    await this.#env.files.write(path, `${line}\n`, { mode: 0o644 });
  }
}

/** The init script reads it (init_boot/sysv_script.ts). */
function waitingFile(pidFile: string): string {
  return `${pidFile}.waiting`;
}
