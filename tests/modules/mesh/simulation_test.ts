import assert from "node:assert/strict";
import { ADVERT_DELAY_MS, SILENCE_MS_MAX, STATES_DELAY_MS } from "../../../modules/mesh/limits.ts";
import { EPOCH_MS } from "../../simulation/clock.ts";
import { SimulatedMesh } from "./simulated_mesh.ts";

/** Boot of a few nodes: handshakes, comparisons, adverts. */
const BOOT_MS = 3_000;
/** A link is lost by silence, both ends say so, everybody draws the conclusion; some for the ways. */
const LOSS_MS_MAX = SILENCE_MS_MAX + ADVERT_DELAY_MS + 2 * STATES_DELAY_MS + 200;
/** The longest backoff and an attempt. */
const HEAL_MS_MAX = 45_000;

async function booted(
  seed: string,
  nodes: number,
  options: { seeds?: number } = {},
): Promise<SimulatedMesh> {
  const mesh = SimulatedMesh.create({ seed, nodes, ...options });
  await mesh.startAll();
  await mesh.simulation.run({ forMs: BOOT_MS });
  assert.equal(await mesh.states(), `${nodes} up`);
  return mesh;
}

function warnings(mesh: SimulatedMesh): string[] {
  return mesh.logs.filter((line) => /(warning|error):/.test(line));
}

Deno.test("simulated mesh: 16 nodes that start at once are all linked with all", async () => {
  await using mesh = await booted("boot", 16);
  for (const { links } of (await mesh.view("n7")).nodes) assert.equal(links.length, 15);
  assert.deepEqual(warnings(mesh), []);
});

Deno.test("simulated mesh: the same seed gives the same trace, another one another", async () => {
  const traces: string[] = [];
  for (const seed of ["x", "x", "y"]) {
    await using mesh = await booted(seed, 5);
    mesh.simulation.partition(["n1", "n2"], ["n3", "n4", "n5"]);
    await mesh.simulation.run({ forMs: 20_000 });
    mesh.simulation.heal();
    await mesh.simulation.run({ forMs: HEAL_MS_MAX });
    traces.push(mesh.simulation.trace.hash);
  }
  assert.equal(traces[0], traces[1]);
  assert.notEqual(traces[0], traces[2]);
});

Deno.test("simulated mesh: who knows one seed finds all", async () => {
  await using mesh = await booted("seed", 8, { seeds: 1 });
  for (const { links } of (await mesh.view("n5")).nodes) assert.equal(links.length, 7);
});

Deno.test("simulated mesh: a partition is seen by both sides, and heals after any time", async () => {
  await using mesh = await booted("partition", 16);
  const [left, right] = [mesh.names.slice(0, 8), mesh.names.slice(8)];
  mesh.simulation.partition(left, right);
  const cutAt = EPOCH_MS + mesh.simulation.now;
  await mesh.simulation.run({ forMs: LOSS_MS_MAX });
  assert.equal(await mesh.states(), "8 up, 8 down");
  const lost = await mesh.node("n1", "n16");
  assert.ok(lost !== undefined && lost.since > cutAt && lost.since <= cutAt + LOSS_MS_MAX);
  assert.ok(left.includes(lost.lostAt as string), String(lost.lostAt));
  await mesh.simulation.run({ forMs: 120_000 });
  assert.equal(await mesh.states(), "8 up, 8 down");
  assert.deepEqual(await mesh.node("n1", "n16"), lost);
  mesh.simulation.heal();
  await mesh.simulation.run({ forMs: HEAL_MS_MAX });
  assert.equal(await mesh.states(), "16 up");
  for (const { links } of (await mesh.view("n9")).nodes) assert.equal(links.length, 15);
});

