/**
 * One machine of the chaos: a host of the rig whose daemon is started again whenever it ends, as a
 * service manager does, unless somebody took it down on purpose.
 */

import { textOf } from "../soak/processes.ts";
import { type Host, type Process, until } from "../system/rig/mod.ts";

/** As systemd's RestartSec in the unit that is installed, and short enough for a chaos. */
const RESTART_MS = 500;
/** Mesh file and keys, which are those of the machine. */
const KEYS = "/root/node";
/** Small enough to be filled in a moment, large enough for the audit log of an hour. */
const DISK_BYTES = 32 * 1024 * 1024;
export const PROGRAM = "/root/minime";
/** Where commands write that they ran. */
export const RAN = "/root/ran";
export const STATE = "/root/state";
export const TOKEN = `${KEYS}/token`;

export class Machine {
  readonly name: string;
  readonly host: Host;
  /** Of all its daemons, one after the other. */
  readonly lines: string[] = [];
  /** Ends that nobody had asked for, with what was said last. */
  readonly crashes: string[] = [];
  #wanted = false;
  /** Ends are no crash meanwhile: the disk is full, the registrar away, the key revoked. */
  #excuses = 0;
  #process: Process | undefined;
  /** The first line of its present life. */
  #begin = 0;
  #watching: Promise<void> = Promise.resolve();

  constructor(name: string, host: Host) {
    this.name = name;
    this.host = host;
  }

  /** A disk of its own for the state, and a folder for keys. */
  async prepare(): Promise<void> {
    for (const folder of [STATE, KEYS]) await this.host.must(["mkdir", "-m", "700", folder]);
    const size = `size=${DISK_BYTES},mode=700`;
    await this.host.must(["mount", "-t", "tmpfs", "-o", size, "tmpfs", STATE]);
  }

  /** Somebody wants it to run. */
  get isWanted(): boolean {
    return this.#wanted;
  }

  /** Of this machine's mesh file. */
  get file(): string {
    return this.keys("mesh.toml");
  }

  /** Where we find a file beside the keys. */
  keys(name: string): string {
    return this.host.path(`${KEYS}/${name}`);
  }

  start(): void {
    if (this.#wanted) return;
    this.#wanted = true;
    this.#spawn();
  }

  /**
   * Its daemon gets the signal and is not started again. Resolves when all is over, to its exit code if
   * it was up; before that a signal may end it in any way.
   */
  async end(signal: Deno.Signal): Promise<number | undefined> {
    this.#wanted = false;
    const process = this.#process;
    // Between the fork and the program there is nobody yet to get it.
    await until(
      `the daemon of ${this.name} has begun`,
      () => this.#process === undefined || this.pid !== undefined,
    );
    const wasUp = this.lines.slice(this.#begin).some((line) => line.includes('"Running"'));
    if (process !== undefined) await this.signal(signal);
    const status = await process?.status;
    await this.#watching;
    return wasUp ? status?.code : undefined;
  }

  /** Resolves when the daemon has ended by itself, and is not started again. */
  async ended(): Promise<void> {
    this.#wanted = false;
    await this.#watching;
  }

  /** To the daemon; one that has just ended gets nothing. */
  async signal(signal: Deno.Signal): Promise<void> {
    const pid = this.pid;
    if (pid !== undefined) await this.host.run(["kill", "-s", signal.slice(3), `${pid}`]);
  }

  /** While disposed of, its daemon may end without a reason of ours. */
  excused(): Disposable {
    this.#excuses++;
    return { [Symbol.dispose]: () => this.#excuses-- };
  }

  /** As the host counts; undefined while there is no daemon. */
  get pid(): number | undefined {
    return this.host.processes().find(({ argv, state }) =>
      argv[0] === PROGRAM && argv[1] === "daemon" && state !== "Z"
    )?.pid;
  }

  /** Open files of the daemon. */
  get descriptors(): number {
    return [...Deno.readDirSync(this.host.path(`/proc/${this.pid}/fd`))].length;
  }

  /** How often each token's command ran here. */
  get ran(): Map<string, number> {
    const tokens = new Map<string, number>();
    for (const token of textOf(this.host.path(RAN)).split("\n")) {
      tokens.set(token, (tokens.get(token) ?? 0) + 1);
    }
    return tokens;
  }

  #spawn(): void {
    const argv = ["daemon", "--config", `${KEYS}/mesh.toml`, "--token-file", TOKEN];
    const env = { XDG_STATE_HOME: STATE, NO_COLOR: "1" };
    const process = this.host.spawn([PROGRAM, ...argv], { env });
    this.#process = process;
    this.#begin = this.lines.length;
    this.#watching = this.#watch(process);
  }

  async #watch(process: Process): Promise<void> {
    const reading = this.#read(process);
    const { code } = await process.status;
    await reading;
    await process[Symbol.asyncDispose]();
    this.#process = undefined;
    if (!this.#wanted) return;
    if (this.#excuses === 0) {
      const last = this.lines.slice(Math.max(this.#begin, this.lines.length - 3)).join("\n  ");
      this.crashes.push(`${this.name} ended by itself with exit code ${code}:\n  ${last}`);
    }
    await new Promise((resolve) => setTimeout(resolve, RESTART_MS));
    if (this.#wanted) this.#spawn();
  }

  async #read(process: Process): Promise<void> {
    let rest = "";
    for await (const text of process.stderr.pipeThrough(new TextDecoderStream())) {
      const whole = (rest + text).split("\n");
      rest = whole.pop() ?? "";
      this.lines.push(...whole);
    }
  }
}
