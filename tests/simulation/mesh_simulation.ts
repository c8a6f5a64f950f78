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
import { type Member, standingLinks } from "../../modules/mesh/topology.ts";
import { callGroup, type GroupCallOptions } from "../../modules/shared/group_client.ts";
import type { GroupResult } from "../../modules/shared/group_result.ts";
import { MeshKeys } from "../support/mesh_keys.ts";
import { Agreement } from "./agreement.ts";
import { EPOCH_MS } from "./clock.ts";
import { Simulation } from "./environment.ts";
import type { PathOptions } from "./path.ts";
import { simulationPrimitives } from "./remembering_primitives.ts";
import type { RunOptions } from "./scheduler.ts";
import { groupsOf, type Place, SimulatedNode } from "./simulated_node.ts";

/** How often agreement is looked for, in virtual ms. */
const LOOK_MS = 50;
/** Longest pause between two dials is 30 s; a few of them may be needed. */
const AGREE_MS_MAX = 120_000;
/** More than anything that daemons wait for. */
const FINISH_MS_MAX = 300_000;
/** In one run: ten times what the boot needs. */
const EVENTS_MAX = 1_000_000;
const EVENTS_PER_NODE_MAX = 20_000;
/** From so many nodes on, each is told its neighbours: a mesh that has to find its shape costs more. */
const TOLD_SHAPE_NODES = 64;
/** A node that starts again is told of so many: with few of them it knows all, with many it asks. */
const PEERS_MAX = 12;

