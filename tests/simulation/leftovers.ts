/** What a mesh must not leave behind, in a quiet one that lives and in one that has ended. */

import type { MeshSimulation } from "./mesh_simulation.ts";

/**
 * Timers of a quiet daemon: heartbeat, comparison, journal, validity; and what searches for nodes
 * that are gone, closes links or has to wait a little.
 */
const TIMERS_MAX = 8;
/** Two nodes talk by one conduit, and by a second one for bulk. */
const CONDUITS_MAX = 2;
/** After the orderly end of all, nothing may be armed for later than this. */
const REST_MS_MAX = 10_000;
const REST_EVENTS_MAX = 1_000_000;

/** Each daemon that lives has its listener, its conduits, a few timers, and no more. */
export async function leftOpen(mesh: MeshSimulation): Promise<string[]> {
  const problems: string[] = [];
  for (const { name, running } of mesh.living) {
    if (running === undefined) continue;
    const stats = await mesh.finish(running.router.request("router.stats")) as Stats;
    const { onDemand = 0, carriers = 0, waitingPackets = 0 } = stats;
    problems.push(...leftPipes(mesh, name, onDemand));
    if (carriers > 0) problems.push(`"${name}" has ${carriers} carriers in a quiet mesh`);
    if (waitingPackets > 0) problems.push(`"${name}" keeps ${waitingPackets} packets`);
    const timers = mesh.simulation.timers(name);
    if (timers > TIMERS_MAX) problems.push(`"${name}" has ${timers} timers in a quiet mesh`);
  }
  return problems;
}

/** With each neighbour one conduit, or two when one is for bulk; with others those on demand. */
function leftPipes(mesh: MeshSimulation, name: string, onDemand: number): string[] {
  const { simulation } = mesh;
  const { keyId, running } = mesh.node(name);
  const pipes = simulation.pipes(name);
  const all = [...pipes.values()].reduce((sum, count) => sum + count, 0);
  const links = new Set(running?.picture?.byKey(keyId)?.links);
  const problems: string[] = [];
  let strangers = 0;
  for (const other of mesh.living) {
    const count = pipes.get(other.name) ?? 0;
    const back = simulation.pipes(other.name).get(name) ?? 0;
    if (count > CONDUITS_MAX) problems.push(`"${name}" has ${count} pipes to "${other.name}"`);
    // One on demand has no heartbeat: when its other end lost power, it goes when it was idle long.
    if (count !== back && onDemand === 0) {
      problems.push(`"${name}" has ${count} pipes to "${other.name}", which has ${back} of them`);
    }
    if (links.has(other.keyId) && count === 0) {
      problems.push(`"${name}" has no pipe for its link to "${other.name}"`);
    }
    if (!links.has(other.keyId) && count > 0) strangers++;
    pipes.delete(other.name);
  }
  for (const dead of pipes.keys()) {
    problems.push(`"${name}" has a pipe to "${dead}", which is gone`);
  }
  if (strangers > onDemand) {
    problems.push(
      `"${name}" has pipes to ${strangers} nodes without a link, ${onDemand} on demand`,
    );
  }
  if (simulation.handles(name) !== all + 1) problems.push(`"${name}" has more than one listener`);
  return problems;
}

type Stats = Readonly<Record<string, number>>;

/** All daemons have stopped: nothing of them may be left. */
export async function leftRunning(mesh: MeshSimulation): Promise<string[]> {
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
