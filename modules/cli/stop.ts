/**
 * How a running command is asked to stop: ^C, SIGTERM, SIGHUP, or a reader that went away. The
 * first one aborts the command's signal, so that it can clean up; a second ^C ends the program.
 */

import { CallError, type Environment } from "../../core/mod.ts";
import type { StopSignal } from "../shared/command.ts";
import { EXIT } from "../shared/exit_code.ts";

/** A command that takes longer to stop is announced, so that nobody thinks ^C was lost. */
const QUIET_STOP_MS_MAX = 1_000;

/** Whoever insists on it ends a command that takes signals for itself. */
const SIGNALS_TAKEN_MAX = 2;

const SIGNALS = [
  ["SIGINT", EXIT.interrupted, "Interrupted"],
  ["SIGTERM", EXIT.terminated, "Terminated"],
  ["SIGHUP", EXIT.hungUp, "Hung up"],
] as const;

export class Stop implements Disposable {
  readonly #controller = new AbortController();
  readonly #resources = new DisposableStack();
  #onHangUp: (() => void) | undefined;
  /** Whether it was taken; undefined: it is none of those that are. */
  #onSignal: ((signal: StopSignal) => boolean | undefined) | undefined;
  /** What the program exits with if it stops because of this; undefined until then. */
  exitCode: number | undefined;

  /** Ends the process at once when told twice. */
  constructor(
    env: Pick<Environment, "clock" | "processes">,
    options: { exit: (code: number) => void; announce: (text: string) => void },
  ) {
    for (const [name, code, reason] of SIGNALS) {
      this.#resources.use(env.processes.onSignal(name, () => {
        if (name === "SIGHUP" && this.#onHangUp !== undefined) return this.#onHangUp();
        const isTaken = this.#onSignal?.(name);
        if (isTaken) return;
        if (this.exitCode !== undefined || isTaken === false) return options.exit(code);
        this.ask(code, reason);
        const timer = env.clock.after(QUIET_STOP_MS_MAX, () => {
          options.announce(`${reason}, stopping; once more to stop at once`);
        });
        this.#resources.defer(() => timer.cancel());
      }));
    }
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** SIGHUP stops nothing until disposed, and calls this instead: a daemon has no terminal. */
  takeHangUp(run: () => void): Disposable {
    this.#onHangUp = run;
    return { [Symbol.dispose]: () => this.#onHangUp = undefined };
  }

  /** Two signals stop nothing until disposed, and call this instead; of `only` these, if it is given. */
  takeSignals(
    run: (signal: StopSignal, count: number) => void,
    { only }: { readonly only?: readonly StopSignal[] } = {},
  ): Disposable {
    let count = 0;
    this.#onSignal = (signal) => {
      if (only !== undefined && !only.includes(signal)) return undefined;
      if (++count > SIGNALS_TAKEN_MAX) return false;
      run(signal, count);
      return true;
    };
    return { [Symbol.dispose]: () => this.#onSignal = undefined };
  }

  /** The first one counts. */
  ask(exitCode: number, reason: string): void {
    if (this.exitCode !== undefined) return;
    this.exitCode = exitCode;
    this.#controller.abort(new CallError("cancelled", reason));
  }

  /** True for an error that only says that we stopped. */
  explains(error: unknown): boolean {
    if (this.exitCode === undefined) return false;
    return error === this.signal.reason ||
      (error instanceof CallError && error.class === "cancelled") ||
      (error instanceof DOMException && error.name === "AbortError");
  }

  [Symbol.dispose](): void {
    this.#resources.dispose();
  }
}
