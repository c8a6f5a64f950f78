/** How a daemon that has stopped goes on as another program, with a guard that knows the way back. */

import type { Environment } from "../../core/mod.ts";
import { UP_SECONDS_MAX } from "../upgrade/limits.ts";
import type { NextProgram } from "../upgrade/mod.ts";
import { guardArguments } from "../upgrade/scripts.ts";

type Needs = Pick<Environment, "files" | "processes">;

/** The manager of a user's own units, where there is one, and the unit. */
const UNIT = /(\/user@\d+\.service(?:\/.*)?)?\/([^/\n]+\.service)$/m;

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
    const unit = await this.#unitRestart();
    const again = unit ?? [original, ...processes.arguments];
    const watch = [processes.pid, UP_SECONDS_MAX].map(String);
    // In our folder, to which paths among our arguments may be relative.
    const guard = await processes.spawn("sh", {
      args: guardArguments([...watch, marker, original, kept, ...again]),
      environment: variables,
    });
    await guard.status;
    processes.replace(program, variables);
  }

  /** Restarts the unit of systemd that we are, if we are one: from our control group. */
  async #unitRestart(): Promise<string[] | undefined> {
    const { files, processes } = this.#env;
    if (processes.variable("NOTIFY_SOCKET") === undefined) return undefined;
    const groups = await files.readText("/proc/self/cgroup");
    const [, manager, unit] = UNIT.exec(groups) ?? [];
    if (unit === undefined) return undefined;
    return ["systemctl", ...(manager === undefined ? [] : ["--user"]), "restart", unit];
  }
}
