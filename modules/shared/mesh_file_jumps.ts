/**
 * Which hosts ssh jumps through to reach which others: `via` in a mesh file. What is wrong with it
 * is told where it is written. A way that leads back to itself, or through too many hosts, is no way.
 */

import { JUMPS_MAX } from "./limits.ts";
import type { HostDraft } from "./mesh_file_build.ts";
import type { MeshHost } from "./mesh_file.ts";
import { describeValue, type MeshFileProblems } from "./mesh_file_errors.ts";
import { sortedNames } from "./names.ts";
import { didYouMean } from "./suggest.ts";

/** Names must be unique already. A row's problem is told once. */
export function checkJumps(drafts: readonly HostDraft[], problems: MeshFileProblems): void {
  const hosts = new Map(drafts.map(({ host }) => [host.name, host]));
  const told = new Set<number>();
  for (const { host, offset, viaOffset = offset } of drafts) {
    if (host.via === undefined || told.has(viaOffset)) continue;
    const problem = problemOf(host, hosts);
    if (problem === undefined) continue;
    told.add(viaOffset);
    problems.add(viaOffset, problem);
  }
}

/** How many others ssh jumps through to reach a host, by the longest way; 0: it is reached directly. */
export function jumpsTo(host: MeshHost, hosts: ReadonlyMap<string, MeshHost>): number {
  const { via = [] } = host;
  if (via.length === 0) return 0;
  return 1 + Math.max(...via.map((name) => {
    const next = hosts.get(name);
    return next === undefined ? 0 : jumpsTo(next, hosts);
  }));
}

/** Segments whose nodes will meet no node of another one: there are others, and it has no gateway. */
export function lonelySegments(hosts: readonly MeshHost[]): string[] {
  const all = new Set(hosts.map(({ segment }) => segment));
  if (all.size === 1) return [];
  const linked = new Set(hosts.filter(({ gateway }) => gateway).map(({ segment }) => segment));
  return sortedNames([...all].filter((segment) => !linked.has(segment)));
}

function problemOf(
  host: MeshHost,
  hosts: ReadonlyMap<string, MeshHost>,
): string | undefined {
  const { name, via = [] } = host;
  if (host.launcher === "local") {
    return `Host "${name}" runs on this machine, nothing lies between`;
  }
  for (const jump of via) {
    const next = hosts.get(jump);
    if (next === undefined) {
      return `${describeValue(jump)} is no host${didYouMean(jump, hosts.keys())}`;
    }
    if (next.launcher === "local") {
      return `Host "${jump}" runs on this machine, ssh does not jump through it`;
    }
  }
  return wayProblem([name], hosts);
}

/** Follows all ways from the last of `way` on. */
function wayProblem(
  way: readonly string[],
  hosts: ReadonlyMap<string, MeshHost>,
): string | undefined {
  const [name] = way;
  for (const next of hosts.get(way.at(-1) ?? "")?.via ?? []) {
    if (next === name) {
      const others = way.slice(1).map((each) => `"${each}"`).join(", ");
      const through = others === "" ? "itself" : `${others} and so itself`;
      return `Host "${name}" cannot be reached through ${through}`;
    }
    // A circle further on is told of the hosts in it.
    if (way.includes(next)) continue;
    if (way.length > JUMPS_MAX) {
      return `Host "${name}" is reached through more than ${JUMPS_MAX} others`;
    }
    const problem = wayProblem([...way, next], hosts);
    if (problem !== undefined) return problem;
  }
  return undefined;
}
