/**
 * Takes nodes down through the mesh and waits until they are: for halt and shrink. In this order:
 *
 *   1. all but gateways and the node that we talk to are asked, by one signed group call
 *   2. those that the mesh could not reach but that live are asked one by one, past the mesh
 *   3. wait until they are gone
 *   4. the same with gateways, through which the others were reached
 *   5. the node that we talk to, because until now it was needed; wait for it too
 */

import { CallError, ConnectionError, errorText, MinimeError } from "../../core/mod.ts";
import type { CommandContext, MeshClient } from "../shared/command.ts";
import { callGroup } from "../shared/group_client.ts";
import { readMeshView } from "../shared/mesh_query.ts";
import { isGateway, type NodeState } from "../shared/mesh_view.ts";
import { foldNodeset } from "../shared/nodeset.ts";
import { inWindow } from "../shared/window.ts";
import {
  LAST_NODE_MS_MIN,
  PROBE_INTERVAL_MS,
  PROBES_AT_ONCE,
  SHUTDOWN_START_MS_MAX,
  STRAGGLER_MS_MAX,
} from "./limits.ts";
import { type ProbedNode, Prober } from "./liveness.ts";
import { plural } from "../shared/plural.ts";

const VERB = "core.shutdown";

/** A node that is to go down. */
export interface Doomed extends ProbedNode {
  /** As the mesh sees it; a node that the mesh does not know counts as down. */
  readonly state: NodeState;
  readonly groups: readonly string[];
  /** Unix ms: since when; undefined when nobody can tell. */
  readonly since?: number;
}

/** What became of a node: gone now, gone before, or still there and why. */
export interface Fate {
  readonly node: Doomed;
  readonly result: "down" | "was-down" | "up";
  /** Nothing at all answers where it was: its machine is gone, or the network to it. */
  readonly isSilent?: boolean;
  /** Why it is still there, as far as anybody said. */
  readonly why?: string;
}

/** Options of {@link takeDown}. */
export interface TakeDownOptions {
  readonly client: MeshClient;
  /** For all of it. */
  readonly timeoutMs: number;
  /** For the logs of the nodes. */
  readonly reason: string;
  /** What is being done, for the progress line: "Halting". */
  readonly doing: string;
}

/** In the order of the nodes. Rejects with CallError "refused" when the policy allows it nowhere. */
export async function takeDown(
  context: CommandContext,
  nodes: readonly Doomed[],
  options: TakeDownOptions,
): Promise<Fate[]> {
  const work = new TakeDown(context, nodes, options);
  try {
    return await work.run();
  } finally {
    context.out.progress(undefined);
  }
}

class TakeDown {
  readonly #context: CommandContext;
  readonly #nodes: readonly Doomed[];
  readonly #options: TakeDownOptions;
  /** Monotonic ms. */
  #deadline: number;
  /** By key id: who is not known to be down. */
  readonly #left: Map<string, Doomed>;
  readonly #wasDown = new Set<string>();
  readonly #silent = new Set<string>();
  readonly #why = new Map<string, string>();

  constructor(context: CommandContext, nodes: readonly Doomed[], options: TakeDownOptions) {
    this.#context = context;
    this.#nodes = nodes;
    this.#options = options;
    this.#deadline = context.env.clock.monotonic() + options.timeoutMs;
    this.#left = new Map(nodes.map((node) => [node.keyId, node]));
  }

