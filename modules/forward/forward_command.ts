/** `minime forward`: local ports whose connections nodes make, until ^C. */

import {
  type BytePipe,
  CallError,
  ConnectionError,
  errorText,
  hostInUrl,
  MinimeError,
  type PipeListener,
  UsageError,
} from "../../core/mod.ts";
import type { CommandContext, OptionsOf } from "../shared/command.ts";
import { reachMesh } from "../shared/mesh_query.ts";
import { selectSeen } from "../shared/missing_nodes.ts";
import type { forwardOptions } from "./commands.ts";
import { carryLocal } from "./connection.ts";
import { type ForwardSpec, parseForwards, targetText } from "./forward_spec.ts";
import { CONNECTIONS_MAX } from "./limits.ts";
import { NodeWay } from "./node_way.ts";

/** ^C is the usual end and no failure. */
export async function runForward(
  context: CommandContext,
  options: OptionsOf<typeof forwardOptions>,
  args: readonly string[],
): Promise<void> {
  const { signal } = context;
  const specs = parseForwards(args);
  await refuseUnknown(context, specs.map(({ node }) => node));
  await using resources = new AsyncDisposableStack();
  const ways = new Map<string, NodeWay>();
  for (const { node } of specs) {
    if (!ways.has(node)) ways.set(node, resources.use(new NodeWay(context, node)));
  }
  await Promise.all([...ways.values()].map((way) => way.connect()));
  const forwards: Forward[] = [];
  for (const spec of specs) {
    const listener = await listen(context, spec);
    resources.defer(() => listener.close());
    forwards.push(new Forward(context, spec, { listener, way: ways.get(spec.node) as NodeWay }));
  }
  for (const forward of forwards) forward.show(options.json);
  const stop = () => {
    for (const forward of forwards) forward.stop();
  };
  signal.addEventListener("abort", stop);
  if (signal.aborted) stop();
  try {
    await Promise.all(forwards.map((forward) => forward.run()));
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

/** In the words of all commands, and before anything listens. */
async function refuseUnknown(context: CommandContext, names: readonly string[]): Promise<void> {
  const { client, view } = await reachMesh(context);
  await using _client = client;
  const selection = { named: true, names: () => [...names] };
  await selectSeen(context, client, { nodes: view.nodes, selection });
}

async function listen({ env }: CommandContext, { listen }: ForwardSpec): Promise<PipeListener> {
  try {
    return await env.network.listen({ transport: "tcp", ...listen });
  } catch (cause) {
    if (!(cause instanceof ConnectionError)) throw cause;
    throw new MinimeError(cause.message, { cause });
  }
}

/** One local port. */
class Forward {
  readonly #context: CommandContext;
  readonly #spec: ForwardSpec;
  readonly #listener: PipeListener;
  readonly #way: NodeWay;
  readonly #open = new Set<Promise<void>>();
  #isSlow = false;

  constructor(
    context: CommandContext,
    spec: ForwardSpec,
    parts: { readonly listener: PipeListener; readonly way: NodeWay },
  ) {
    this.#context = context;
    this.#spec = spec;
    this.#listener = parts.listener;
    this.#way = parts.way;
  }

  show(json: boolean): void {
    const { out } = this.#context;
    const { node, host, port } = this.#spec;
    const listen = this.#address();
    if (json) out.json({ listen, node, host, port });
    else out.print(`${listen} -> ${targetText(this.#spec)}`);
  }

  /** Until `stop`, and until what was connected is over. */
  async run(): Promise<void> {
    for (;;) {
      let pipe: BytePipe;
      try {
        pipe = await this.#listener.accept();
      } catch (error) {
        if (!this.#listener.closed) throw error;
        break;
      }
      this.#noteWhenFull();
      await this.#way.enter();
      const carrying = this.#carry(pipe).finally(() => {
        this.#open.delete(carrying);
        this.#way.leave();
      });
      this.#open.add(carrying);
    }
    await Promise.all(this.#open);
  }

  stop(): void {
    this.#listener.close();
  }

  /** Never rejects for what one connection may come to. */
  async #carry(pipe: BytePipe): Promise<void> {
    const { out, signal } = this.#context;
    const { host, port } = this.#spec;
    const name = `${pipe.remote} -> ${targetText(this.#spec)}`;
    out.detail(`${name}: connected here`);
    try {
      await carryLocal(pipe, () => this.#way.open({ host, port }, signal));
      out.detail(`${name}: over`);
    } catch (error) {
      if (signal.aborted) return;
      // The node may be forgotten meanwhile.
      const isKnown = error instanceof CallError || error instanceof ConnectionError ||
        error instanceof UsageError;
      if (!isKnown) throw error;
      out.warn(`${name}: ${errorText(error)}`);
    }
  }

  #noteWhenFull(): void {
    if (this.#way.isFull && !this.#isSlow) {
      this.#context.out.note(
        `${CONNECTIONS_MAX} connections to "${this.#way.node}" at once: the next one waits`,
      );
    }
    this.#isSlow = this.#way.isFull;
  }

  #address(): string {
    const { address } = this.#listener;
    if (address.transport !== "tcp") return address.path;
    return `${hostInUrl(address.host)}:${address.port}`;
  }
}