Deno.test("simulated mesh: nodes that cannot speak to each other directly stay up by others", async () => {
  await using mesh = await booted("cut", 5);
  mesh.simulation.partition(["n1"], ["n2"]);
  await mesh.simulation.run({ forMs: LOSS_MS_MAX });
  assert.equal(await mesh.states(), "5 up");
  const n2 = await mesh.node("n1", "n2");
  assert.ok(!n2?.links.includes((await mesh.view("n1")).self));
  mesh.simulation.heal();
  await mesh.simulation.run({ forMs: HEAL_MS_MAX });
  for (const { links } of (await mesh.view("n4")).nodes) assert.equal(links.length, 4);
});

Deno.test("simulated mesh: a half-open link is lost at both ends", async () => {
  await using mesh = await booted("half-open", 3);
  // What n1 sends to n2 is swallowed; n1 hears n2 well.
  mesh.simulation.block("n1", "n2");
  await mesh.simulation.run({ forMs: 2 * LOSS_MS_MAX });
  assert.equal(await mesh.states(), "3 up");
  const { self: n1 } = await mesh.view("n1");
  const { self: n2 } = await mesh.view("n2");
  for (const at of ["n1", "n2", "n3"]) {
    assert.ok(!(await mesh.node(at, "n1"))?.links.includes(n2), at);
    assert.ok(!(await mesh.node(at, "n2"))?.links.includes(n1), at);
  }
});

Deno.test("simulated mesh: a machine without power is down within five seconds", async () => {
  await using mesh = await booted("power", 6);
  const rest = mesh.names.slice(0, 5);
  mesh.simulation.powerOff("n6");
  await mesh.simulation.run({ forMs: LOSS_MS_MAX });
  assert.equal(await mesh.states(rest), "5 up, 1 down");
  await mesh.simulation.run({ forMs: 600_000 });
  mesh.simulation.powerOn("n6");
  await mesh.simulation.finish(mesh.start("n6"));
  await mesh.simulation.run({ forMs: BOOT_MS });
  assert.equal(await mesh.states(), "6 up");
  assert.equal((await mesh.node("n1", "n6"))?.incarnation, 2);
});

Deno.test("simulated mesh: a daemon that has just started speaks of all nodes when it is asked for all", async () => {
  await using mesh = await booted("young", 6);
  mesh.simulation.kill("n2");
  await mesh.simulation.run({ forMs: LOSS_MS_MAX });
  const young = await mesh.simulation.finish(mesh.start("n2"));
  assert.equal(await mesh.states(["n2"]), "1 up");
  await mesh.simulation.finish(young.caller("mesh").request("mesh.settled"));
  assert.equal(await mesh.states(["n2"]), "6 up");
});

Deno.test("simulated mesh: a rack without power is down as a whole", async () => {
  await using mesh = await booted("rack", 8);
  const [rest, rack] = [mesh.names.slice(0, 4), mesh.names.slice(4)];
  for (const name of rack) mesh.simulation.powerOff(name);
  await mesh.simulation.run({ forMs: LOSS_MS_MAX });
  assert.equal(await mesh.states(rest), "4 up, 4 down");
});

Deno.test("simulated mesh: a process that is killed is down at once", async () => {
  await using mesh = await booted("kill", 5);
  mesh.simulation.kill("n5");
  await mesh.simulation.run({ forMs: 500 });
  assert.equal(await mesh.states(mesh.names.slice(0, 4)), "4 up, 1 down");
});

Deno.test("simulated mesh: a goodbye reaches all, and nobody dials who left", async () => {
  await using mesh = await booted("goodbye", 6, { seeds: 1 });
  await mesh.simulation.finish(mesh.get("n6").stop("test says so"));
  await mesh.simulation.run({ forMs: 500 });
  assert.equal(await mesh.states(mesh.names.slice(0, 5)), "5 up, 1 left");
  const { dials } = await mesh.stats("n3");
  await mesh.simulation.run({ forMs: 600_000 });
  assert.equal((await mesh.stats("n3")).dials, dials);
});

Deno.test("simulated mesh: all that stop at once end in time", async () => {
  await using mesh = await booted("halt", 8);
  const begun = mesh.simulation.now;
  const stops = mesh.names.map((name) => mesh.get(name).stop("halt"));
  await mesh.simulation.finish(Promise.all(stops));
  assert.ok(mesh.simulation.now - begun < 3_000, `${mesh.simulation.now - begun} ms`);
  assert.deepEqual(warnings(mesh), []);
});

