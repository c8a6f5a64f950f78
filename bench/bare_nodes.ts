/** As many programs as there are nodes, which start `true` when told and do nothing else: bare.ts. */

import { timeProcess } from "./process.ts";

const BARE = new URL("./bare.ts", import.meta.url).pathname;
const ARGV = [Deno.execPath(), "run", "--quiet", "--no-config", "--allow-all", BARE] as const;
const LOOK_MS = 50;
/** On a machine that starts many at once. */
const START_MS_MAX = 60_000;

export class BareNodes implements AsyncDisposable {
  readonly #folder: string;
  readonly #children: readonly Deno.ChildProcess[];

  private constructor(folder: string, children: readonly Deno.ChildProcess[]) {
    this.#folder = folder;
    this.#children = children;
  }

  /** Resolves when all of them listen. */
  static async start(count: number): Promise<BareNodes> {
    const folder = await Deno.makeTempDir({ prefix: "minime-bench-" });
    const [command, ...words] = ARGV;
    const children = Array.from({ length: count }, (_, index) =>
      new Deno.Command(command, {
        args: [...words, "serve", socketOf(folder, index)],
        stdin: "null",
      }).spawn());
    await using stack = new AsyncDisposableStack();
    const nodes = stack.use(new BareNodes(folder, children));
    const until = performance.now() + START_MS_MAX;
    while ((await Array.fromAsync(Deno.readDir(folder))).length < count) {
      if (performance.now() > until) throw new Error(`Not all of ${count} bare programs listen`);
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
    stack.move();
    return nodes;
  }

  /** Milliseconds of a whole program that has the first `count` of them start `true`, and ends. */
  async time(count: number): Promise<number> {
    const sockets = Array.from({ length: count }, (_, index) => socketOf(this.#folder, index));
    return await timeProcess([...ARGV, "ask", ...sockets]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#children) {
      try {
        child.kill();
      } catch (error) {
        // One that has ended already.
        if (!(error instanceof TypeError)) throw error;
      }
    }
    await Promise.all(this.#children.map((child) => child.status));
    await Deno.remove(this.#folder, { recursive: true });
  }
}

function socketOf(folder: string, index: number): string {
  return `${folder}/${index}`;
}
