/**
 * A {@link Proxy} in the network of a host. Deno cannot change its own network, so this file is
 * also a program: it reads commands as JSON lines from stdin, answers each with a line, and ends
 * with its stdin. It sees the machine's files, not the host's.
 */

import { denoFolder } from "./binary.ts";
import type { Host } from "./host.ts";
import { Proxy } from "./proxy.ts";
import type { ProxyControl, ProxyCounters, ProxyOptions } from "./proxy.ts";
import type { Process } from "./process.ts";

type Command =
  | { readonly verb: "start"; readonly options: ProxyOptions }
  | { readonly verb: "counters" }
  | { readonly verb: "setRate"; readonly value: number | null }
  | { readonly verb: "setDelay"; readonly value: number }
  | { readonly verb: "stall"; readonly value: boolean }
  | { readonly verb: "cut" };

/** Starts a proxy in a host's network; rejects when its port is taken. */
export async function startProxy(options: ProxyOptions & { host: Host }): Promise<ProxyControl> {
  const { host, ...rest } = options;
  const process = host.spawnInNetwork(
    [Deno.execPath(), "run", "-A", "--no-lock", "--no-config", "--quiet", import.meta.url],
    { DENO_DIR: denoFolder() },
  );
  const proxy = new DistantProxy(process);
  try {
    await proxy.start(rest);
    return proxy;
  } catch (error) {
    await proxy[Symbol.asyncDispose]();
    throw error;
  }
}

class DistantProxy implements ProxyControl {
  readonly #process: Process;
  readonly #input: WritableStreamDefaultWriter<Uint8Array<ArrayBufferLike>>;
  readonly #replies: AsyncGenerator<string>;
  #port = 0;
  #last: Promise<unknown> = Promise.resolve();

  constructor(process: Process) {
    this.#process = process;
    this.#input = process.stdin.getWriter();
    this.#replies = linesOf(process.stdout);
  }

  get port(): number {
    return this.#port;
  }

  async start(options: ProxyOptions): Promise<void> {
    this.#port = await this.#ask({ verb: "start", options });
  }

  async counters(): Promise<ProxyCounters> {
    return await this.#ask({ verb: "counters" });
  }

  async setRate(bytesPerSecond: number | null): Promise<void> {
    await this.#ask({ verb: "setRate", value: bytesPerSecond });
  }

  async setDelay(delayMs: number): Promise<void> {
    await this.#ask({ verb: "setDelay", value: delayMs });
  }

  async stall(stalled: boolean): Promise<void> {
    await this.#ask({ verb: "stall", value: stalled });
  }

  async cut(): Promise<void> {
    await this.#ask({ verb: "cut" });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#replies.return(undefined);
    this.#input.releaseLock();
    await this.#process[Symbol.asyncDispose]();
  }

  /** One question at a time: replies have no names. */
  #ask<T>(command: Command): Promise<T> {
    const answer = this.#last.then(async () => {
      await this.#input.write(new TextEncoder().encode(JSON.stringify(command) + "\n"));
      const { value, done } = await this.#replies.next();
      if (done) throw new Error(`The proxy ended instead of answering '${command.verb}'`);
      const reply: { result?: T; error?: string } = JSON.parse(value);
      if (reply.error !== undefined) throw new Error(`Cannot ${command.verb}: ${reply.error}`);
      return reply.result as T;
    });
    this.#last = answer.catch(() => {}); // The asker has the error.
    return answer;
  }
}

async function* linesOf(stream: ReadableStream<Uint8Array<ArrayBuffer>>): AsyncGenerator<string> {
  let text = "";
  for await (const chunk of stream.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n")) {
      yield text.slice(0, end);
      text = text.slice(end + 1);
    }
  }
}

async function serve(): Promise<void> {
  let proxy: Proxy | undefined;
  const execute = async (command: Command): Promise<unknown> => {
    if (command.verb === "start") {
      proxy = new Proxy(command.options);
      return proxy.port;
    }
    if (proxy === undefined) throw new Error("The proxy was not started");
    switch (command.verb) {
      case "counters":
        return await proxy.counters();
      case "setRate":
        return await proxy.setRate(command.value);
      case "setDelay":
        return await proxy.setDelay(command.value);
      case "stall":
        return await proxy.stall(command.value);
      case "cut":
        return await proxy.cut();
    }
  };
  for await (const line of linesOf(Deno.stdin.readable)) {
    const reply = await execute(JSON.parse(line)).then(
      (result) => ({ result }),
      (error) => ({ error: String(error) }),
    );
    await Deno.stdout.write(new TextEncoder().encode(JSON.stringify(reply) + "\n"));
  }
  Deno.exit(0);
}

if (import.meta.main) await serve();
