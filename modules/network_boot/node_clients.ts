/**
 * Asks nodes that are up to serve the binary, over connections that are kept while the boot lasts.
 * A node that this machine cannot dial is asked through the mesh, as soon as the mesh has linked it.
 */

import * as v from "valibot";
import {
  CallError,
  type Environment,
  MinimeError,
  parseEndpoint,
  toHex,
  UsageError,
} from "../../core/mod.ts";
import type { CommandContext, MeshClient } from "../shared/command.ts";
import { callGroup } from "../shared/group_client.ts";
import type { KnownNode } from "../shared/mesh_home.ts";
import {
  LINK_MS_MAX,
  LINK_POLL_MS,
  SERVE_CALL_MS_MAX,
  TICKET_BYTES,
  TICKET_REDEEMED_SECONDS,
} from "./limits.ts";
import { ServedSchema } from "./mod.ts";
import type { OpenedSource } from "./ssh_launcher.ts";

type Context = {
  readonly env: Pick<Environment, "clock" | "random">;
  readonly signal: AbortSignal;
  connect: CommandContext["connect"];
};

const VERB = "network_boot.serve";

export class NodeClients implements AsyncDisposable {
  readonly #context: Context;
  readonly #mesh: string;
  /** By node; undefined: to any node. */
  readonly #clients = new Map<string | undefined, Promise<MeshClient>>();

  constructor(context: Context, mesh: string) {
    this.#context = context;
    this.#mesh = mesh;
  }

  /** Asks the node, which the home must know, to serve program `hash` once more. */
  async open(
    node: KnownNode,
    options: { readonly hash: string; readonly endpoints: readonly string[] },
  ): Promise<OpenedSource> {
    const hosts = addressesOf(options.endpoints);
    if (hosts.length === 0) throw new MinimeError(`"${node.name}" has no TCP endpoint`);
    const ask = node.direct === false ? this.#throughMesh : this.#directly;
    const { ticket, reply } = await ask.call(this, node.name, options.hash);
    return { hosts, port: v.parse(ServedSchema, reply).port, ticket };
  }

  async #directly(name: string, hash: string): Promise<Asked> {
    const client = await this.#client(name);
    const { ticket, signed } = await this.#sign(client, name, hash);
    const options = { signed: true, deadlineMs: SERVE_CALL_MS_MAX };
    return { ticket, reply: await client.request(VERB, signed, options) };
  }

  async #throughMesh(name: string, hash: string): Promise<Asked> {
    const { env: { clock }, signal } = this.#context;
    const deadline = clock.monotonic() + LINK_MS_MAX;
    for (;;) {
      const client = await this.#client(undefined);
      const { ticket, signed } = await this.#sign(client, name, hash);
      let why: string;
      try {
        const deadlineMs = SERVE_CALL_MS_MAX;
        const result = await callGroup(client, { targets: name, signed, deadlineMs, signal });
        if (result.answered.has(name)) return { ticket, reply: result.values.get(name) };
        const failure = result.failures.get(name);
        why = failure?.reason ?? "no answer";
        if (failure?.set !== "unreachable") throw new CallError("failed", why);
      } catch (error) {
        // The node that we talk to has not heard of it yet.
        if (!(error instanceof UsageError)) throw error;
        why = error.message;
      }
      if (clock.monotonic() > deadline) throw new CallError("unreachable", why);
      await clock.sleep(LINK_POLL_MS, { signal });
    }
  }

  async #sign(client: MeshClient, name: string, hash: string): Promise<Signed> {
    const ticket = this.#context.env.random.bytes(TICKET_BYTES);
    const args = { hash, ticket, seconds: TICKET_REDEEMED_SECONDS };
    return { ticket: toHex(ticket), signed: await client.sign(VERB, args, { targets: [name] }) };
  }

  async #client(name: string | undefined): Promise<MeshClient> {
    let client = this.#clients.get(name);
    if (client === undefined) {
      client = this.#context.connect({
        mesh: this.#mesh,
        timeoutMs: SERVE_CALL_MS_MAX,
        ...(name === undefined ? {} : { node: name }),
      });
      this.#clients.set(name, client);
      client.catch(() => this.#clients.delete(name));
    }
    return await client;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const clients = await Promise.allSettled(this.#clients.values());
    const open = clients.flatMap((each) => each.status === "fulfilled" ? [each.value] : []);
    await Promise.all(open.map((client) => client.close()));
  }
}

interface Signed {
  /** 32 hex digits. */
  readonly ticket: string;
  readonly signed: Uint8Array;
}

interface Asked {
  readonly ticket: string;
  readonly reply: unknown;
}

function addressesOf(endpoints: readonly string[]): string[] {
  const hosts = endpoints.map(parseEndpoint).flatMap((address) =>
    address.transport === "tcp" ? [address.host] : []
  );
  return [...new Set(hosts)];
}
