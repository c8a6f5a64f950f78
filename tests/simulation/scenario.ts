/**
 * One scenario out of one seed: a mesh of 5 to 16 nodes starts, is broken in many ways while group
 * operations run, heals, and is judged. `deno task simulate` runs thousands of them.
 */

import { errorText } from "../../core/mod.ts";
import { Faults } from "./faults.ts";
import { MeshSimulation } from "./mesh_simulation.ts";
import { WatchedCalls } from "./watched_calls.ts";

const START_MS_MAX = 2_000;
const TROUBLE_FROM_MS = 3_000;
const HEAL_MS = 30_000;
/** The longest operation, its slack, and a start that waits for nothing. */
const CALLS_END_MS = 15_000;
/** Agreement must last. */
const STABLE_MS = 10_000;
/** After the orderly end of all, nothing may be armed for later than this. */
const REST_MS_MAX = 10_000;
const REST_EVENTS_MAX = 100_000;

export interface ScenarioOutcome {
  readonly seed: number;
  /** Empty when all is well. */
  readonly problems: readonly string[];
  /** What was done and logged, in order. */
  readonly story: readonly string[];
  readonly nodes: number;
  readonly calls: number;
  readonly events: number;
  /** Virtual time from the end of the last fault to agreement. */
  readonly healedMs: number | undefined;
  readonly hash: string;
}

export async function runScenario(seed: number): Promise<ScenarioOutcome> {
  const unhandled: string[] = [];
  const onUnhandled = (event: PromiseRejectionEvent) => {
    event.preventDefault();
    unhandled.push(`unhandled: ${errorText(event.reason)}`);
  };
  globalThis.addEventListener("unhandledrejection", onUnhandled);
  try {
    const outcome = await play(seed);
    return { ...outcome, problems: [...outcome.problems, ...unhandled] };
  } finally {
    globalThis.removeEventListener("unhandledrejection", onUnhandled);
  }
}

async function play(seed: number): Promise<ScenarioOutcome> {
  // Small meshes are cheap, and most of what can go wrong goes wrong in them.
  const sizes = new MeshSimulation({ seed, nodes: 1 }).simulation.random.fork("size");
  const mesh = new MeshSimulation({ seed, nodes: 5 + Math.floor(12 * sizes.fraction() ** 2.5) });
  const { simulation, nodes } = mesh;
  const random = simulation.random.fork("scenario");
  const story: [number, string][] = [];
  const faults = new Faults(mesh, {
    random: random.fork("faults"),
    note: (text) => story.push([simulation.now, text]),
  });
  const calls = new WatchedCalls(mesh, random.fork("calls"));
  for (const node of nodes) {
    simulation.skew(node.name, random.below(20_000) - 10_000);
    simulation.after(random.fraction() * START_MS_MAX, () => void node.start(mesh.peersOf(node)));
  }
  for (let i = 4 + random.below(12); i > 0; i--) faults.plan(TROUBLE_FROM_MS, HEAL_MS);
  for (let i = 6 + random.below(10); i > 0; i--) calls.plan(START_MS_MAX, HEAL_MS);
  const problems: string[] = [];
  let healedMs: number | undefined;
  try {
    await mesh.run({ forMs: HEAL_MS });
    story.push([simulation.now, "heal"]);
    faults.healAll();
    healedMs = await mesh.untilAgreed();
    story.push([simulation.now, "agreed"]);
    await mesh.run({ forMs: Math.max(STABLE_MS, CALLS_END_MS - healedMs) });
    const unstable = mesh.disagreement();
    if (unstable !== undefined) problems.push(`Agreement did not last: ${unstable}`);
    problems.push(...await askAll(mesh), ...calls.problems(faults.frozenMs));
    await mesh.stopAll();
    problems.push(...await leaks(mesh));
  } catch (error) {
    problems.push(errorText(error));
  }
  problems.push(...faults.problems);
  for (const { level, node, text } of mesh.log) {
    if (level === "error") problems.push(`log of ${node}: ${text}`);
  }
  for (const { at, node, level, text } of mesh.log) story.push([at, `${node} ${level}: ${text}`]);
  story.sort(([a], [b]) => a - b);
  return {
    seed,
    problems,
    story: story.map(([at, text]) => `${at.toFixed(1).padStart(10)} ${text}`),
    nodes: nodes.length,
    calls: calls.list.length,
    events: simulation.events,
    healedMs,
    hash: simulation.trace.hash,
  };
}

/** In a mesh that has healed everybody answers everybody. */
async function askAll(mesh: MeshSimulation): Promise<string[]> {
  const problems: string[] = [];
  const names = mesh.living.map(({ name }) => name);
  for (const origin of names) {
    const result = await mesh.finish(
      mesh.call(origin, { targets: names.join(","), steps: [{ verb: "core.ping" }] }),
    );
    for (const [name, { set, reason }] of result.failures) {
      problems.push(`After healing "${name}" is ${set} for "${origin}": ${reason}`);
    }
  }
  return problems;
}

/** All daemons have stopped: nothing of them may be left. */
async function leaks(mesh: MeshSimulation): Promise<string[]> {
  const { simulation, nodes } = mesh;
  const stoppedAt = simulation.now;
  await mesh.run({ eventsMax: REST_EVENTS_MAX });
  const rest = simulation.now - stoppedAt;
  const problems = rest > REST_MS_MAX ? [`A timer was left that fired after ${rest} ms`] : [];
  for (const { name } of nodes) {
    const handles = simulation.handles(name);
    if (handles > 0) problems.push(`"${name}" has left ${handles} pipes and listeners open`);
  }
  return problems;
}