export interface MeshSimulationOptions {
  readonly seed: string | number;
  readonly nodes: number;
  /** Of equal size; between them only gateways can dial each other. @default 1 */
  readonly segments?: number;
  /** In each segment, when there are several. @default 2 */
  readonly gateways?: number;
  /** They all lie on one network: nothing but their segments keeps them apart. @default false */
  readonly oneNetwork?: boolean;
  /**
   * Nodes of its segment that each one knows when it starts; 0: nobody at all. @default 3; a large mesh is told its
   * shape, as if it had been here before
   */
  readonly peers?: number;
  /** Whether nodes look around on their networks. @default false */
  readonly discover?: boolean;
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
  readonly #byName: ReadonlyMap<string, SimulatedNode>;
  readonly #agreement = new Agreement();
  readonly #peers: number | undefined;
  readonly #eventsMax: number;
  /** All of them, as if they were up. */
  #members: readonly Member[] | undefined;

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
    const places = placesOf(options);
    const nameOf = (index: number) => `n${index + 1}`;
    const placeOf = new Map(places.map((place, index) => [nameOf(index), place]));
    const reach = (from: string, to: string) => reachOf(placeOf.get(from), placeOf.get(to));
    const simulation = new Simulation({
      seed,
      path,
      keepTrace,
      ...(options.oneNetwork ? {} : { reach }),
    });
    this.simulation = simulation;
    this.#peers = options.peers ?? (nodes < TOLD_SHAPE_NODES ? 3 : undefined);
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
      discover: options.discover ?? false,
      log: (node: string, level: LogLevel, text: string) => {
        this.log.push({ at: simulation.now, node, level, text });
      },
    };
    this.nodes = places.map((place, index) => new SimulatedNode(world, nameOf(index), place));
    this.#byName = new Map(this.nodes.map((node) => [node.name, node]));
    this.#eventsMax = EVENTS_MAX + EVENTS_PER_NODE_MAX * nodes;
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
    const node = this.#byName.get(name);
    if (node === undefined) throw new Error(`There is no node "${name}"`);
    return node;
  }

  /** @see RunOptions; whoever needs more events than a large boot goes round in circles. */
  run(options: RunOptions): Promise<boolean> {
    return this.simulation.run({ eventsMax: this.#eventsMax, ...options });
  }

  /** Runs until the promise has settled, and gives what it gave; rejects after some minutes. */
  finish<T>(promise: Promise<T>): Promise<T> {
    return this.simulation.finish(promise, {
      eventsMax: this.#eventsMax,
      forMs: FINISH_MS_MAX,
    });
  }

  async startAll(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.start(this.peersOf(node))));
  }

  /** Of those that live: what boot, or a mesh file, tells a node that starts later than the others. */
  livingPeersOf(node: SimulatedNode): Seed[] {
    const near = this.living.filter((one) => one !== node && canDial(node.place, one.place));
    const gateways = near.filter(({ place }) => place.gateway);
    return this.#some(near, PEERS_MAX).union(this.#some(gateways, 2)).values()
      .map(({ seed }) => seed).toArray();
  }

  /**
   * At the start of the mesh: the next node of its segment, so that nobody is alone, and some by
   * chance; a gateway is told of one in the next segment.
   */
  peersOf(node: SimulatedNode): Seed[] {
    if (this.#peers === undefined) return this.#neighboursOf(node);
    if (this.#peers === 0) return [];
    const near = this.nodes.filter(({ place }) => place.segment === node.place.segment);
    const at = near.indexOf(node);
    const others = near.filter((one) => one !== node);
    const peers = new Set(others.slice(at % near.length).slice(0, 1));
    if (peers.size === 0 && others.length > 0) peers.add(others[0] as SimulatedNode);
    for (const peer of this.#some(others, this.#peers - 1)) peers.add(peer);
    if (node.place.gateway) {
      const far = this.nodes.filter(({ place }) =>
        place.gateway && place.segment !== node.place.segment
      );
      const next = far.find((one) => this.nodes.indexOf(one) > this.nodes.indexOf(node)) ?? far[0];
      if (next !== undefined) peers.add(next);
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

  /** Why the living nodes do not agree on a mesh of them all, or undefined; without links, on who is there. */
  disagreement(options: { readonly links?: boolean } = {}): string | undefined {
    return this.#agreement.missing(this.living, options);
  }

  /** Runs until they agree; gives how many virtual ms that took. Throws after `maxMs`. */
  async untilAgreed(options: { readonly maxMs?: number } = {}): Promise<number> {
    const { simulation } = this;
    const begun = simulation.now;
    await this.runUntil(() => this.disagreement() === undefined, options);
    return simulation.now - begun;
  }

  /** Runs until it holds, as seen every so many ms; rejects after `maxMs`. */
  async runUntil(
    holds: () => boolean,
    { maxMs = AGREE_MS_MAX, everyMs = LOOK_MS }: {
      readonly maxMs?: number;
      readonly everyMs?: number;
    } = {},
  ): Promise<void> {
    const end = this.simulation.now + maxMs;
    while (!holds()) {
      if (this.simulation.now >= end) {
        throw new Error(`Not reached in ${maxMs} ms: ${this.disagreement() ?? "but they agree"}`);
      }
      await this.run({ forMs: everyMs });
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

  #neighboursOf({ keyId, place }: SimulatedNode): Seed[] {
    this.#members ??= this.nodes.map(({ seed, endpoint, place }) => ({
      ...seed,
      endpoints: [endpoint],
      segment: place.segment,
      groups: groupsOf(place),
      state: "up",
    }));
    const { segment } = place;
    const near = standingLinks(this.#members, { keyId, segment, groups: groupsOf(place) });
    // One end is told: both would dial at once, and half of the handshakes would be for nothing.
    return this.nodes.filter((node) => near.has(node.keyId) && keyId < node.keyId)
      .map(({ seed }) => seed);
  }

  /** So many of them, or all. */
  #some(nodes: readonly SimulatedNode[], most: number): Set<SimulatedNode> {
    if (nodes.length <= most) return new Set(nodes);
    const some = new Set<SimulatedNode>();
    while (some.size < most) {
      some.add(nodes[this.simulation.random.below(nodes.length)] as SimulatedNode);
    }
    return some;
  }
}

/** Segments are runs of nodes, each with its gateways first. */
function placesOf({ nodes, segments = 1, gateways = 2 }: MeshSimulationOptions): Place[] {
  return Array.from({ length: nodes }, (_, index) => {
    const segment = Math.floor(index * segments / nodes);
    const first = Math.ceil(segment * nodes / segments);
    return { segment: `s${segment + 1}`, gateway: segments > 1 && index - first < gateways };
  });
}

function canDial(from: Place, to: Place): boolean {
  return from.segment === to.segment || (from.gateway && to.gateway);
}

/** Gateways say no to strangers; the other machines are hidden from them. The same both ways. */
function reachOf(from: Place | undefined, to: Place | undefined): "yes" | "refused" | "absent" {
  if (from === undefined || to === undefined || canDial(from, to)) return "yes";
  return from.gateway || to.gateway ? "refused" : "absent";
}
