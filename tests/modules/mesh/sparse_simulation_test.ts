/** Meshes that are no full graph: many nodes, or segments with gateways. */

import assert from "node:assert/strict";
import type { Module, ModuleHost } from "../../../core/mod.ts";
import { SILENCE_MS_MAX, SURPLUS_MS } from "../../../modules/mesh/limits.ts";
import { standingLinks } from "../../../modules/mesh/topology.ts";
import type { NodeView } from "../../../modules/shared/mesh_view.ts";
import { SimulatedMesh, type SimulatedMeshOptions } from "./simulated_mesh.ts";

const BOOT_MS = 4_000;
/** The grace, and being asked once more. */
const TRIM_MS = 2 * SURPLUS_MS;
/** The longest backoff, an attempt, and what follows from it. */
const HEAL_MS_MAX = 50_000;

async function booted(
  options: Omit<SimulatedMeshOptions, "seed"> & { seed: string },
): Promise<SimulatedMesh> {
  const mesh = SimulatedMesh.create(options);
  await mesh.startAll();
  await mesh.simulation.run({ forMs: BOOT_MS });
  assert.equal(await mesh.states(), `${options.nodes} up`);
  return mesh;
}

async function upAt(mesh: SimulatedMesh, name: string): Promise<NodeView[]> {
  return (await mesh.view(name)).nodes.filter(({ state }) => state === "up");
}

/** Every node has the links that it should have, and `spare` more at most. */
function assertShape(up: readonly NodeView[], spare: number): void {
  for (const node of up) {
    const wanted = standingLinks(up, node);
    const lacks = wanted.difference(new Set(node.links));
    assert.equal(lacks.size, 0, `"${node.name}" lacks ${lacks.size} links`);
    const surplus = node.links.length - wanted.size;
    assert.ok(surplus <= spare, `"${node.name}" has ${surplus} links too many`);
  }
}

function warnings(mesh: SimulatedMesh): string[] {
  return mesh.logs.filter((line) => /(warning|error):/.test(line));
}

Deno.test("sparse mesh: what the start made too much of is closed by both ends, once and for all", async () => {
  await using mesh = await booted({ seed: "trim", nodes: 24, seeds: 6 });
  assertShape(await upAt(mesh, "n7"), 24);
  await mesh.simulation.run({ forMs: TRIM_MS });
  assertShape(await upAt(mesh, "n7"), 0);
  const before = await mesh.stats("n1");
  await mesh.simulation.run({ forMs: 10 * TRIM_MS });
  const { dials, advertsOwn } = await mesh.stats("n1");
  assert.deepEqual({ dials, advertsOwn }, { dials: before.dials, advertsOwn: before.advertsOwn });
  assert.equal(await mesh.states(), "24 up");
  assert.deepEqual(warnings(mesh), []);
});

Deno.test("sparse mesh: killed nodes are down for all at once, the others close ranks", async () => {
  await using mesh = await booted({ seed: "kill", nodes: 22 });
  await mesh.simulation.run({ forMs: TRIM_MS });
  const dead = mesh.names.slice(0, 6);
  const rest = mesh.names.slice(6);
  for (const name of dead) mesh.simulation.kill(name);
  await mesh.simulation.run({ forMs: 1_000 });
  assert.equal(await mesh.states(rest), "16 up, 6 down");
  await mesh.simulation.run({ forMs: 3_000 });
  // 16 are a full graph.
  assertShape(await upAt(mesh, "n9"), 0);
  await mesh.simulation.finish(Promise.all(dead.map((name) => mesh.start(name))));
  await mesh.simulation.run({ forMs: BOOT_MS });
  assert.equal(await mesh.states(), "22 up");
});

Deno.test("sparse mesh: a silent machine is down for all within five seconds", async () => {
  await using mesh = await booted({ seed: "silent", nodes: 20 });
  await mesh.simulation.run({ forMs: TRIM_MS });
  mesh.simulation.powerOff("n4");
  await mesh.simulation.run({ forMs: 5_000 });
  assert.ok(SILENCE_MS_MAX < 5_000);
  assert.equal(await mesh.states(mesh.names.filter((name) => name !== "n4")), "19 up, 1 down");
});

Deno.test("sparse mesh: a loss makes others tell at once of links that they were in no hurry to tell of", async () => {
  const hosts = new Map<string, ModuleHost>();
  const spy = (name: string): Module => ({
    name: "spy",
    verbs: {},
    start: (host) => Promise.resolve(void hosts.set(name, host)),
    stop: () => Promise.resolve(),
  });
  await using mesh = await booted({ seed: "hurry", nodes: 20, modules: (name) => [spy(name)] });
  await mesh.simulation.run({ forMs: TRIM_MS });
  const up = await upAt(mesh, "n1");
  const n1 = up.find(({ name }) => name === "n1") as NodeView;
  // None of these is linked with n1.
  const [stranger, watcher, victim] = up.filter(({ keyId }) =>
    keyId !== n1.keyId && !n1.links.includes(keyId)
  ) as [NodeView, NodeView, NodeView];
  const knows = async () => (await mesh.node(watcher.name, "n1"))?.links.includes(stranger.keyId);
  const dialled = hosts.get("n1")?.links.dial(stranger.endpoints[0] as string, {
    expect: { keyId: stranger.keyId },
  });
  await mesh.simulation.finish(dialled as Promise<unknown>);
  await mesh.simulation.run({ forMs: 500 });
  assert.equal(await knows(), false, "nobody hurries without need");
  mesh.simulation.kill(victim.name);
  await mesh.simulation.run({ forMs: 500 });
  assert.equal(await knows(), true);
});

