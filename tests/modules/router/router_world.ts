/**
 * Daemons with the router on simulated machines, linked as a test wants, in segments that cannot
 * dial each other; what stands on the board is what the mesh module would tell.
 */

import type { Caller, Link, Self } from "../../../core/mod.ts";
import { createRouter } from "../../../modules/router/mod.ts";
import { Router } from "../../../modules/router/router.ts";
import type { Carrier } from "../../../modules/shared/carrier.ts";
import type { Simulation, SimulationOptions } from "../../simulation/environment.ts";
import { inWorld, type World, type WorldNode } from "../../core/daemon/world.ts";
import { Board } from "../group/board.ts";

const PORT = 7117;
/** No packet of a routed conduit begins with as much. */
const TEXT_MIN = 32;
/** Adverts, and what follows from them, are at once here; packets take a millisecond. */
const SETTLE_MS = 20;

export interface RoutedNode {
  readonly node: WorldNode;
  readonly keyId: string;
  readonly router: Router;
  /** Its verbs. */
  readonly verbs: Caller;
  /** What arrived by streams that others began, as text. */
  readonly arrived: string[];
  /** Those streams. */
  readonly accepted: Carrier[];
}

export interface Plan {
  /** Nodes of each segment; those whose names begin with "g" are gateways. */
  readonly segments: Readonly<Record<string, readonly string[]>>;
  readonly links: readonly (readonly [string, string])[];
}

/** Two segments with two gateways each, of which each is linked to both of the other side. */
export const SEGMENTS: Plan = {
  segments: { left: ["a1", "g1", "g2"], right: ["b1", "g3", "g4"] },
  links: [
    ["a1", "g1"],
    ["a1", "g2"],
    ["g1", "g3"],
    ["g1", "g4"],
    ["g2", "g3"],
    ["g2", "g4"],
    ["g3", "b1"],
    ["g4", "b1"],
  ],
};

export class RouterWorld {
  readonly world: World;
  readonly board: Board;
  readonly #segments = new Map<string, string>();
  readonly #nodes = new Map<string, RoutedNode>();
  readonly #people = new Map<string, Self>();

  constructor(world: World) {
    this.world = world;
    this.board = new Board((name) => ({
      segment: this.#segments.get(name) as string,
      endpoints: [`tcp:${this.world.simulation.host(name).network.addresses()[0]}:${PORT}`],
    }));
  }

  get simulation(): Simulation {
    return this.world.simulation;
  }

  get(name: string): RoutedNode {
    return this.#nodes.get(name) as RoutedNode;
  }

  /** Names of a path. */
  names(path: readonly string[] | undefined): string {
    const named = new Map([...this.#nodes].map(([name, { keyId }]) => [keyId, name]));
    return (path ?? ["none"]).map((keyId) => named.get(keyId) ?? keyId).join(" ");
  }

  /** The machine may have run it before. */
  async start(name: string, segment: string): Promise<RoutedNode> {
    this.#segments.set(name, segment);
    const groups = name.startsWith("g") ? ["gateway"] : [];
    const self = this.#people.get(name) ?? this.world.keys.person({ name, groups });
    this.#people.set(name, self);
    let router: Router | undefined;
    const node = await this.world.start(name, {
      self,
      modules: [this.board.module(), createRouter((host) => router = new Router(host))],
    });
    const arrived: string[] = [];
    const accepted: Carrier[] = [];
    const routed: RoutedNode = {
      node,
      keyId: self.identity.keyId,
      router: router as unknown as Router,
      verbs: node.daemon.caller("router"),
      arrived,
      accepted,
    };
    // Packets of tests are text; others ask for a routed conduit.
    const { front } = routed.router;
    let isText = false;
    routed.router.carriers.acceptor = {
      wants: (packet) => (isText = (packet[0] ?? 0) >= TEXT_MIN) || front.wants(packet),
      accept: (carrier, origin) => {
        if (!isText) return front.accept(carrier, origin);
        accepted.push(carrier);
        carrier.onPacket((packet) => arrived.push(textOf(packet)));
      },
    };
    this.#nodes.set(name, routed);
    return routed;
  }

  link(a: string, b: string): Promise<Link> {
    return this.world.dial(this.get(a).node, this.get(b).node);
  }

  /** SIGKILL: nothing of its daemon ever settles, so nobody may wait for it. */
  kill(name: string): void {
    this.simulation.kill(name);
    this.world.nodes.splice(this.world.nodes.indexOf(this.get(name).node), 1);
  }

  settle(): Promise<void> {
    return this.world.pass(SETTLE_MS);
  }

  async stats(name: string): Promise<Record<string, number>> {
    return await this.get(name).verbs.request("router.stats") as Record<string, number>;
  }
}

/** As `inWorld`, with the nodes of a plan started and linked. */
export async function routed(
  plan: Plan,
  run: (mesh: RouterWorld) => Promise<void>,
  options: Partial<SimulationOptions> = {},
): Promise<void> {
  await inWorld(async (world) => {
    const mesh = new RouterWorld(world);
    for (const [segment, names] of Object.entries(plan.segments)) {
      for (const name of names) await mesh.start(name, segment);
    }
    for (const [a, b] of plan.links) await mesh.link(a, b);
    await mesh.settle();
    await run(mesh);
  }, options);
}

/** A packet that says something. */
export function packetOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** What it says. */
export function textOf(packet: Uint8Array): string {
  return new TextDecoder().decode(packet);
}