Deno.test("simulated mesh: a frozen process is lost, judges nobody, and comes back", async () => {
  await using mesh = await booted("freeze", 5);
  const rest = mesh.names.filter((name) => name !== "n3");
  mesh.simulation.freeze("n3");
  await mesh.simulation.run({ forMs: LOSS_MS_MAX });
  assert.equal(await mesh.states(rest), "4 up, 1 down");
  await mesh.simulation.run({ forMs: 60_000 });
  mesh.simulation.thaw("n3");
  await mesh.simulation.run({ forMs: HEAL_MS_MAX });
  assert.equal(await mesh.states(), "5 up");
  assert.deepEqual(mesh.logs.filter((line) => /n3 mesh warning: .* given up/.test(line)), []);
});

Deno.test("simulated mesh: a short stall of the process costs no link", async () => {
  await using mesh = await booted("stall", 4);
  mesh.simulation.freeze("n2");
  await mesh.simulation.run({ forMs: 2_000 });
  mesh.simulation.thaw("n2");
  await mesh.simulation.run({ forMs: 20_000 });
  assert.equal(await mesh.states(), "4 up");
  assert.deepEqual(warnings(mesh), []);
});

// Each time it began to listen anew, so it never judged; and its claim kept the dead one in the mesh.
Deno.test("simulated mesh: a node that stalls again and again notices a dead neighbour all the same", async () => {
  await using mesh = await booted("stutter", 4);
  mesh.simulation.powerOff("n4");
  let stutters = true;
  const stutter = () => {
    if (!stutters) return;
    mesh.simulation.freeze("n2");
    mesh.simulation.after(2_000, () => mesh.simulation.thaw("n2"));
    mesh.simulation.after(2_200, stutter);
  };
  stutter();
  await mesh.simulation.run({ forMs: 60_000 });
  stutters = false;
  assert.equal(await mesh.states(["n1", "n3"]), "3 up, 1 down");
  const givenUp = mesh.logs.filter((line) => /n2 mesh warning: .* given up/.test(line));
  assert.deepEqual(givenUp.filter((line) => !line.includes('"n4"')), [], "the others were heard");
});

Deno.test("simulated mesh: after a long stall silence is counted from when others were heard again", async () => {
  await using mesh = await booted("long stall", 4);
  mesh.simulation.freeze("n2");
  // Shorter than what makes the others give it up.
  await mesh.simulation.run({ forMs: SILENCE_MS_MAX - 1_000 });
  mesh.simulation.thaw("n2");
  await mesh.simulation.run({ forMs: 1_000 });
  assert.equal(await mesh.states(), "4 up");
  mesh.simulation.powerOff("n4");
  await mesh.simulation.run({ forMs: LOSS_MS_MAX });
  assert.equal(await mesh.states(["n1", "n2", "n3"]), "3 up, 1 down");
});

Deno.test("simulated mesh: what one half forgets during a partition the other forgets after it", async () => {
  await using mesh = await booted("forget", 6);
  const [left, right] = [mesh.names.slice(0, 3), mesh.names.slice(3, 5)];
  mesh.simulation.partition(left, [...right, "n6"]);
  mesh.simulation.powerOff("n6");
  await mesh.simulation.run({ forMs: LOSS_MS_MAX });
  const user = mesh.keys.person({ name: "ann", type: "user" });
  const request = mesh.keys.sign(user, {
    verb: "mesh.forget",
    args: { nodes: ["n6"] },
    issuedMs: EPOCH_MS + Math.floor(mesh.simulation.now),
  });
  const forgotten = mesh.get("n1").caller("mesh").request("mesh.forget", request, { signed: true });
  assert.deepEqual(await mesh.simulation.finish(forgotten), { forgotten: ["n6"] });
  await mesh.simulation.run({ forMs: 500 });
  assert.equal(await mesh.states(left), "3 up, 2 down");
  assert.equal(await mesh.states(right), "2 up, 4 down");
  mesh.simulation.heal();
  await mesh.simulation.run({ forMs: HEAL_MS_MAX });
  assert.equal(await mesh.states([...left, ...right]), "5 up");
  // It was alive all the time, or is again: what it says now is newer than what was forgotten.
  mesh.simulation.powerOn("n6");
  await mesh.simulation.finish(mesh.start("n6"));
  await mesh.simulation.run({ forMs: BOOT_MS });
  assert.equal(await mesh.states(), "6 up");
});