Deno.test("sparse mesh: halves find each other after any time", async () => {
  await using mesh = await booted({ seed: "halves", nodes: 24, seeds: 1 });
  await mesh.simulation.run({ forMs: TRIM_MS });
  const [left, right] = [mesh.names.slice(0, 12), mesh.names.slice(12)];
  mesh.simulation.partition(left, right);
  await mesh.simulation.run({ forMs: 600_000 });
  assert.equal(await mesh.states(), "12 up, 12 down");
  mesh.simulation.heal();
  await mesh.simulation.run({ forMs: HEAL_MS_MAX });
  assert.equal(await mesh.states(), "24 up");
  await mesh.simulation.run({ forMs: TRIM_MS });
  assertShape(await upAt(mesh, "n3"), 0);
});

Deno.test("sparse mesh: two that are left of many, and cut from each other, find each other", async () => {
  await using mesh = await booted({ seed: "few", nodes: 40, seeds: 1 });
  // n1 is the seed of all; n2 and n3 know nobody else that lives.
  for (const name of mesh.names) if (name !== "n2" && name !== "n3") mesh.simulation.powerOff(name);
  mesh.simulation.partition(["n2"], ["n3"]);
  await mesh.simulation.run({ forMs: 60_000 });
  assert.equal(await mesh.states(["n2", "n3"]), "1 up, 39 down");
  mesh.simulation.heal();
  await mesh.simulation.run({ forMs: 180_000 });
  assert.equal(await mesh.states(["n2", "n3"]), "2 up, 38 down");
});

Deno.test("sparse mesh: of two daemons with one key, far from each other, the larger instance stops", async () => {
  await using mesh = SimulatedMesh.create({ seed: "twins", nodes: 30, seeds: 3 });
  // n30 is a clone of n29. Its neighbours refuse it, but not all nodes are neighbours of n29.
  mesh.people.set("n30", mesh.people.get("n29") as never);
  const start = (name: string) => {
    const instance = new Uint8Array(16).fill(Number(name.slice(1)));
    return mesh.start(name, { instance });
  };
  await mesh.simulation.finish(Promise.all(mesh.names.slice(0, 29).map(start)));
  await mesh.simulation.run({ forMs: BOOT_MS + TRIM_MS });
  await mesh.simulation.finish(start("n30"));
  const reason = await mesh.simulation.finish(mesh.get("n30").stopped, { forMs: HEAL_MS_MAX });
  assert.match(reason, /^Another daemon uses the key of "n29" .*: was this machine cloned$/);
  await mesh.simulation.run({ forMs: HEAL_MS_MAX });
  assert.equal(mesh.get("n29").state, "running");
  assert.equal(await mesh.states(mesh.names.slice(0, 29)), "29 up");
});

/** Three segments of five; the first two nodes of each are gateways. */
const SEGMENTED = {
  nodes: 15,
  segmentOf: (name: string) => `s${(Number(name.slice(1)) - 1) % 3}`,
  gateways: ["n1", "n2", "n3", "n4", "n5", "n6"],
};

Deno.test("segments: only gateways are linked with other segments, and all reach all", async () => {
  await using mesh = await booted({ seed: "segments", ...SEGMENTED });
  await mesh.simulation.run({ forMs: TRIM_MS });
  const up = await upAt(mesh, "n15");
  assertShape(up, 0);
  const segments = new Map(up.map(({ keyId, segment }) => [keyId, segment]));
  for (const { name, segment, links } of up) {
    const far = links.filter((to) => segments.get(to) !== segment);
    assert.equal(far.length, SEGMENTED.gateways.includes(name) ? 4 : 0, name);
  }
});

Deno.test("segments: a gateway may die; without any a segment is lost at those of the others", async () => {
  await using mesh = await booted({ seed: "gateways", ...SEGMENTED });
  await mesh.simulation.run({ forMs: TRIM_MS });
  // n1, n4, n7, n10 and n13 are the segment s0.
  mesh.simulation.powerOff("n1");
  await mesh.simulation.run({ forMs: 6_000 });
  const living = mesh.names.filter((name) => name !== "n1");
  assert.equal(await mesh.states(living), "14 up, 1 down");
  mesh.simulation.powerOff("n4");
  await mesh.simulation.run({ forMs: 6_000 });
  assert.equal(await mesh.states(["n7", "n10", "n13"]), "3 up, 12 down");
  const others = living.filter((name) => SEGMENTED.segmentOf(name) !== "s0");
  assert.equal(await mesh.states(others), "10 up, 5 down");
  for (const name of ["n7", "n10", "n13", "n4"]) {
    const lost = await mesh.node("n8", name);
    assert.ok(
      ["n2", "n3", "n5", "n6"].includes(lost?.lostAt as string),
      `${name}: ${lost?.lostAt}`,
    );
  }
  mesh.simulation.powerOn("n4");
  await mesh.simulation.finish(mesh.start("n4"));
  await mesh.simulation.run({ forMs: HEAL_MS_MAX });
  assert.equal(await mesh.states(living.filter((name) => name !== "n1")), "14 up, 1 down");
});

Deno.test("segments: a node that says it is elsewhere harms nobody but itself", async () => {
  const segmentOf = (name: string) => name === "n5" ? "nowhere" : "default";
  await using mesh = SimulatedMesh.create({ seed: "liar", nodes: 24, segmentOf });
  await mesh.startAll();
  await mesh.simulation.run({ forMs: BOOT_MS + TRIM_MS });
  const honest = mesh.names.filter((name) => name !== "n5");
  assert.equal(await mesh.states(honest), "23 up, 1 down");
  assertShape(await upAt(mesh, "n8"), 0);
});
