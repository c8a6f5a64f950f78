/**
 * What a service manager is told, in the words of sd_notify(3): that we are ready, how we are, that
 * we live (the watchdog), and that we stop. Where no manager listens, nothing is done.
 */

import { type Environment, errorText, type Timer } from "../../core/mod.ts";

/** How often the line of `systemctl status` is brought up to date. */
const STATUS_MS = 10_000;

type Needs = Pick<Environment, "clock" | "processes">;

/** A mistake in a file is in the second line of its error, and more is in the log. */
const STATUS_LINES_MAX = 2;

/** Says why the process ends, for whoever looks at the service and not into its log. */
export function tellFailure(processes: Pick<Needs["processes"], "notify">, error: unknown): void {
  const lines = errorText(error).split("\n", STATUS_LINES_MAX);
  processes.notify(`STATUS=${lines.join("; ")}`);
}

/** From ready to stopping. */
export class Supervision implements Disposable {
  readonly #env: Needs;
  #status: () => Promise<string>;
  readonly #everyMs: number;
  readonly #goesOn: () => boolean;
  #timer: Timer | undefined;
  #stopped = false;

  /**
   * Says that we are ready. `status` is one line for people. If `goesOn` when we stop, the process
   * does: as another program, which says again that it is ready.
   */
  constructor(
    env: Needs,
    status: () => Promise<string>,
    goesOn: () => boolean = () => false,
  ) {
    this.#env = env;
    this.#goesOn = goesOn;
    this.#status = status;
    this.#everyMs = Math.min(STATUS_MS, watchdogMs(env.processes) / 2);
    if (env.processes.notify("READY=1")) this.#tell();
    else this.#stopped = true;
  }

  /** From now on we are like that. */
  turnTo(status: () => Promise<string>): void {
    this.#status = status;
    this.#timer?.cancel();
    if (!this.#stopped) this.#tell();
  }

  /** Says that we stop. Idempotent. */
  [Symbol.dispose](): void {
    this.#timer?.cancel();
    if (!this.#stopped) {
      // Without a status, or the last one would be shown of a service that is no more.
      this.#env.processes.notify(this.#goesOn() ? "RELOADING=1" : "STOPPING=1\nSTATUS=");
    }
    this.#stopped = true;
  }

  #tell(): void {
    const { clock, processes } = this.#env;
    // Whoever cannot say this any more is restarted: the event loop hangs.
    processes.notify("WATCHDOG=1");
    const status = this.#status;
    status().then(
      (text) => {
        if (!this.#stopped && status === this.#status) processes.notify(`STATUS=${text}`);
      },
      () => {
        // A daemon that stops meanwhile has no status.
      },
    );
    this.#timer = clock.after(this.#everyMs, () => this.#tell());
  }
}

/** The manager's patience; for ever when it watches nothing, or another process. */
function watchdogMs(processes: Needs["processes"]): number {
  const pid = processes.variable("WATCHDOG_PID") ?? "";
  const micros = Number(processes.variable("WATCHDOG_USEC"));
  if (pid !== "" && Number(pid) !== processes.pid) return Infinity;
  return micros > 0 ? micros / 1_000 : Infinity;
}
