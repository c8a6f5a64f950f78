/**
 * The part of network boot that lives in a daemon: a node that is up serves its own program to the
 * hosts that are booted next, so that copying costs the origin's line three copies and not N.
 */

import * as v from "valibot";
import { CallError, type Module, type ModuleHost, type Timer, verb } from "../../core/mod.ts";
import { PACKED_KEPT_MS, TICKET_BYTES, TICKET_SECONDS_MAX } from "./limits.ts";
import { Offer } from "./offer.ts";

const HASH_CHARACTERS = 64;

/** Arguments of `network_boot.serve`. */
const ServeSchema = v.strictObject({
  /** SHA-256 of the program, hex. */
  hash: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/)),
  /** Good for one copy. */
  ticket: v.pipe(
    v.instance(Uint8Array),
    v.check((bytes) => bytes.length === TICKET_BYTES, `a ticket has ${TICKET_BYTES} bytes`),
  ),
  /** Within which the copy must begin. */
  seconds: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(TICKET_SECONDS_MAX)),
});

/** Its reply: on all addresses of the node. */
export const ServedSchema = v.strictObject({
  port: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(65_535)),
});

/** Registered by modules/mod.ts. */
export function createNetworkBoot(): Module {
  const server = new ProgramServer();
  return {
    name: "network_boot",
    verbs: {
      serve: verb({
        action: "guarded",
        args: ServeSchema,
        reply: ServedSchema,
        handle: async ({ hash, ticket, seconds }) => ({
          port: await server.serve(hash, ticket, seconds),
        }),
      }),
    },
    start: (host) => server.start(host),
    stop: () => server.stop(),
  };
}

class ProgramServer {
  #host: ModuleHost | undefined;
  #offer: Offer | undefined;
  #hash: Promise<string> | undefined;
  #cleaning: Timer | undefined;

  start(host: ModuleHost): Promise<void> {
    this.#host = host;
    this.#offer = new Offer(host.env, {
      log: host.log,
      pack: async () => {
        const program = executableOf(host);
        const packed = `${program}.gz`;
        const there = await host.env.files.facts(packed) !== undefined;
        return there ? ["cat", "--", packed] : ["gzip", "-1", "-c", "--", program];
      },
      onClosed: () => this.#cleanLater(),
    });
    this.#cleanLater();
    return Promise.resolve();
  }

  async stop(): Promise<void> {
    this.#offer?.close();
    this.#cleaning?.cancel();
    await this.#clean();
  }

  async serve(hash: string, ticket: Uint8Array, seconds: number): Promise<number> {
    const host = this.#host as ModuleHost;
    this.#hash ??= hashOf(host, executableOf(host));
    const own = await this.#hash;
    if (own !== hash) throw new CallError("failed", `This node runs program ${own}, not ${hash}`);
    this.#cleaning?.cancel();
    return await (this.#offer as Offer).accept(ticket, seconds);
  }

  /** Boot has left the compressed file for others; nobody needs it for long. */
  #cleanLater(): void {
    const { env, log } = this.#host as ModuleHost;
    this.#cleaning?.cancel();
    this.#cleaning = env.clock.after(PACKED_KEPT_MS, () => {
      this.#clean().catch((error: unknown) => log("warning", `Cannot clean up: ${String(error)}`));
    });
  }

  async #clean(): Promise<void> {
    const program = this.#host?.env.processes.executable;
    if (program === undefined || !isInstalledByBoot(program)) return;
    await this.#host?.env.files.remove(`${program}.gz`);
  }
}

function executableOf(host: ModuleHost): string {
  const program = host.env.processes.executable;
  if (program !== undefined) return program;
  throw new CallError("failed", "This node runs from source and has no program to give");
}

/** Boot names the file after its hash, and only when the hash was right. */
function isInstalledByBoot(program: string): boolean {
  return /\/minime-[0-9a-f]{64}$/.test(program);
}

async function hashOf(host: ModuleHost, program: string): Promise<string> {
  if (isInstalledByBoot(program)) return program.slice(-HASH_CHARACTERS);
  const child = await host.env.processes.spawn("sha256sum", {
    args: ["-b", "--", program],
    stdout: "piped",
  });
  let text = "";
  const decoder = new TextDecoder();
  for await (const chunk of child.stdout as ReadableStream<Uint8Array>) {
    text += decoder.decode(chunk, { stream: true });
  }
  const { code } = await child.status;
  const hash = text.slice(0, HASH_CHARACTERS);
  if (code !== 0 || hash.length !== HASH_CHARACTERS) {
    throw new CallError("failed", `Cannot hash "${program}"`);
  }
  return hash;
}
