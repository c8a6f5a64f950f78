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

/** From so many nodes on, a mesh gets less of everything: hundreds of daemons share one core. */
const LARGE_NODES = 64;
const SMALL = {
  startMs: 2_000,
  /** Nothing goes wrong before. */
  troubleMs: 3_000,
  /** All faults have ended. */
  healMs: 30_000,
  /** Drawn: at least so many, and fewer than so many more. */
  faults: [4, 12],
  calls: [6, 10],
  streams: [3, 5],
  /** Until surplus links are closed, and conduits on demand were idle for long. */
  quietMs: 70_000,
  /** Nodes that ask all others in the end. */
  origins: LARGE_NODES,
} as const;
const LARGE = {
  // All at once: who starts while the others talk already makes them talk more.
  startMs: 1,
  troubleMs: 3_000,
  healMs: 12_000,
  faults: [1, 1],
  calls: [4, 4],
  streams: [2, 2],
  quietMs: 10_000,
  origins: 4,
} as const;
/** Agreement must last, and the longest operation with its slack must end. */
const STABLE_MS = 13_000;

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
  const pace = nodes.length < LARGE_NODES ? SMALL : LARGE;
  const { startMs, troubleMs, healMs } = pace;
  for (const node of nodes) {
    simulation.skew(node.name, random.below(20_000) - 10_000);
    simulation.after(random.fraction() * startMs, () => void node.start(mesh.peersOf(node)));
  }
  const times = ([least, more]: readonly [number, number]) => least + random.below(more);
  for (let i = times(pace.faults); i > 0; i--) faults.plan(troubleMs, healMs);
  for (let i = times(pace.calls); i > 0; i--) calls.plan(startMs, healMs);
  for (let i = times(pace.streams); i > 0; i--) streams.plan(startMs, healMs);
  const problems: string[] = [];
  let healedMs: number | undefined;
  let single: SingleFault | undefined;
  try {
    await mesh.run({ forMs: healMs });
    note("heal");
    faults.healAll();
    healedMs = await mesh.untilAgreed();
    note("agreed");
    await mesh.run({ forMs: STABLE_MS });
    const unstable = mesh.disagreement();
    if (unstable !== undefined) problems.push(`Agreement did not last: ${unstable}`);
    problems.push(...await askAll(mesh, pace.origins), ...calls.problems(faults));
    const draw = random.fork("single");
    single = await playSingleFault(mesh, { faults, kind: faults.drawKind(draw), draw });
    note("healed once more");
    await mesh.run({ forMs: pace.quietMs });
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
async function askAll(mesh: MeshSimulation, origins: number): Promise<string[]> {
  const problems: string[] = [];
  const { living } = mesh;
  const names = living.map(({ name }) => name);
  const step = Math.ceil(living.length / origins);
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
