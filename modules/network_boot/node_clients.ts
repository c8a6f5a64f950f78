/** Connections to nodes that are up, kept while the boot lasts: they are asked to serve the binary. */

import * as v from "valibot";
import { type Environment, MinimeError, parseEndpoint, toHex } from "../../core/mod.ts";
import type { CommandContext, MeshClient } from "../shared/command.ts";
import type { KnownNode } from "../shared/mesh_home.ts";
import { SERVE_CALL_MS_MAX, TICKET_BYTES, TICKET_REDEEMED_SECONDS } from "./limits.ts";
import { ServedSchema } from "./mod.ts";
import type { OpenedSource } from "./ssh_launcher.ts";

export class NodeClients implements AsyncDisposable {
  readonly #env: Pick<Environment, "random">;
  readonly #connect: CommandContext["connect"];
  readonly #mesh: string;
  readonly #clients = new Map<string, Promise<MeshClient>>();

  constructor(
    context: { readonly env: Pick<Environment, "random">; connect: CommandContext["connect"] },
    mesh: string,
  ) {
    this.#env = context.env;
    this.#connect = (options) => context.connect(options);
    this.#mesh = mesh;
  }

  /** Asks the node, which the home must know, to serve program `hash` once more. */
  async open(node: KnownNode, hash: string): Promise<OpenedSource> {
    const address = node.endpoints.map(parseEndpoint).find(({ transport }) => transport === "tcp");
    if (address?.transport !== "tcp") throw new MinimeError(`"${node.name}" has no TCP endpoint`);
    const client = await this.#client(node.name);
    const ticket = this.#env.random.bytes(TICKET_BYTES);
    const verb = "network_boot.serve";
    const args = { hash, ticket, seconds: TICKET_REDEEMED_SECONDS };
    const signed = await client.sign(verb, args, { targets: [node.name] });
    const reply = await client.request(verb, signed, {
      signed: true,
      deadlineMs: SERVE_CALL_MS_MAX,
    });
    const { port } = v.parse(ServedSchema, reply);
    return { host: address.host, port, ticket: toHex(ticket) };
  }

  async #client(name: string): Promise<MeshClient> {
    let client = this.#clients.get(name);
    if (client === undefined) {
      client = this.#connect({ mesh: this.#mesh, node: name, timeoutMs: SERVE_CALL_MS_MAX });
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