  async run(): Promise<Fate[]> {
    const { env, signal } = this.#context;
    const { client } = this.#options;
    const prober = await Prober.create(env, this.#nodes, { mesh: client.meshName, signal });
    const isVia = ({ name, state }: Doomed) => name === client.via.name && state === "up";
    const others = this.#nodes.filter((node) => !isVia(node));
    this.#show();
    const gateways = others.filter(isGateway);
    for (const wave of [others.filter((node) => !isGateway(node)), gateways]) {
      // That others took all the time is no reason to call these stuck.
      if (wave === gateways && wave.length > 0) this.#allowAtLeast(LAST_NODE_MS_MIN);
      const isAsked = await this.#askThroughMesh(wave.filter(({ state }) => state === "up"));
      await this.#askStragglers(prober, wave.filter((node) => !isAsked.has(node.keyId)));
      await this.#wait(prober, wave);
    }
    const last = this.#nodes.find(isVia);
    if (last !== undefined) {
      this.#allowAtLeast(LAST_NODE_MS_MIN);
      await this.#askLast(last);
      const { endpoint } = client.via;
      const tcp = endpoint.startsWith("tcp:") ? [endpoint] : [];
      await this.#wait(prober, [{ ...last, endpoints: [...tcp, ...last.endpoints] }]);
    }
    return this.#nodes.map((node) => this.#fateOf(node));
  }

  #fateOf(node: Doomed): Fate {
    if (this.#wasDown.has(node.keyId)) {
      return { node, result: "was-down", isSilent: this.#silent.has(node.keyId) };
    }
    if (!this.#left.has(node.keyId)) return { node, result: "down" };
    const why = this.#why.get(node.keyId);
    return { node, result: "up", ...(why === undefined ? {} : { why }) };
  }

  /** Key ids of those that took the request. */
  async #askThroughMesh(nodes: readonly Doomed[]): Promise<ReadonlySet<string>> {
    if (nodes.length === 0) return new Set();
    const { client, reason } = this.#options;
    const { signal } = this.#context;
    const names = nodes.map(({ name }) => name);
    const ttlMs = SHUTDOWN_START_MS_MAX;
    const signed = await client.sign(VERB, { reason }, { targets: names, ttlMs });
    const result = await callGroup(client, {
      targets: foldNodeset(names),
      signed,
      deadlineMs: Math.max(1, Math.floor(Math.min(ttlMs, this.#remainingMs()))),
      signal,
    });
    const isRefused = [...result.failures.values()].every(({ set }) => set === "refused");
    const first = [...result.failures.values()][0];
    if (first !== undefined && isRefused && result.answered.size === 0) {
      throw new CallError("refused", first.reason);
    }
    for (const { name, reason } of result.failures.values()) {
      const node = nodes.find((each) => each.name === name);
      if (node !== undefined) this.#why.set(node.keyId, reason);
    }
    return new Set(nodes.filter(({ name }) => result.answered.has(name)).map((each) => each.keyId));
  }

  /** The mesh has lost them, or never had them; they may live all the same. */
  async #askStragglers(prober: Prober, nodes: readonly Doomed[]): Promise<void> {
    const states = await prober.probe(nodes);
    await inWindow(nodes, PROBES_AT_ONCE, async (node) => {
      const state = states[nodes.indexOf(node)];
      if (state === "unknown") this.#silent.add(node.keyId);
      const lives = state === "lives" && await this.#askDirectly(node);
      // Whatever listens where it was, if anything does, is not the node.
      if (!lives && node.state !== "up") {
        this.#left.delete(node.keyId);
        this.#wasDown.add(node.keyId);
      }
    });
  }

  /** False when it is not there. Who takes connections and says nothing is: frozen, not down. */
  async #askDirectly({ name, keyId }: Doomed): Promise<boolean> {
    const { signal } = this.#context;
    const timeoutMs = Math.min(STRAGGLER_MS_MAX, this.#remainingMs());
    try {
      await using client = await this.#context.connect({
        mesh: this.#options.client.meshName,
        node: name,
        timeoutMs,
      });
      await this.#ask(client, name);
      return true;
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof MinimeError)) throw error;
      if (isTimeout(error)) {
        this.#why.set(keyId, "takes connections but does not answer");
        return true;
      }
      this.#why.set(keyId, errorText(error));
      return false;
    }
  }

  async #askLast({ name, keyId }: Doomed): Promise<void> {
    const { signal } = this.#context;
    try {
      await this.#ask(this.#options.client, name);
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof CallError)) throw error;
      const isAlone = this.#nodes.length === 1;
      if (error.class === "refused" && isAlone) throw error;
      // It may have gone before its answer came; that is what the waiting is for.
      this.#why.set(keyId, errorText(error));
    }
  }

  async #ask(client: MeshClient, name: string): Promise<void> {
    const { signal } = this.#context;
    const args = { reason: this.#options.reason };
    const signed = await client.sign(VERB, args, { targets: [name] });
    await client.request(VERB, signed, { signed: true, deadlineMs: STRAGGLER_MS_MAX, signal });
  }

  /** Until those nodes are gone, or the time is over. */
  async #wait(prober: Prober, nodes: readonly Doomed[]): Promise<void> {
    const { env: { clock }, signal } = this.#context;
    for (;;) {
      const waiting = nodes.filter(({ keyId }) => this.#left.has(keyId));
      if (waiting.length === 0) return;
      const states = await prober.probe(waiting);
      const seen = states.includes("unknown") ? await this.#statesInMesh() : undefined;
      waiting.forEach((node, i) => {
        // Where nothing can be dialled from here the mesh is believed.
        const inMesh = seen?.get(node.keyId);
        const isLost = states[i] === "unknown" && inMesh !== undefined && inMesh !== "up";
        if (states[i] === "gone" || isLost) this.#left.delete(node.keyId);
      });
      this.#show();
      if (waiting.every(({ keyId }) => !this.#left.has(keyId)) || this.#remainingMs() <= 0) return;
      await clock.sleep(PROBE_INTERVAL_MS, { signal });
    }
  }

  /** Undefined when nobody can be asked any more. */
  async #statesInMesh(): Promise<Map<string, NodeState> | undefined> {
    const { signal } = this.#context;
    try {
      const { nodes } = await readMeshView(this.#options.client, { signal });
      return new Map(nodes.map(({ keyId, state }) => [keyId, state]));
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof CallError)) throw error;
      return undefined;
    }
  }

  #allowAtLeast(ms: number): void {
    this.#deadline = Math.max(this.#deadline, this.#context.env.clock.monotonic() + ms);
  }

  #remainingMs(): number {
    return this.#deadline - this.#context.env.clock.monotonic();
  }

  #show(): void {
    const count = this.#nodes.length;
    const names = foldNodeset([...this.#left.values()].map(({ name }) => name));
    const waiting = names === "" ? "" : `, waiting for ${names}`;
    const nodes = plural(count, "node");
    this.#context.out.progress(
      `${this.#options.doing} ${nodes}: ${count - this.#left.size} down${waiting}`,
    );
  }
}

function isTimeout(error: MinimeError): boolean {
  return (error instanceof ConnectionError && error.reason === "timeout") ||
    (error instanceof CallError && error.class === "timeout");
}
