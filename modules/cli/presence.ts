/**
 * What a daemon shows to those who manage it, once it is clear that it will go on, until it stops: its
 * pid file, for init scripts, and its word with a service manager. One that has to wait for something
 * before it can run is there already, for a manager ends what is not there after a minute; for what it
 * waits is in its status, in a file beside the pid file, and in its state folder, for commands.
 */

import type { Environment } from "../../core/mod.ts";
import { Supervision } from "./supervision.ts";

type Needs = Pick<Environment, "clock" | "files" | "processes">;

/** Where and for how long. */
export interface PresenceOptions {
  /** @default none */
  readonly pidFile?: string;
  /** In the state folder: says for what it waits. */
  readonly waiting: string;
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
    // First: who sees the pid file looks here for more.
    const { files } = this.#env;
    for (const [path, mode] of this.#waitingFiles) await files.write(path, `${text}\n`, { mode });
    await this.#show(() => Promise.resolve(text));
  }

  /** It runs; `status` says how, in a line. */
  async runs(status: () => Promise<string>): Promise<void> {
    for (const [path] of this.#waitingFiles) await this.#env.files.remove(path);
    await this.#show(status);
  }

  /** Nothing is shown any more. Idempotent. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#supervision?.[Symbol.dispose]();
    if (this.#supervision === undefined) return;
    const { pidFile } = this.#options;
    for (const [path] of this.#waitingFiles) await this.#env.files.remove(path);
    if (pidFile !== undefined) await this.#env.files.remove(pidFile);
  }

  /** The init script reads the one beside the pid file (init_boot/sysv_script.ts), for anybody. */
  get #waitingFiles(): readonly (readonly [path: string, mode: number])[] {
    const { pidFile, waiting } = this.#options;
    const own = [waiting, 0o600] as const;
    return pidFile === undefined ? [own] : [own, [`${pidFile}.waiting`, 0o644]];
  }

  async #show(status: () => Promise<string>): Promise<void> {
    if (this.#supervision !== undefined) return this.#supervision.turnTo(status);
    const { pidFile, goesOn } = this.#options;
    if (pidFile !== undefined) {
      const { files, processes } = this.#env;
      // Other users' programs read it.
      await files.write(pidFile, `${processes.pid}\n`, { mode: 0o644 });
    }
    this.#supervision = new Supervision(this.#env, status, goesOn);
  }
}
