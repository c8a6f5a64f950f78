/**
 * Ends what we have started when we are gone without a goodbye (SIGKILL, out of memory): a small shell
 * in a session of its own, which reads from us the process groups that run and, when we have vanished,
 * kills those that are left. It is there before the first program is, which would otherwise be alone while
 * a shell starts.
 */

import type { Child, Environment } from "../../core/mod.ts";

const encoder = new TextEncoder();

const SCRIPT = `
trap '' HUP INT TERM
groups=' '
while read -r op group; do
  case $op in
  +) groups="$groups$group " ;;
  -)
    rest=' '
    for each in $groups; do [ "$each" = "$group" ] || rest="$rest$each "; done
    groups=$rest
    ;;
  esac
done
for each in $groups; do kill -s KILL -- "-$each" 2>/dev/null; done
`;

interface Shell {
  readonly child: Child;
  readonly input: WritableStreamDefaultWriter<Uint8Array>;
}

export class Warden {
  readonly #processes: Environment["processes"];
  readonly #groups = new Set<number>();
  #shell: Promise<Shell> | undefined;
  #isStopped = false;

  constructor(processes: Environment["processes"]) {
    this.#processes = processes;
  }

  /** Resolves when it is there: whoever starts something after that has it watched at once. */
  async prepare(): Promise<void> {
    await this.#there();
  }

  /** Resolves when the group is sure to be ended with us. */
  async watch(group: number): Promise<void> {
    this.#groups.add(group);
    await this.#say(`+ ${group}\n`);
  }

  async forget(group: number): Promise<void> {
    if (this.#groups.delete(group) && this.#shell !== undefined) await this.#say(`- ${group}\n`);
  }

  /** When nothing runs any more. Idempotent. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    const shell = await this.#shell?.catch(() => undefined);
    this.#shell = undefined;
    await shell?.input.close().catch(() => {
      // It has ended before us.
    });
    await shell?.child.status;
  }

  /** One that could not be started is tried again by the next one who needs it. */
  #there(): Promise<Shell> {
    if (this.#shell !== undefined) return this.#shell;
    const started = this.#start();
    this.#shell = started;
    started.catch(() => this.#giveUp(started));
    return started;
  }

  #giveUp(shell: Promise<Shell>): void {
    if (this.#shell === shell) this.#shell = undefined;
  }

  async #start(): Promise<Shell> {
    const child = await this.#processes.spawn("/bin/sh", {
      args: ["-c", SCRIPT],
      stdin: "piped",
      clearEnvironment: true,
      folder: "/",
      detached: true,
    });
    const input = (child.stdin as WritableStream<Uint8Array>).getWriter();
    await input.write(encoder.encode([...this.#groups].map((group) => `+ ${group}\n`).join("")));
    return { child, input };
  }

  async #say(line: string): Promise<void> {
    const told = this.#there();
    const shell = await told;
    try {
      await shell.input.write(encoder.encode(line));
    } catch {
      // Somebody killed it: the next one is told of all that run.
      this.#giveUp(told);
      await shell.child.status;
      // Nobody would end it.
      if (!this.#isStopped) await this.#there();
    }
  }
}
