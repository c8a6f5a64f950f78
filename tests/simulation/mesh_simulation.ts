/**
 * A mesh of whole daemons in one simulation: real Noise, framing and modules over a simulated
 * network, clock, disk and randomness. Nothing happens except while `run` or a method that says so
 * runs the simulation.
 *
 *     await using mesh = await MeshSimulation.start({ seed: 1, nodes: 64 });
 *     await mesh.untilAgreed();
 *     const result = await mesh.finish(mesh.call("n1", { steps: [{ verb: "core.hello" }] }));
 */

import type { LogLevel, Primitives, Self } from "../../core/mod.ts";
import { AdvertPool, type Seed } from "../../modules/mesh/mod.ts";
import { callGroup, type GroupCallOptions } from "../../modules/shared/group_client.ts";
import type { GroupResult } from "../../modules/shared/group_result.ts";
import { MeshKeys } from "../support/mesh_keys.ts";
import { disagreement } from "./agreement.ts";
import { EPOCH_MS } from "./clock.ts";
import { Simulation } from "./environment.ts";
import type { PathOptions } from "./path.ts";
import { simulationPrimitives } from "./remembering_primitives.ts";
import type { RunOptions } from "./scheduler.ts";
import { SimulatedNode } from "./simulated_node.ts";

/** How often agreement is looked for, in virtual time. */
const LOOK_MS = 50;
/** Longest pause between two dials is 30 s; a few of them may be needed. */
const AGREE_MS_MAX = 120_000;
/** More than anything that daemons wait for. */
const FINISH_MS_MAX = 300_000;
/** In one run: ten times what the boot of 64 nodes needs. */
const EVENTS_MAX = 1_000_000;

export interface MeshSimulationOptions {
  readonly seed: string | number;
  readonly nodes: number;
  /** Nodes that each one knows when it starts. @default 3 */
  readonly peers?: number;
  /** @default 0.2 ms and up to 0.3 ms more */
  readonly path?: PathOptions;
  /** @default the best of this host, which remember what they were asked */
  readonly primitives?: Primitives;
  readonly keepTrace?: boolean;
}

export interface LogLine {
  readonly at: number;
  readonly node: string;
  readonly level: LogLevel;
  readonly text: string;
}

export class MeshSimulation {
  readonly simulation: Simulation;
  readonly keys: MeshKeys;
  /** A user who may do everything, whose clock is right. */
  readonly user: Self;
  readonly nodes: readonly SimulatedNode[];
  readonly log: LogLine[] = [];
  readonly #peers: number;

  /** All daemons started, at the same moment; their links are still to come. */
  static async start(options: MeshSimulationOptions): Promise<MeshSimulation> {
    const mesh = new MeshSimulation(options);
    await mesh.finish(mesh.startAll());
    return mesh;
  }

  /** The machines, without any daemon on them. */
  constructor(options: MeshSimulationOptions) {
    const { seed, nodes, path = { jitterMs: 0.3 }, keepTrace = false } = options;
    const { primitives = simulationPrimitives } = options;
    const simulation = new Simulation({ seed, path, keepTrace });
    this.simulation = simulation;
    this.#peers = options.peers ?? 3;
    this.keys = new MeshKeys(primitives, {
      random: simulation.random.fork("keys"),
      now: () => this.unixMs,
    });
    this.user = this.keys.person({ name: "alice", type: "user" });
    const world = {
      simulation,
      primitives,
      keys: this.keys,
      pool: new AdvertPool(),
      log: (node: string, level: LogLevel, text: string) => {
        this.log.push({ at: simulation.now, node, level, text });
      },
    };
    this.nodes = Array.from({ length: nodes }, (_, i) => new SimulatedNode(world, `n${i + 1}`));
  }

  /** True time, which no machine's clock need show. */
  get unixMs(): number {
    return Math.floor(EPOCH_MS + this.simulation.now);
  }

  /** Those whose daemon runs, frozen or not. */
  get living(): readonly SimulatedNode[] {
    return this.nodes.filter(({ running }) => running !== undefined);
  }

  node(name: string): SimulatedNode {
    const node = this.nodes.find((one) => one.name === name);
    if (node === undefined) throw new Error(`There is no node "${name}"`);
    return node;
  }

  /** @see RunOptions; whoever needs more events than {@link EVENTS_MAX} goes round in circles. */
  run(options: RunOptions): Promise<boolean> {
    return this.simulation.run({ eventsMax: EVENTS_MAX, ...options });
  }

  /** Runs until the promise has settled, and gives what it gave; rejects after some minutes. */
  finish<T>(promise: Promise<T>): Promise<T> {
    return this.simulation.finish(promise, { eventsMax: EVENTS_MAX, forMs: FINISH_MS_MAX });
  }

  async startAll(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.start(this.peersOf(node))));
  }

  /** All that live: what boot, or a mesh file, tells a node that starts later than the others. */
  livingPeersOf(node: SimulatedNode): Seed[] {
    return this.living.filter((one) => one !== node).map(({ seed }) => seed);
  }

  /** At the start of the mesh: the next node, so that nobody is alone, and some by chance. */
  peersOf(node: SimulatedNode): Seed[] {
    const at = this.nodes.indexOf(node);
    const peers = new Set([this.nodes[(at + 1) % this.nodes.length] as SimulatedNode]);
    const wanted = Math.min(this.#peers, this.nodes.length - 1);
    while (peers.size < wanted) {
      const other = this.nodes[this.simulation.random.below(this.nodes.length)] as SimulatedNode;
      if (other !== node) peers.add(other);
    }
    return [...peers].map(({ seed }) => seed);
  }

  /** SIGKILL. */
  kill(node: SimulatedNode): void {
    this.simulation.kill(node.name);
    node.died();
  }

  powerOff(node: SimulatedNode): void {
    this.simulation.powerOff(node.name);
    node.died();
  }

  /** Why the living nodes do not agree that they all are up and linked to each other, or undefined. */
  disagreement(): string | undefined {
    return disagreement(this.living);
  }

  /** Runs until they agree; gives how many virtual ms that took. Throws after `maxMs`. */
  async untilAgreed(options: { readonly maxMs?: number } = {}): Promise<number> {
    const { simulation } = this;
    const begun = simulation.now;
    await this.runUntil(() => this.disagreement() === undefined, options);
    return simulation.now - begun;
  }

  /** Runs until it holds, as seen every {@link LOOK_MS}; rejects after `maxMs`. */
  async runUntil(
    holds: () => boolean,
    { maxMs = AGREE_MS_MAX }: { readonly maxMs?: number } = {},
  ): Promise<void> {
    const end = this.simulation.now + maxMs;
    while (!holds()) {
      if (this.simulation.now >= end) {
        throw new Error(`Not reached in ${maxMs} ms: ${this.disagreement() ?? "but they agree"}`);
      }
      await this.run({ forMs: LOOK_MS });
    }
  }

  /** A group operation from that node. Settles only while the simulation runs and the node lives. */
  call(from: string, options: GroupCallOptions): Promise<GroupResult> {
    const life = this.node(from).running;
    if (life === undefined) throw new Error(`"${from}" does not run`);
    return callGroup(life.group, options);
  }

  /** Stops all daemons at once and ends their processes. */
  async stopAll(): Promise<void> {
    await this.finish(Promise.all(this.living.map((node) => node.stop())));
  }

  /** For tests that are over: nothing of it runs any more. */
  [Symbol.dispose](): void {
    for (const node of this.nodes) this.kill(node);
  }
}
