/**
 * One scenario out of one seed: a mesh of one or more segments starts, is broken in many ways while
 * operations run, heals, is hit by one more fault whose costs are measured, and is judged. A mesh of
 * hundreds of nodes goes through that several times, each time drawn anew, since to start one costs
 * more than all that follows. `deno task simulate` runs thousands of them.
 */

import { errorText } from "../../core/mod.ts";
import type { FaultKind } from "./fault.ts";
import { Faults } from "./faults.ts";
import { leftOpen, leftRunning } from "./leftovers.ts";
import { MeshSimulation, type MeshSimulationOptions } from "./mesh_simulation.ts";
import { plainPrimitives } from "./plain_primitives.ts";
import type { SeededRandom } from "./random.ts";
import { simulationPrimitives } from "./remembering_primitives.ts";
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
  /** Agreement must last, and the longest operation with its slack must end. */
  stableMs: 13_000,
  /** Until surplus links are closed, and conduits on demand were idle for long. */
  quietMs: 70_000,
  /** Nodes that ask all others in the end. */
  origins: LARGE_NODES,
} as const;
const LARGE = {
  // All at once: who starts while the others talk already makes them talk more.
  startMs: 1,
  troubleMs: 1_000,
  healMs: 9_000,
  faults: [1, 2],
  calls: [3, 3],
  streams: [1, 2],
  stableMs: 2_000,
  /** What is left open is looked for in small meshes. */
  quietMs: undefined,
  origins: 2,
} as const;

export interface ScenarioOptions {
  /** @default drawn: 5 to 16, small ones more often */
  readonly nodes?: number;
  /** @default drawn: 1, or a few where there are nodes enough */
  readonly segments?: number;
  /** How often the mesh is broken and heals. @default 1 */
  readonly rounds?: number;
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
  /** Virtual time from the end of the last of many faults to agreement, of each round. */
  readonly healedMs: readonly number[];
  /** How often each kind was injected. */
  readonly faults: Readonly<Partial<Record<FaultKind, number>>>;
  readonly singles: readonly SingleFault[];
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
  const pace = nodes.length < LARGE_NODES ? SMALL : LARGE;
  for (const node of nodes) {
    simulation.skew(node.name, random.below(20_000) - 10_000);
    simulation.after(random.fraction() * pace.startMs, () => void node.start(mesh.peersOf(node)));
  }
  const problems: string[] = [];
  const rounds: Round[] = [];
  try {
    for (let i = 1; i <= (options.rounds ?? 1); i++) {
      note(`round ${i}`);
      const round = newRound(mesh, { random: random.fork(`round ${i}`), note });
      rounds.push(round);
      await playRound(mesh, { round, pace, note });
    }
    await mesh.stopAll();
    problems.push(...await leftRunning(mesh));
  } catch (error) {
    problems.push(errorText(error));
  }
  for (const round of rounds) problems.push(...round.problems, ...round.faults.problems);
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
    calls: rounds.reduce((sum, { calls }) => sum + calls.list.length, 0),
    streams: rounds.reduce((sum, { streams }) => sum + streams.count, 0),
    events: simulation.events,
    healedMs: rounds.flatMap(({ healedMs }) => healedMs ?? []),
    faults: countAll(rounds),
    singles: rounds.flatMap(({ single }) => single ?? []),
    hash: simulation.trace.hash,
  };
}

/** Streams break when they had no route for half a minute. */
const LAST_CALL_MS_MAX = 45_000;

/** One time that the mesh is broken and heals. */
interface Round {
  readonly random: SeededRandom;
  readonly faults: Faults;
  readonly calls: WatchedCalls;
  readonly streams: WatchedStreams;
  readonly problems: string[];
  healedMs: number | undefined;
  single: SingleFault | undefined;
}

type Note = (text: string) => void;

function newRound(
  mesh: MeshSimulation,
  { random, note }: { readonly random: SeededRandom; readonly note: Note },
): Round {
  return {
    random,
    faults: new Faults(mesh, { random: random.fork("faults"), note }),
    calls: new WatchedCalls(mesh, random.fork("calls")),
    streams: new WatchedStreams(mesh, random.fork("streams")),
    problems: [],
    healedMs: undefined,
    single: undefined,
  };
}

async function playRound(
  mesh: MeshSimulation,
  parts: { readonly round: Round; readonly pace: typeof SMALL | typeof LARGE; readonly note: Note },
): Promise<void> {
  const { round, pace, note } = parts;
  const { random, faults, calls, streams, problems } = round;
  const { startMs, troubleMs, healMs } = pace;
  const times = ([least, more]: readonly [number, number]) => least + random.below(more);
  for (let i = times(pace.faults); i > 0; i--) faults.plan(troubleMs, healMs);
  for (let i = times(pace.calls); i > 0; i--) calls.plan(startMs, healMs);
  for (let i = times(pace.streams); i > 0; i--) streams.plan(startMs, healMs);
  await mesh.run({ forMs: healMs });
  note("heal");
  faults.healAll();
  round.healedMs = await mesh.untilAgreed();
  note("agreed");
  await mesh.run({ forMs: pace.stableMs });
  const unstable = mesh.disagreement({ links: false });
  if (unstable !== undefined) problems.push(`Agreement did not last: ${unstable}`);
  // Needless links have gone meanwhile, and that is told without hurry.
  await mesh.untilAgreed();
  problems.push(...await askAll(mesh, pace.origins));
  if (pace.quietMs === undefined) {
    await mesh.run({ until: () => calls.over && streams.over, forMs: LAST_CALL_MS_MAX });
    problems.push(...calls.problems(faults), ...streams.problems(faults));
    return;
  }
  problems.push(...calls.problems(faults));
  const draw = random.fork("single");
  round.single = await playSingleFault(mesh, { faults, kind: faults.drawKind(draw), draw });
  note("healed once more");
  await mesh.run({ forMs: pace.quietMs });
  problems.push(...streams.problems(faults), ...await leftOpen(mesh));
}

function countAll(rounds: readonly Round[]): Partial<Record<FaultKind, number>> {
  const counts: Partial<Record<FaultKind, number>> = {};
  for (const { faults } of rounds) {
    for (const [kind, count] of faults.counts) counts[kind] = (counts[kind] ?? 0) + count;
  }
  return counts;
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
    primitives: nodes < LARGE_NODES ? simulationPrimitives : plainPrimitives,
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
