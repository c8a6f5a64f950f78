/** Determinism, virtual time and running: what the simulator promises to tests that stand on it. */
import assert from "node:assert/strict";
import type { BytePipe, Environment } from "../../core/environment/environment.ts";
import { Simulation } from "./environment.ts";
import { JITTER, pair, PORT, readOnce } from "./pair.ts";

Deno.test("simulation: equal seeds give equal traces, different seeds do not", async () => {
  const [one, again, other] = [await chatter(1), await chatter(1), await chatter(2)];
  assert.ok(one.lines.length > 1_000, `${one.lines.length} lines`);
  assert.deepEqual(one.lines, again.lines);
  assert.equal(one.hash, again.hash);
  assert.notEqual(one.hash, other.hash);
});

Deno.test("simulation: the trace's hash sees every byte and every time", async () => {
  const traceOf = async (bytes: Uint8Array, ms: number) => {
    const { simulation, a, b } = await pair();
    await simulation.run({ forMs: ms });
    await a.write(bytes);
    await simulation.finish(readOnce(b));
    return simulation.trace.hash;
  };
  const hash = await traceOf(new Uint8Array([1, 2, 3, 4, 5]), 10);
  assert.equal(await traceOf(new Uint8Array([1, 2, 3, 4, 5]), 10), hash);
  assert.notEqual(await traceOf(new Uint8Array([1, 2, 3, 4, 6]), 10), hash);
  assert.notEqual(await traceOf(new Uint8Array([1, 2, 7, 4, 5]), 10), hash);
  assert.notEqual(await traceOf(new Uint8Array([1, 2, 3, 4, 5]), 10.5), hash);
});

Deno.test("simulation: one node's draws do not shift another's", () => {
  const draw = (greedy: boolean) => {
    const simulation = new Simulation({ seed: 9 });
    const [a, b] = [simulation.host("a"), simulation.host("b")];
    if (greedy) a.random.bytes(1_000);
    return [...b.random.bytes(16)];
  };
  assert.deepEqual(draw(true), draw(false));
});

Deno.test("simulation: ten years pass in no time, and exactly", async () => {
  const simulation = new Simulation({ seed: 1 });
  const { clock } = simulation.host("a");
  const start = clock.now();
  const ms = 10 * 365 * 86_400_000;
  await simulation.finish(clock.sleep(ms));
  assert.equal(clock.now() - start, ms);
  assert.equal(simulation.events, 1);
});

Deno.test("simulation: what an event set off settles before the next event", async () => {
  const simulation = new Simulation({ seed: 1 });
  const { clock } = simulation.host("a");
  const order: string[] = [];
  for (const who of ["first", "second"]) {
    clock.after(5, async () => {
      for (let step = 0; step < 50; step++) await Promise.resolve();
      order.push(who);
    });
  }
  clock.after(5, () => order.push("third"));
  await simulation.run();
  assert.deepEqual(order, ["first", "second", "third"]);
});

Deno.test("simulation: run says whether the condition came true, and stops the clock there", async () => {
  const simulation = new Simulation({ seed: 1 });
  const { clock } = simulation.host("a");
  let rings = 0;
  const ring = () => {
    rings++;
    clock.after(10, ring);
  };
  ring();
  assert.equal(await simulation.run({ until: () => rings === 4, forMs: 1_000 }), true);
  assert.equal(simulation.now, 30);
  assert.equal(await simulation.run({ until: () => rings === 0, forMs: 1_000 }), false);
  assert.equal(simulation.now, 1_030);
  await assert.rejects(simulation.run({ eventsMax: 50 }), {
    message: "Still not done after 50 events",
  });
});

Deno.test("simulation: an error in a timer fails the run", async () => {
  const simulation = new Simulation({ seed: 1 });
  simulation.host("a").clock.after(1, () => {
    throw new Error("Broken on purpose");
  });
  await assert.rejects(simulation.run(), { message: "Broken on purpose" });
});

Deno.test("simulation: finish says when a promise can never settle", async () => {
  const simulation = new Simulation({ seed: 1 });
  const never = new Promise<void>(() => {});
  await assert.rejects(simulation.finish(never), {
    message: "Nothing is left to happen at 0 ms and the promise is pending",
  });
  simulation.host("a").clock.after(50, () => {});
  await assert.rejects(simulation.finish(never, { forMs: 20 }), {
    message: "The promise is pending after 20 ms",
  });
});

/** Eight nodes that dial, talk, sleep by chance, are cut off, frozen and killed. */
async function chatter(seed: number): Promise<{ lines: readonly string[]; hash: string }> {
  const simulation = new Simulation({ seed, keepTrace: true, ...JITTER });
  const names = Array.from({ length: 8 }, (_, i) => `n${i}`);
  for (const name of names) simulation.host(name);
  for (const name of names) talk(simulation.host(name), names);
  const pick = () => names[simulation.random.below(names.length)]!;
  for (let step = 0; step < 20; step++) {
    await simulation.run({ forMs: 50 });
    const [one, other] = [pick(), pick()];
    if (step % 5 === 0) simulation.block(one, other);
    else if (step % 5 === 1) simulation.freeze(one);
    else if (step % 5 === 2) simulation.heal();
    else if (step % 5 === 3) simulation.thaw(one);
    else simulation.kill(other);
  }
  await simulation.run({ forMs: 500 });
  return { lines: simulation.trace.lines, hash: simulation.trace.hash };
}

function talk({ network, clock, random }: Environment, names: readonly string[]): void {
  const echo = async (pipe: BytePipe) => {
    for (let bytes = await readOnce(pipe); bytes.length > 0; bytes = await readOnce(pipe)) {
      await pipe.write(bytes.subarray(0, bytes.length - 1));
    }
    pipe.close();
  };
  const ended = () => {};
  (async () => {
    const listener = await network.listen({ transport: "tcp", host: "::", port: PORT });
    for (;;) echo(await listener.accept()).catch(ended);
  })();
  (async () => {
    for (;;) {
      await clock.sleep(random.bytes(1)[0]! / 10);
      const host = names[random.bytes(1)[0]! % names.length]!;
      network.dial({ transport: "tcp", host, port: PORT }).then(async (pipe) => {
        await pipe.write(random.bytes(16));
        await echo(pipe);
      }).catch(ended);
    }
  })();
}
