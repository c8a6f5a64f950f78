/**
 * One scenario out of one seed: a mesh of one or more segments starts, is broken in many ways while
 * operations run, heals, is hit by one more fault whose costs are measured, and is judged.
 * `deno task simulate` runs thousands of them.
 */

import { errorText } from "../../core/mod.ts";
import type { FaultKind } from "./fault.ts";
import { Faults } from "./faults.ts";
import { leftOpen, leftRunning } from "./leftovers.ts";
import { MeshSimulation, type MeshSimulationOptions } from "./mesh_simulation.ts";
import type { SeededRandom } from "./random.ts";
import { fastPrimitives, simulationPrimitives } from "./remembering_primitives.ts";
import { playSingleFault, type SingleFault } from "./single_fault.ts";
import { WatchedCalls } from "./watched_calls.ts";
import { WatchedStreams } from "./watched_streams.ts";

const START_MS_MAX = 2_000;
const TROUBLE_FROM_MS = 3_000;
const HEAL_MS = 30_000;
/** The longest operation, its slack, and a start that waits for nothing. */
const CALLS_END_MS = 15_000;
/** Agreement must last. */
const STABLE_MS = 10_000;
/** Until links that the graph does not ask for are closed, and conduits on demand were idle long. */
const QUIET_MS = 70_000;
const QUIET_MS_OF_LARGE = 10_000;
/** From so many nodes on, all of one kind costs too much to be asked of each. */
const LARGE_NODES = 64;
const ORIGINS_OF_LARGE = 4;
/** Of the faults and operations that a small mesh gets. */
const SHARE_OF_LARGE = 0.25;

export interface ScenarioOptions {
  /** @default drawn: 5 to 16, small ones more often */
  readonly nodes?: number;
  /** @default drawn: 1, or a few where there are nodes enough */
  readonly segments?: number;
}

export interface ScenarioOutcome {
  readonly seed: number;
  /** Empty when all is well. */
  readonly problems: readonly string[];
  /** What was done and logged, in order. */
  readonly story: readonly string[];
  readonly nodes: number;
  readonly segments: number;
  readonly calls: number;
  readonly streams: number;
  readonly events: number;
  /** Virtual time from the end of the last of many faults to agreement. */
  readonly healedMs: number | undefined;
  /** How often each kind was injected. */
  readonly faults: Readonly<Partial<Record<FaultKind, number>>>;
  readonly single: SingleFault | undefined;
  readonly hash: string;
}

export async function runScenario(
  seed: number,
  options: ScenarioOptions = {},
): Promise<ScenarioOutcome> {
  const unhandled: string[] = [];
  const onUnhandled = (event: PromiseRejectionEvent) => {
    event.preventDefault();
    unhandled.push(`unhandled: ${errorText(event.reason)}`);
  };
  globalThis.addEventListener("unhandledrejection", onUnhandled);
  try {
    const outcome = await play(seed, options);
    return { ...outcome, problems: [...outcome.problems, ...unhandled] };
  } finally {
    globalThis.removeEventListener("unhandledrejection", onUnhandled);
  }
}

