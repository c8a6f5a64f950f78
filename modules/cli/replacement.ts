/** How a daemon that has stopped goes on as another program, with a guard that knows the way back. */

import type { Environment } from "../../core/mod.ts";
import { UP_SECONDS_MAX } from "../upgrade/limits.ts";
import type { NextProgram } from "../upgrade/mod.ts";
import { guardArguments } from "../upgrade/scripts.ts";

type Needs = Pick<Environment, "files" | "processes">;

/** Told by the upgrade module, asked when all is closed. */
export class Replacement {
  readonly #env: Needs;
  #next: NextProgram | undefined;

  constructor(env: Needs) {
    this.#env = env;
  }

  /** Undefined: the daemon just ends. */
  get next(): NextProgram | undefined {
    return this.#next;
  }

  goOnAs(next: NextProgram): void {
    this.#next = next;
  }

  /**
   * Returns only when there is nothing to go on as. `secrets` are what the next program needs and no
   * disk holds. Throws MinimeError when it cannot be run; then the guard brings the old one back.
   */
  async run(secrets?: Uint8Array): Promise<void> {
    if (this.#next === undefined) return;
    const { processes } = this.#env;
    const { program, kept, original, marker } = this.#next;
    const variables = secrets === undefined ? {} : processes.handOver(secrets);
    const unit = await this.#unit();
    const again = unit === undefined
      ? [original, ...processes.arguments]
      : ["systemctl", "restart", unit];
    const watch = [processes.pid, UP_SECONDS_MAX].map(String);
    const guard = await processes.spawn("sh", {
      args: guardArguments([...watch, marker, original, kept, ...again]),
      environment: variables,
      folder: "/",
    });
    await guard.status;
    processes.replace(program, variables);
  }

  /** The unit of systemd that we are, if we are one: from our control group. */
  async #unit(): Promise<string | undefined> {
    const { files, processes } = this.#env;
    if (processes.variable("NOTIFY_SOCKET") === undefined) return undefined;
    const groups = await files.readText("/proc/self/cgroup");
    return /\/([^/\n]+\.service)$/m.exec(groups)?.[1];
  }
}
