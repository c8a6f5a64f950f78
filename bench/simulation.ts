/**
 * The simulated mesh: CPU and events of one group call, bytes of adverts for a join and a leave, and
 * virtual time until a death is noticed by all and until a partition has healed. Virtual times do not
 * depend on this machine; CPU times do. Up to 16 nodes are a full graph; beyond, it is sparse.
 */

import { cpuUsage } from "node:process";
import { MeshSimulation } from "../tests/simulation/mesh_simulation.ts";
import type { SimulatedNode } from "../tests/simulation/simulated_node.ts";
import { plainPrimitives } from "../tests/simulation/plain_primitives.ts";
import { V8_FLAGS } from "../tests/simulation/shards.ts";
import { budgetCell, number, printTable, type Row } from "./table.ts";

const SIZES = [16, 64, 256, 1_000];
const CALLS = 10;
/** Larger ones are simulated without encryption: thousands of daemons share one core. */
const ENCRYPTED_NODES_MAX = 64;
/** One group call over the largest mesh, all daemons in this one process. */
const CALL_BUDGET = { most: 1, unit: "s of CPU" };
/** Of the meshes whose deaths and partitions are timed, and how often each: full and sparse. */
const TIMED = [{ nodes: 8, rounds: 40 }, { nodes: 32, rounds: 10 }] as const;
const SETTLE_MS = 12_000;
const PARTITIONS_MS = [5_000, 60_000] as const;

/** In a process of its own: the largest mesh needs more memory than this one may take. */
export async function simulation(): Promise<void> {
  const program = new URL(import.meta.url).pathname;
  const args = ["run", "-A", V8_FLAGS, program];
  const { success } = await new Deno.Command(Deno.execPath(), { args }).spawn().status;
  if (!success) throw new Error("the process that simulates did not end well");
}

async function measureAll(): Promise<void> {
  const sizes: Row[] = [];
  let callMs = 0;
  for (const nodes of SIZES) {
    const { row, callMs: ms } = await measureSize(nodes);
    sizes.push(row);
    callMs = ms;
  }
  printTable(
    [
      "simulated nodes",
      "boot, CPU s",
      "agreed, virtual ms",
      "one call, CPU ms",
      "events",
      "KiB a call",
      "adverts of a leave, KiB",
      "of a join, KiB",
      "flooded a change, KiB",
      "memory, MiB",
    ],
    sizes,
  );
  const [budget, met] = budgetCell(callMs / 1_000, CALL_BUDGET);
  const what = `one group call over ${SIZES.at(-1)} simulated nodes, CPU s`;
  printTable(["budget", "measured", "budget", ""], [[
    what,
    number(callMs / 1_000, 2),
    budget,
    met,
  ]]);
  for (const { nodes, rounds } of TIMED) {
    const rows: Row[] = [];
    for (const [kind, begin] of Object.entries(DEATHS)) {
      rows.push(timeRow(`noticed by all: ${kind}`, await timeDeaths(nodes, rounds, begin)));
    }
    for (const ms of PARTITIONS_MS) {
      const times = await timeHealing(nodes, rounds, ms);
      rows.push(timeRow(`healed after halves for ${ms / 1_000} s`, times));
    }
    printTable([`${nodes} nodes, virtual ms`, "p50", "p99"], rows);
  }
}

async function measureSize(
  nodes: number,
): Promise<{ readonly row: Row; readonly callMs: number }> {
  const begun = cpuMs();
  const mesh = await MeshSimulation.start({
    seed: 1,
    nodes,
    ...nodes > ENCRYPTED_NODES_MAX ? { primitives: plainPrimitives } : {},
  });
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
  const memory = Deno.memoryUsage().rss / 2 ** 20;
  const leave = await adverts(mesh, async () => {
    await mesh.finish(node.stop());
    mesh.kill(node);
    await mesh.untilAgreed();
  });
  await mesh.run({ forMs: SETTLE_MS });
  const join = await adverts(mesh, async () => {
    await mesh.finish(node.start(mesh.peersOf(node)));
    await mesh.untilAgreed();
  });
  mesh[Symbol.dispose]();
  const flooded = (leave.bytes + join.bytes) / Math.max(1, leave.changes + join.changes);
  const row = [
    String(nodes),
    number(bootMs / 1_000, 1),
    number(agreedMs, 0),
    number(callMs, 1),
    number(callEvents, 0),
    number(callBytes / 1_024, 0),
    number(leave.bytes / 1_024, 0),
    number(join.bytes / 1_024, 0),
    number(flooded / 1_024, 0),
    number(memory, 0),
  ];
  return { row, callMs };
}

interface Sent {
  /** Adverts that nodes made of themselves. */
  readonly changes: number;
  /** Of adverts on links, pushed and asked for. */
  readonly bytes: number;
}

/** What all nodes together send of adverts while `run` runs. */
async function adverts(mesh: MeshSimulation, run: () => Promise<void>): Promise<Sent> {
  const before = await sentBy(mesh);
  await run();
  const total = { changes: 0, bytes: 0 };
  for (const [instance, { changes, bytes }] of await sentBy(mesh)) {
    total.changes += changes - (before.get(instance)?.changes ?? 0);
    total.bytes += bytes - (before.get(instance)?.bytes ?? 0);
  }
  return total;
}

async function sentBy(mesh: MeshSimulation): Promise<Map<string, Sent>> {
  const sent = new Map<string, Sent>();
  const asked = mesh.living.flatMap(({ running }) =>
    running === undefined ? [] : [
      running.mesh.request("mesh.stats").then((stats) => {
        const { advertsOwn = 0, advertBytesSent = 0, fetchBytesSent = 0 } = stats as Stats;
        sent.set(running.instance, {
          changes: advertsOwn,
          bytes: advertBytesSent + fetchBytesSent,
        });
      }),
    ]
  );
  await mesh.finish(Promise.all(asked));
  return sent;
}

type Stats = Readonly<Record<string, number>>;

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
  nodes: number,
  rounds: number,
  begin: (mesh: MeshSimulation, node: SimulatedNode) => void,
): Promise<number[]> {
  const times: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const mesh = await MeshSimulation.start({ seed: round, nodes });
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

async function timeHealing(
  nodes: number,
  rounds: number,
  partitionMs: number,
): Promise<number[]> {
  const times: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const mesh = await MeshSimulation.start({ seed: round, nodes });
    await mesh.untilAgreed();
    await mesh.run({ forMs: SETTLE_MS });
    const names = mesh.nodes.map(({ name }) => name);
    mesh.simulation.partition(names.slice(0, nodes / 2), names.slice(nodes / 2));
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

if (import.meta.main) await measureAll();
