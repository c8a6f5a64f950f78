/**
 * Which way packets take: pure functions of what the mesh module knows.
 *
 * - Class low: a shortest path over standing links.
 * - Class high: straight to the target if it is of our segment (or both are gateways), else over
 *   gateways alone: ours, then those of other segments, then the target; each hop is a standing link
 *   or would be dialled. Where there is no such way, over standing links as class low.
 */

import type { RouteClass } from "../shared/carrier.ts";
import {
  type Detour,
  type Edge,
  isGateway,
  type MeshPicture,
  type NodeView,
} from "../shared/mesh_view.ts";
import { HOPS_MAX } from "./limits.ts";

/** How one hop is made. */
export type HopKind = "link" | "dial";

/** Costs of hops, in sixteenths: fewer hops first, and among equals those that stand already. */
const LINK_COST = 16;
const DIAL_COST = 17;
/** Gateways of two segments that have no link have probably tried: only when nothing else is left. */
const STRANGE_COST = 256;

export interface PathQuestion {
  readonly to: string;
  readonly class: RouteClass;
  readonly detour?: Detour;
}

/** Key ids from ourselves to the target; undefined: there is none. */
export function planPath(picture: MeshPicture, question: PathQuestion): string[] | undefined {
  const { to, detour = {} } = question;
  const { self } = picture;
  if (to === self || picture.byKey(to)?.state !== "up") return undefined;
  if (question.class === "high") {
    const path = highPath(picture, to, detour);
    if (path !== undefined) return path;
  }
  const path = picture.path(to, detour);
  return path === undefined || path.length > HOPS_MAX ? undefined : [self, ...path];
}

/** Whether a path that was planned is one still. */
export function pathHolds(
  picture: MeshPicture,
  path: readonly string[],
  routeClass: RouteClass,
): boolean {
  return path.every((keyId, place) => {
    if (place === 0) return true;
    const kind = hopKind(picture, path[place - 1] as string, keyId);
    const isUp = picture.byKey(keyId)?.state === "up";
    return isUp && (routeClass === "low" ? kind === "link" : kind !== undefined);
  });
}

/** How two nodes that follow each other in a path talk; undefined: they cannot. */
export function hopKind(
  picture: MeshPicture,
  from: string,
  to: string,
): HopKind | undefined {
  if (picture.areLinked(from, to)) return "link";
  return mayDial(picture, from, to) ? "dial" : undefined;
}

/** Whether one may dial the other: nodes of one segment, and gateways among themselves. */
export function mayDial(picture: MeshPicture, from: string, to: string): boolean {
  const [a, b] = [picture.byKey(from), picture.byKey(to)];
  if (a === undefined || b === undefined || from === to) return false;
  if (b.endpoints.length === 0) return false;
  return a.segment === b.segment || (isGateway(a) && isGateway(b));
}

/** Why {@link planPath} found nothing, for people. */
export function whyNoPath(
  picture: MeshPicture,
  { to, class: routeClass }: Omit<PathQuestion, "detour">,
): string {
  const target = picture.byKey(to);
  const self = picture.byKey(picture.self);
  if (target === undefined || self === undefined) return "No node with this key is known";
  const { name } = target;
  if (to === picture.self) return `"${name}" is this node itself`;
  if (target.state === "left") return `"${name}" has left the mesh`;
  const missing = missingGateway(picture, self, target);
  if (target.state === "down") {
    if (missing !== undefined) return `"${name}" is down, or cut off: ${missing}`;
    const lost = target.lostAt === undefined ? "" : `; the way to it ends at "${target.lostAt}"`;
    return `"${name}" is down${lost}`;
  }
  const length = picture.path(to)?.length;
  if (length !== undefined && length > HOPS_MAX) {
    return `The way to "${name}" has ${length} hops, ${HOPS_MAX} are the most`;
  }
  if (routeClass === "high" && missing !== undefined) return missing;
  return `Every way to "${name}" failed a moment ago`;
}

/** Our segment first: without its gateways those of others are not seen either. */
function missingGateway(picture: MeshPicture, ...ends: NodeView[]): string | undefined {
  if (new Set(ends.map(({ segment }) => segment)).size === 1) return undefined;
  for (const { segment, name } of ends) {
    if (picture.gatewaysOf(segment).length > 0) continue;
    return `No gateway of segment "${segment}", that of "${name}", is up`;
  }
  return undefined;
}

/** Cheapest first over ourselves, the gateways and the target (Dijkstra; there are few). */
function highPath(picture: MeshPicture, to: string, detour: Detour): string[] | undefined {
  const { self } = picture;
  const avoided = new Set(detour.avoidNodes);
  const closed = closedBy(detour.avoidEdges);
  if (avoided.has(to)) return undefined;
  const open = new Set([to]);
  if (costOf(picture, self, to) === undefined || closed(self, to)) {
    for (const { keyId, state, groups } of picture.nodes) {
      const relays = state === "up" && isGateway({ groups }) && keyId !== self;
      if (relays && !avoided.has(keyId)) open.add(keyId);
    }
  }
  const costs = new Map([[self, 0]]);
  const before = new Map<string, string>();
  for (let at: string | undefined = self; at !== undefined; at = nearest(open, costs)) {
    open.delete(at);
    if (at === to) break;
    for (const next of open) {
      const cost = costOf(picture, at, next);
      if (cost === undefined || closed(at, next)) continue;
      const sum = (costs.get(at) as number) + cost;
      if (sum >= (costs.get(next) ?? Infinity)) continue;
      costs.set(next, sum);
      before.set(next, at);
    }
  }
  if (!before.has(to)) return undefined;
  const path = [to];
  for (let at = to; at !== self;) path.push(at = before.get(at) as string);
  return path.length > HOPS_MAX + 1 ? undefined : path.reverse();
}

function costOf(picture: MeshPicture, from: string, to: string): number | undefined {
  const kind = hopKind(picture, from, to);
  if (kind === undefined) return undefined;
  if (kind === "link") return LINK_COST;
  return picture.byKey(from)?.segment === picture.byKey(to)?.segment ? DIAL_COST : STRANGE_COST;
}

/** Ties go to the smaller key id, so that the same question has the same answer everywhere. */
function nearest(
  open: ReadonlySet<string>,
  costs: ReadonlyMap<string, number>,
): string | undefined {
  let best: string | undefined;
  for (const keyId of open) {
    const cost = costs.get(keyId);
    if (cost === undefined) continue;
    const least = best === undefined ? Infinity : costs.get(best) as number;
    if (cost < least || (cost === least && keyId < (best as string))) best = keyId;
  }
  return best;
}

function closedBy(edges: Iterable<Edge> = []): (from: string, to: string) => boolean {
  const closed = new Set<string>();
  for (const [a, b] of edges) closed.add(`${a} ${b}`).add(`${b} ${a}`);
  return (from, to) => closed.has(`${from} ${to}`);
}
