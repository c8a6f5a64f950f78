/** The clients of the soak: processes that run one command line after the other, and may be killed. */

import type { Line, LineResult } from "./worker.ts";

const WORKER = new URL("worker.ts", import.meta.url).pathname;

export class Client {
  readonly #child: Deno.ChildProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #lines: AsyncIterator<string>;
  #isKilled = false;

  /** `network`: a process in whose network it runs, instead of the machine's. */
  constructor(environment: Record<string, string>, { network }: { network?: number } = {}) {
    const worker = [Deno.execPath(), "run", "-A", "--no-check", WORKER];
    const enter = network === undefined ? [] : ["nsenter", "-t", `${network}`, "-n", "--"];
    const [program = "", ...args] = [...enter, ...worker];
    this.#child = new Deno.Command(program, {
      args,
      env: environment,
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    this.#writer = this.#child.stdin.getWriter();
    this.#lines = linesOf(this.#child.stdout);
  }

  /** Undefined when it was killed meanwhile. */
  async run(line: Line): Promise<LineResult | undefined> {
    try {
      await this.#writer.write(new TextEncoder().encode(`${JSON.stringify(line)}\n`));
      const { value, done } = await this.#lines.next();
      return done === true ? undefined : JSON.parse(value) as LineResult;
    } catch (error) {
      if (error instanceof Deno.errors.BrokenPipe) return undefined;
      throw error;
    }
  }

  async kill(): Promise<void> {
    this.#isKilled = true;
    this.#child.kill("SIGKILL");
    await this.#child.status;
    await this.#writer.close().catch(() => {
      // What it did not read is gone with it.
    });
  }

  /** When it has nothing to do, or was killed. */
  async close(): Promise<void> {
    if (this.#isKilled) return;
    await this.#writer.close();
    await this.#lines.return?.();
    await this.#child.status;
  }
}

async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string, void, void> {
  let rest = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    rest += text;
    for (let end = rest.indexOf("\n"); end >= 0; end = rest.indexOf("\n")) {
      yield rest.slice(0, end);
      rest = rest.slice(end + 1);
    }
  }
}
