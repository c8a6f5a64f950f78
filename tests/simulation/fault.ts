/**
 * One fault in a simulated mesh, of each kind that there is: what it does, who must be missed while
 * it lasts, and how it ends. Whom it hits is drawn.
 */

import type { Timer } from "../../core/mod.ts";
import { foldNodeset } from "../../modules/shared/nodeset_fold.ts";
import type { MeshSimulation } from "./mesh_simulation.ts";
import type { SeededRandom } from "./random.ts";
import type { SimulatedNode } from "./simulated_node.ts";

/** Fewer living nodes are no mesh. */
const LIVING_MIN = 2;
const JUMP_MS_MAX = 20_000;
/** Of every way between two nodes that no fault has slowed down. */
const USUAL_WAY = { delayMs: 0.2, jitterMs: 0.3 };

export interface Fault {
  /** "freeze n3" */
  readonly what: string;
  /** Nobody else can reach them while it lasts. */
  readonly gone: readonly SimulatedNode[];
  /** Their processes do nothing, all the time or again and again. @default nobody's */
  readonly frozen?: readonly SimulatedNode[];
  /** No node of one set can reach any of another one. */
  readonly sides: readonly (readonly SimulatedNode[])[];
  end(): void;
}

export interface FaultContext {
  readonly mesh: MeshSimulation;
  readonly draw: SeededRandom;
  /** A start or a stop: nobody waits for it, and it must not fail. */
  readonly follow: (promise: Promise<void>) => void;
}

/** Undefined: whom it would hit cannot be hit, such as a node that is dead already. */
type Begin = (context: FaultContext) => Fault | undefined;

/** In the order in which they are shown. */
export const FAULT_KINDS = {
  kill: (context) => endLives("kill", drawNodes(context, 1), context),
  power: (context) => endLives("power", drawNodes(context, 1), context),
  leave: (context) => endLives("leave", drawNodes(context, 1), context),
  freeze: (context) => freeze(drawNodes(context, 1), context),
  stutter: (context) => stutter(drawNodes(context, 1), context),
  mass: (context) => {
    const { mesh, draw } = context;
    const share = 0.2 + 0.4 * draw.fraction();
    const nodes = drawNodes(context, Math.ceil(share * mesh.living.length));
    return endLives(draw.below(2) === 0 ? "kill" : "power", nodes, context);
  },
  gateway: (context) => {
    const gateways = gatewaysOfOne(context);
    return endLives("kill", gateways.slice(0, 1 + context.draw.below(gateways.length)), context);
  },
  halves: ({ mesh, draw }) => separate("halves", drawSets(mesh.nodes, 2, draw), mesh),
  partition: ({ mesh, draw }) =>
    separate("partition", drawSets(mesh.nodes, 3 + draw.below(3), draw), mesh),
  "one-way": ({ mesh, draw }) => {
    const sides = drawSets(mesh.nodes, 2, draw);
    return cut(mesh, { what: `one-way from ${namesOf(sides[0])}`, sides, oneWay: true });
  },
  bridge: (context) => {
    const { mesh, draw } = context;
    const [bridge] = drawNodes(context, 1);
    if (bridge === undefined) return undefined;
    const sets = drawSets(mesh.nodes.filter((node) => node !== bridge), 2, draw);
    const what = `bridge ${bridge.name} to ${namesOf(sets[0])}`;
    return { ...cut(mesh, { what, sides: sets, oneWay: false }), sides: [] };
  },
  "half-open": (context) => {
    const { mesh } = context;
    const ends = drawLink(context);
    if (ends === undefined) return undefined;
    const what = `half-open ${ends.map(({ name }) => name).join(">")}`;
    return { ...cut(mesh, { what, sides: ends.map((end) => [end]), oneWay: true }), sides: [] };
  },
  reset: (context) => {
    const ends = drawLink(context);
    if (ends === undefined) return undefined;
    const [a, b] = ends;
    context.mesh.simulation.reset(a.name, b.name);
    return passing(`reset ${a.name} ${b.name}`);
  },
  slow: (context) => {
    const ends = drawLink(context);
    if (ends === undefined) return undefined;
    const { mesh: { simulation }, draw } = context;
    const [{ name: a }, { name: b }] = ends;
    const delayMs = 20 + draw.below(1_500);
    simulation.link(a, b, { delayMs, jitterMs: delayMs });
    return {
      ...passing(`slow ${a}-${b} (${delayMs} ms)`),
      end: () => simulation.link(a, b, USUAL_WAY),
    };
  },
  clock: (context) => {
    const [node] = drawNodes(context, 1);
    if (node === undefined) return undefined;
    const ms = context.draw.below(JUMP_MS_MAX) - JUMP_MS_MAX / 2;
    context.mesh.simulation.skew(node.name, ms);
    return passing(`clock of ${node.name} is ${ms} ms off`);
  },
} as const satisfies Readonly<Record<string, Begin>>;

export type FaultKind = keyof typeof FAULT_KINDS;

/** Those that can happen in this mesh. */
export function possibleKinds(mesh: MeshSimulation): FaultKind[] {
  const kinds = Object.keys(FAULT_KINDS) as FaultKind[];
  const hasGateways = mesh.nodes.some(({ place }) => place.gateway);
  return kinds.filter((kind) => kind !== "gateway" || hasGateways);
}

