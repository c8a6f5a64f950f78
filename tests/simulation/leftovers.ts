/** What a mesh must not leave behind, in a quiet one that lives and in one that has ended. */

import type { MeshSimulation } from "./mesh_simulation.ts";

/**
 * Timers of a quiet daemon: heartbeat, comparison, journal, validity; and what searches for nodes
 * that are gone, closes links or has to wait a little.
 */
const TIMERS_MAX = 8;
/** After the orderly end of all, nothing may be armed for later than this. */
const REST_MS_MAX = 10_000;
const REST_EVENTS_MAX = 1_000_000;

/** Each daemon that lives has one listener, one pipe for each link, a few timers, and no more. */
export function leftOpen(mesh: MeshSimulation): string[] {
  const problems: string[] = [];
  for (const { name, keyId, running } of mesh.living) {
    const links = running?.picture?.byKey(keyId)?.links.length ?? 0;
    const handles = mesh.simulation.handles(name);
    if (handles !== links + 1) {
      problems.push(`"${name}" has ${handles} pipes and listeners for ${links} links`);
    }
    const timers = mesh.simulation.timers(name);
    if (timers > TIMERS_MAX) problems.push(`"${name}" has ${timers} timers in a quiet mesh`);
  }
  return problems;
}

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
