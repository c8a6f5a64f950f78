/** As many programs as there are nodes, which start `true` when told and do nothing else: bare.ts. */

import { timeProcess } from "./process.ts";

const BARE = new URL("./bare.ts", import.meta.url).pathname;
const ARGV = [Deno.execPath(), "run", "--quiet", "--no-config", "--allow-all", BARE] as const;
const LOOK_MS = 50;
/** On a machine that starts many at once. */
const START_MS_MAX = 60_000;

export class BareNodes implements AsyncDisposable {
  readonly #folder: string;
  readonly #resources: AsyncDisposableStack;

  private constructor(folder: string, resources: AsyncDisposableStack) {
    this.#folder = folder;
    this.#resources = resources;
  }

  /**
   * Resolves when all of them listen. `spawn` starts one, which listens at that path. Of what fails
   * nothing is left.
   */
  static async start(count: number, spawn = spawnBare): Promise<BareNodes> {
    await using resources = new AsyncDisposableStack();
    const folder = await Deno.makeTempDir({ prefix: "minime-bench-" });
    resources.defer(() => Deno.remove(folder, { recursive: true }));
    let ended: Deno.CommandStatus | undefined;
    for (let index = 0; index < count; index++) {
      const child = spawn(socketOf(folder, index));
      resources.defer(() => end(child));
      void child.status.then((status) => ended ??= status);
    }
    const until = performance.now() + START_MS_MAX;
    while ((await Array.fromAsync(Deno.readDir(folder))).length < count) {
      if (ended !== undefined) {
        const how = ended.signal ?? `exit ${ended.code}`;
        throw new Error(`One of ${count} bare programs ended before all listened: ${how}`);
      }
      if (performance.now() > until) throw new Error(`Not all of ${count} bare programs listen`);
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
    return new BareNodes(folder, resources.move());
  }

  /** Milliseconds of a whole program that has the first `count` of them start `true`, and ends. */
  async time(count: number): Promise<number> {
    const sockets = Array.from({ length: count }, (_, index) => socketOf(this.#folder, index));
    return await timeProcess([...ARGV, "ask", ...sockets]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#resources.disposeAsync();
  }
}

function spawnBare(socket: string): Deno.ChildProcess {
  const [command, ...words] = ARGV;
  return new Deno.Command(command, { args: [...words, "serve", socket], stdin: "null" }).spawn();
}

async function end(child: Deno.ChildProcess): Promise<void> {
  try {
    child.kill();
  } catch (error) {
    // One that has ended already.
    if (!(error instanceof TypeError)) throw error;
  }
  await child.status;
}

function socketOf(folder: string, index: number): string {
  return `${folder}/${index}`;
}
