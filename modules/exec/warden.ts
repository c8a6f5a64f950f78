/**
 * Ends what we have started when we are gone without a goodbye (SIGKILL, out of memory): a small shell
 * in a session of its own, which reads from us the process groups that run and, when we have vanished,
 * kills those that are left. It is started with the first program.
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

  constructor(processes: Environment["processes"]) {
    this.#processes = processes;
  }

  /** Resolves when the group is sure to be ended with us. */
  async watch(group: number): Promise<void> {
    this.#groups.add(group);
    if (this.#shell === undefined) {
      this.#shell = this.#start();
      await this.#shell;
    } else await this.#say(`+ ${group}\n`);
  }

  async forget(group: number): Promise<void> {
    if (this.#groups.delete(group)) await this.#say(`- ${group}\n`);
  }

  /** When nothing runs any more. Idempotent. */
  async stop(): Promise<void> {
    const shell = await this.#shell;
    this.#shell = undefined;
    await shell?.input.close().catch(() => {
      // It has ended before us.
    });
    await shell?.child.status;
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
    const told = this.#shell;
    const shell = await told;
    try {
      await shell?.input.write(encoder.encode(line));
    } catch {
      // Somebody killed it: the next one is told of all that run.
      if (this.#shell === told) this.#shell = this.#start();
      await shell?.child.status;
      await this.#shell;
    }
  }
}