async function play(seed: number, options: ScenarioOptions): Promise<ScenarioOutcome> {
  const mesh = new MeshSimulation(sizeOf(seed, options));
  const { simulation, nodes } = mesh;
  const random = simulation.random.fork("scenario");
  const story: [number, string][] = [];
  const note = (text: string) => void story.push([simulation.now, text]);
  const faults = new Faults(mesh, { random: random.fork("faults"), note });
  const calls = new WatchedCalls(mesh, random.fork("calls"));
  const streams = new WatchedStreams(mesh, random.fork("streams"));
  for (const node of nodes) {
    simulation.skew(node.name, random.below(20_000) - 10_000);
    simulation.after(random.fraction() * START_MS_MAX, () => void node.start(mesh.peersOf(node)));
  }
  const share = nodes.length < LARGE_NODES ? 1 : SHARE_OF_LARGE;
  const many = (least: number, more: number) => Math.ceil(share * (least + random.below(more)));
  for (let i = many(4, 12); i > 0; i--) faults.plan(TROUBLE_FROM_MS, HEAL_MS);
  for (let i = many(6, 10); i > 0; i--) calls.plan(START_MS_MAX, HEAL_MS);
  for (let i = many(3, 5); i > 0; i--) streams.plan(START_MS_MAX, HEAL_MS);
  const problems: string[] = [];
  let healedMs: number | undefined;
  let single: SingleFault | undefined;
  try {
    await mesh.run({ forMs: HEAL_MS });
    note("heal");
    faults.healAll();
    healedMs = await mesh.untilAgreed();
    note("agreed");
    await mesh.run({ forMs: Math.max(STABLE_MS, CALLS_END_MS - healedMs) });
    const unstable = mesh.disagreement();
    if (unstable !== undefined) problems.push(`Agreement did not last: ${unstable}`);
    problems.push(...await askAll(mesh), ...calls.problems(faults));
    const draw = random.fork("single");
    single = await playSingleFault(mesh, { faults, kind: faults.drawKind(draw), draw });
    note("healed once more");
    await mesh.run({ forMs: nodes.length < LARGE_NODES ? QUIET_MS : QUIET_MS_OF_LARGE });
    problems.push(...streams.problems(faults), ...await leftOpen(mesh));
    await mesh.stopAll();
    problems.push(...await leftRunning(mesh));
  } catch (error) {
    problems.push(errorText(error));
  }
  problems.push(...faults.problems);
  for (const { at, node, level, text } of mesh.log) {
    story.push([at, `${node} ${level}: ${text}`]);
    if (level === "error") problems.push(`log of ${node}: ${text}`);
  }
  mesh[Symbol.dispose]();
  story.sort(([a], [b]) => a - b);
  return {
    seed,
    problems,
    story: story.map(([at, text]) => `${at.toFixed(1).padStart(10)} ${text}`),
    nodes: nodes.length,
    segments: new Set(nodes.map(({ place }) => place.segment)).size,
    calls: calls.list.length,
    streams: streams.count,
    events: simulation.events,
    healedMs,
    faults: Object.fromEntries(faults.counts),
    single,
    hash: simulation.trace.hash,
  };
}

/** Small meshes are cheap, and most of what can go wrong goes wrong in them. */
function sizeOf(seed: number, options: ScenarioOptions): MeshSimulationOptions {
  const draw = new MeshSimulation({ seed, nodes: 1 }).simulation.random.fork("size");
  const { nodes = 5 + Math.floor(12 * draw.fraction() ** 2.5) } = options;
  const { segments = drawSegments(nodes, draw) } = options;
  return {
    seed,
    nodes,
    segments,
    gateways: 1 + draw.below(Math.min(3, Math.floor(nodes / segments))),
    primitives: nodes < LARGE_NODES ? simulationPrimitives : fastPrimitives,
  };
}

function drawSegments(nodes: number, draw: SeededRandom): number {
  return draw.below(2) === 0 ? 1 : 2 + draw.below(Math.min(4, Math.floor(nodes / 2) - 1));
}

/** In a mesh that has healed everybody answers everybody. */
async function askAll(mesh: MeshSimulation): Promise<string[]> {
  const problems: string[] = [];
  const { living } = mesh;
  const names = living.map(({ name }) => name);
  const step = living.length < LARGE_NODES ? 1 : Math.ceil(living.length / ORIGINS_OF_LARGE);
  for (let at = 0; at < names.length; at += step) {
    const origin = names[at] as string;
    const result = await mesh.finish(
      mesh.call(origin, { targets: names.join(","), steps: [{ verb: "core.ping" }] }),
    );
    for (const [name, { set, reason }] of result.failures) {
      problems.push(`After healing "${name}" is ${set} for "${origin}": ${reason}`);
    }
  }
  return problems;
}
