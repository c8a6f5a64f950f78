/**
 * The simulated mesh: CPU and events of one group call, bytes of adverts for a join and a leave, and
 * virtual time until a death is noticed by all and until a partition has healed. Virtual times do not
 * depend on this machine; CPU times do. A full graph of more nodes costs minutes to boot here.
 */

import { cpuUsage } from "node:process";
import { MeshSimulation } from "../tests/simulation/mesh_simulation.ts";
import type { SimulatedNode } from "../tests/simulation/simulated_node.ts";
import { number, printTable, type Row } from "./table.ts";

const SIZES = [16, 64];
const CALLS = 20;
/** Of the mesh whose deaths and partitions are timed, and how often each. */
const NODES = 8;
const ROUNDS = 40;
const SETTLE_MS = 12_000;
const PARTITIONS_MS = [5_000, 60_000] as const;

export async function simulation(): Promise<void> {
  const sizes: Row[] = [];
  for (const nodes of SIZES) sizes.push(await measureSize(nodes));
  printTable(
    [
      "simulated nodes, full graph",
      "boot, CPU s",
      "agreed, virtual ms",
      "one call, CPU ms",
      "events",
      "KiB a call",
      "adverts of a leave, KiB",
      "of a join, KiB",
    ],
    sizes,
  );
  const rows: Row[] = [];
  for (const [what, begin] of Object.entries(DEATHS)) {
    rows.push(timeRow(`noticed by all: ${what}`, await timeDeaths(begin)));
  }
  for (const ms of PARTITIONS_MS) {
    rows.push(timeRow(`healed after halves for ${ms / 1_000} s`, await timeHealing(ms)));
  }
  printTable([`${NODES} nodes, virtual ms`, "p50", "p99"], rows);
}

async function measureSize(nodes: number): Promise<Row> {
  const begun = cpuMs();
  const mesh = await MeshSimulation.start({ seed: 1, nodes });
  const agreedMs = await mesh.untilAgreed();
  const bootMs = cpuMs() - begun;
  const call = () => mesh.finish(mesh.call("n1", { steps: [{ verb: "core.hello" }] }));
  await call();
  const events = mesh.simulation.events;
  const bytes = mesh.simulation.trace.bytes;
  const at = cpuMs();
  for (let i = 0; i < CALLS; i++) await call();
  const callMs = (cpuMs() - at) / CALLS;
  const callEvents = (mesh.simulation.events - events) / CALLS;
  const callBytes = (mesh.simulation.trace.bytes - bytes) / CALLS;
  await mesh.run({ forMs: SETTLE_MS });
  const node = mesh.node(`n${nodes}`);
  const leave = await advertBytes(mesh, async () => {
    await mesh.finish(node.stop());
    mesh.kill(node);
    await mesh.untilAgreed();
  });
  await mesh.run({ forMs: SETTLE_MS });
  const join = await advertBytes(mesh, async () => {
    await mesh.finish(node.start(mesh.peersOf(node)));
    await mesh.untilAgreed();
  });
  mesh[Symbol.dispose]();
  return [
    String(nodes),
    number(bootMs / 1_000, 1),
    number(agreedMs, 0),
    number(callMs, 1),
    number(callEvents, 0),
    number(callBytes / 1_024, 0),
    number(leave / 1_024, 0),
    number(join / 1_024, 0),
  ];
}

/** What all nodes together send of adverts, pushed and asked for, while `run` runs. */
async function advertBytes(mesh: MeshSimulation, run: () => Promise<void>): Promise<number> {
  const before = await sentBytes(mesh);
  await run();
  const after = await sentBytes(mesh);
  let bytes = 0;
  for (const [instance, sent] of after) bytes += sent - (before.get(instance) ?? 0);
  return bytes;
}

async function sentBytes(mesh: MeshSimulation): Promise<Map<string, number>> {
  const sent = new Map<string, number>();
  for (const { running } of mesh.living) {
    if (running === undefined) continue;
    const stats = await mesh.finish(running.mesh.request("mesh.stats")) as Record<string, number>;
    const { advertBytesSent = 0, fetchBytesSent = 0 } = stats;
    sent.set(running.self.instance.toHex(), advertBytesSent + fetchBytesSent);
  }
  return sent;
}

/** Each ends what others hear of the node, in its own way. */
const DEATHS: Readonly<Record<string, (mesh: MeshSimulation, node: SimulatedNode) => void>> = {
  "killed": (mesh, node) => mesh.kill(node),
  "left": (_mesh, node) => void node.stop(),
  "power cut": (mesh, node) => mesh.powerOff(node),
  "frozen": (mesh, node) => mesh.simulation.freeze(node.name),
  "half-open, nothing leaves it": (mesh, node) => {
    for (const { name } of mesh.nodes) {
      if (name !== node.name) mesh.simulation.block(node.name, name);
    }
  },
};

async function timeDeaths(
  begin: (mesh: MeshSimulation, node: SimulatedNode) => void,
): Promise<number[]> {
  const times: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const mesh = await MeshSimulation.start({ seed: round, nodes: NODES });
    await mesh.untilAgreed();
    await mesh.run({ forMs: SETTLE_MS + 4_000 * mesh.simulation.random.fraction() });
    const node = mesh.node("n3");
    const others = mesh.nodes.filter((one) => one !== node);
    const { keyId } = node;
    const begun = mesh.simulation.now;
    begin(mesh, node);
    await mesh.runUntil(() =>
      others.every(({ running }) => running?.picture?.byKey(keyId)?.state !== "up")
    );
    times.push(mesh.simulation.now - begun);
    mesh[Symbol.dispose]();
  }
  return times;
}

async function timeHealing(partitionMs: number): Promise<number[]> {
  const times: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const mesh = await MeshSimulation.start({ seed: round, nodes: NODES });
    await mesh.untilAgreed();
    await mesh.run({ forMs: SETTLE_MS });
    const names = mesh.nodes.map(({ name }) => name);
    mesh.simulation.partition(names.slice(0, NODES / 2), names.slice(NODES / 2));
    await mesh.run({ forMs: partitionMs });
    mesh.simulation.heal();
    times.push(await mesh.untilAgreed());
    mesh[Symbol.dispose]();
  }
  return times;
}

function timeRow(what: string, times: number[]): Row {
  times.sort((a, b) => a - b);
  const quantile = (share: number) => times[Math.ceil(share * times.length) - 1] ?? 0;
  return [what, number(quantile(0.5), 0), number(quantile(0.99), 0)];
}

function cpuMs(): number {
  const { user, system } = cpuUsage();
  return (user + system) / 1_000;
}