Deno.test("simulated mesh: a node forgotten by a half that could not see it is back when it heals", async () => {
  await using mesh = await booted("alive", 4);
  mesh.simulation.partition(["n1", "n2"], ["n3", "n4"]);
  await mesh.simulation.run({ forMs: LOSS_MS_MAX });
  const user = mesh.keys.person({ name: "ann", type: "user" });
  const request = mesh.keys.sign(user, {
    verb: "mesh.forget",
    args: { nodes: ["n3", "n4"] },
    issuedMs: EPOCH_MS + Math.floor(mesh.simulation.now),
  });
  const forgotten = mesh.get("n1").caller("mesh").request("mesh.forget", request, { signed: true });
  await mesh.simulation.finish(forgotten);
  await mesh.simulation.run({ forMs: 500 });
  assert.equal(await mesh.states(["n1", "n2"]), "2 up");
  mesh.simulation.heal();
  await mesh.simulation.run({ forMs: HEAL_MS_MAX });
  assert.equal(await mesh.states(), "4 up");
});

Deno.test("simulated mesh: of two daemons with one key the larger instance stops after the partition", async () => {
  await using mesh = SimulatedMesh.create({ seed: "twins", nodes: 6 });
  // n6 is a clone of n5: same key, same name, another machine.
  mesh.people.set("n6", mesh.people.get("n5") as never);
  mesh.simulation.partition(["n1", "n2", "n5"], ["n3", "n4", "n6"]);
  const start = (name: string) => {
    const instance = new Uint8Array(16).fill(name === "n6" ? 2 : 1);
    return mesh.start(name, { instance });
  };
  await mesh.simulation.finish(Promise.all(mesh.names.map((name) => start(name))));
  await mesh.simulation.run({ forMs: BOOT_MS });
  assert.equal(await mesh.states(["n1", "n2", "n5"]), "3 up");
  assert.equal(await mesh.states(["n3", "n4", "n6"]), "3 up");
  mesh.simulation.heal();
  const reason = await mesh.simulation.finish(mesh.get("n6").stopped, { forMs: HEAL_MS_MAX });
  assert.match(reason, /^Another daemon uses the key of "n5" .*: was this machine cloned$/);
  assert.deepEqual(mesh.twins, ["n6 duplicate"]);
  assert.equal(mesh.get("n5").state, "running");
  await mesh.simulation.run({ forMs: HEAL_MS_MAX });
  assert.equal(await mesh.states(mesh.names.slice(0, 5)), "5 up");
});

Deno.test("simulated mesh: a copy that starts beside the living node is refused, and is told why", async () => {
  await using mesh = SimulatedMesh.create({ seed: "copy", nodes: 4 });
  mesh.people.set("n4", mesh.people.get("n3") as never);
  const first = mesh.names.slice(0, 3).map((name) => mesh.start(name));
  await mesh.simulation.finish(Promise.all(first));
  await mesh.simulation.run({ forMs: BOOT_MS });
  await mesh.simulation.finish(mesh.start("n4"));
  await mesh.simulation.run({ forMs: BOOT_MS });
  assert.equal(await mesh.states(mesh.names.slice(0, 3)), "3 up");
  assert.ok(
    mesh.logs.some((line) =>
      /n4 mesh warning: Cannot link to "n1" .* refuses us: Key of "n3" is in use/.test(line)
    ),
    mesh.logs.join("\n"),
  );
});