/** Nobody is missed, and it needs no end. */
function passing(what: string): Fault {
  return { what, gone: [], sides: [], end: () => {} };
}

/** The end of lives; the end of the fault is the beginning of the next ones. */
function endLives(
  how: "kill" | "power" | "leave",
  nodes: readonly SimulatedNode[],
  { mesh, draw, follow }: FaultContext,
): Fault | undefined {
  const { simulation } = mesh;
  const ended = nodes.filter((node) => {
    if (node.running?.over !== false || mesh.living.length <= LIVING_MIN) return false;
    if (how === "kill") mesh.kill(node);
    else if (how === "power") mesh.powerOff(node);
    else follow(node.stop());
    return true;
  });
  if (ended.length === 0) return undefined;
  const newKeys = new Set(ended.filter(() => draw.below(2) === 0));
  const keys = newKeys.size === 0 ? "" : `, ${namesOf([...newKeys])} back with a new key`;
  return {
    what: `${how} ${namesOf(ended)}${keys}`,
    gone: ended,
    sides: [],
    end: () => {
      for (const node of ended) {
        if (how === "power") simulation.powerOn(node.name);
        // One that still says goodbye is not waited for.
        if (how === "leave") mesh.kill(node);
        follow(node.start(mesh.livingPeersOf(node), { newKey: newKeys.has(node) }));
      }
    },
  };
}

function freeze(nodes: readonly SimulatedNode[], { mesh }: FaultContext): Fault | undefined {
  const frozen = nodes.filter(({ running }) => running?.over === false);
  if (frozen.length === 0) return undefined;
  for (const { name } of frozen) mesh.simulation.freeze(name);
  return {
    what: `freeze ${namesOf(frozen)}`,
    gone: frozen,
    frozen,
    sides: [],
    end: () => {
      for (const { name } of frozen) mesh.simulation.thaw(name);
    },
  };
}

/** A host that swaps: shorter stalls than what makes others give it up, one after the other. */
function stutter(
  [node]: readonly SimulatedNode[],
  { mesh: { simulation }, draw }: FaultContext,
): Fault | undefined {
  if (node?.running?.over !== false) return undefined;
  const { name } = node;
  const [asleepMs, awakeMs] = [600 + draw.below(2_000), 50 + draw.below(500)];
  let next: Timer;
  const sleep = () => {
    simulation.freeze(name);
    next = simulation.after(asleepMs, wake);
  };
  const wake = () => {
    simulation.thaw(name);
    next = simulation.after(awakeMs, sleep);
  };
  sleep();
  return {
    ...passing(`stutter ${name} (${asleepMs} ms, then ${awakeMs} ms awake)`),
    frozen: [node],
    end: () => {
      next.cancel();
      simulation.thaw(name);
    },
  };
}

function separate(
  kind: string,
  sides: readonly (readonly SimulatedNode[])[],
  mesh: MeshSimulation,
): Fault {
  return cut(mesh, { what: `${kind} ${sides.map(namesOf).join(" ")}`, sides, oneWay: false });
}

/** Between nodes of different sets nothing passes; with `oneWay`, nothing from earlier ones. */
function cut(
  mesh: MeshSimulation,
  { what, sides, oneWay }: {
    readonly what: string;
    readonly sides: readonly (readonly SimulatedNode[])[];
    readonly oneWay: boolean;
  },
): Fault {
  const sideOf = new Map(sides.flatMap((set, side) => set.map(({ name }) => [name, side])));
  const { end } = mesh.simulation.cut(what, (from, to) => {
    const [a, b] = [sideOf.get(from), sideOf.get(to)];
    return a !== undefined && b !== undefined && (oneWay ? a < b : a !== b);
  });
  return { what, gone: [], sides, end };
}

/** Living ones, each once; fewer if there are not so many. */
function drawNodes({ mesh, draw }: FaultContext, count: number): SimulatedNode[] {
  const left = mesh.living.filter(({ running }) => running?.over === false);
  const drawn: SimulatedNode[] = [];
  while (drawn.length < count && left.length > 0) {
    drawn.push(...left.splice(draw.below(left.length), 1));
  }
  return drawn;
}

function drawSets(
  nodes: readonly SimulatedNode[],
  count: number,
  draw: SeededRandom,
): SimulatedNode[][] {
  const sets: SimulatedNode[][] = Array.from({ length: count }, () => []);
  for (const node of nodes) sets[draw.below(count)]?.push(node);
  return sets.filter((set) => set.length > 0);
}

/** Both ends of one that stands. */
function drawLink(context: FaultContext): [SimulatedNode, SimulatedNode] | undefined {
  const { mesh, draw } = context;
  const [node] = drawNodes(context, 1);
  const links = node?.running?.picture?.byKey(node.keyId)?.links ?? [];
  const keyId = links[draw.below(links.length)];
  const other = mesh.nodes.find((one) => one.keyId === keyId);
  return node === undefined || other === undefined ? undefined : [node, other];
}

function gatewaysOfOne({ mesh, draw }: FaultContext): SimulatedNode[] {
  const gateways = mesh.nodes.filter(({ place }) => place.gateway);
  const segment = gateways[draw.below(gateways.length)]?.place.segment;
  return gateways.filter(({ place }) => place.segment === segment);
}

function namesOf(nodes: readonly SimulatedNode[] = []): string {
  return foldNodeset(nodes.map(({ name }) => name));
}
