/**
 * One fault in a mesh that is well, and what it costs: virtual time until everybody knows, virtual
 * time until all is well again once it is over, and bytes of adverts for each change.
 */

import type { Fault, FaultKind } from "./fault.ts";
import type { Faults } from "./faults.ts";
import type { MeshSimulation } from "./mesh_simulation.ts";
import type { SeededRandom } from "./random.ts";
import type { SimulatedNode } from "./simulated_node.ts";

/** Longer than silence is borne, so that all who are gone are missed. */
const LAST_MS_MIN = 8_000;
const LAST_MS_MAX = 20_000;

export interface SingleFault {
  readonly kind: FaultKind;
  /** Until all that see the mesh miss who is gone; undefined where nobody is. */
  readonly detectMs: number | undefined;
  /** From the end of the fault to agreement. */
  readonly healMs: number;
  /** Adverts that nodes made of themselves, and bytes of adverts that went over links for them. */
  readonly changes: number;
  readonly floodBytes: number;
}

/** Undefined when nothing could be hit. Rejects when it is not noticed or does not heal. */
export async function playSingleFault(
  mesh: MeshSimulation,
  { faults, kind, draw }: {
    readonly faults: Faults;
    readonly kind: FaultKind;
    readonly draw: SeededRandom;
  },
): Promise<SingleFault | undefined> {
  const { simulation } = mesh;
  const before = await advertCounts(mesh);
  const begunAt = simulation.now;
  const lastMs = LAST_MS_MIN + draw.fraction() * (LAST_MS_MAX - LAST_MS_MIN);
  const fault = faults.begin(kind, lastMs, draw);
  if (fault === undefined) return undefined;
  const detectMs = await detect(mesh, fault);
  await mesh.run({ forMs: Math.max(0, begunAt + lastMs - simulation.now) });
  fault.end();
  const healMs = await mesh.untilAgreed();
  const after = await advertCounts(mesh);
  const total = { changes: 0, floodBytes: 0 };
  for (const [instance, { changes, floodBytes }] of after) {
    total.changes += changes - (before.get(instance)?.changes ?? 0);
    total.floodBytes += floodBytes - (before.get(instance)?.floodBytes ?? 0);
  }
  return { kind, detectMs, healMs, ...total };
}

async function detect(mesh: MeshSimulation, fault: Fault): Promise<number | undefined> {
  const { gone, sides } = fault;
  const begunAt = mesh.simulation.now;
  if (gone.length > 0) {
    const others = mesh.living.filter((node) => !gone.includes(node));
    const lost = keyIdsOf(gone);
    await mesh.runUntil(() => others.every((node) => !seesAny(node, lost)));
  } else if (sides.length > 1) {
    const strangers = sides.map((side) => keyIdsOf(sides.filter((one) => one !== side).flat()));
    await mesh.runUntil(() =>
      sides.every((side, index) => side.every((node) => !seesAny(node, strangers[index] ?? [])))
    );
  } else return undefined;
  return mesh.simulation.now - begunAt;
}

function keyIdsOf(nodes: readonly SimulatedNode[]): string[] {
  return nodes.map(({ keyId }) => keyId);
}

/** Those that do not run see nobody. */
function seesAny({ running }: SimulatedNode, keyIds: readonly string[]): boolean {
  const picture = running?.picture;
  return picture !== undefined &&
    keyIds.some((keyId) => picture.byKey(keyId)?.state === "up");
}

/** By instance: what was counted by lives that are over is lost with them. */
async function advertCounts(
  mesh: MeshSimulation,
): Promise<Map<string, { changes: number; floodBytes: number }>> {
  const counts = new Map<string, { changes: number; floodBytes: number }>();
  const asked = mesh.living.flatMap(({ running }) =>
    running === undefined ? [] : [
      running.mesh.request("mesh.stats").then((stats) => {
        const { advertsOwn = 0, advertBytesSent = 0, fetchBytesSent = 0 } = stats as Stats;
        const floodBytes = advertBytesSent + fetchBytesSent;
        counts.set(running.instance, { changes: advertsOwn, floodBytes });
      }),
    ]
  );
  await mesh.finish(Promise.all(asked));
  return counts;
}

type Stats = Readonly<Record<string, number>>;
