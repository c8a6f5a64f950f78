/** What happens between simulated machines: delays, half-open ways, partitions, dials, resets. */
import assert from "node:assert/strict";
import { Simulation } from "./environment.ts";
import { JITTER, pair, PORT, readOnce } from "./pair.ts";

Deno.test("path: delay and bandwidth decide when bytes arrive", async () => {
  const { simulation, a, b } = await pair({ path: { delayMs: 10, bytesPerMs: 1_000 } });
  const begun = simulation.now;
  await a.write(new Uint8Array(5_000));
  await a.write(new Uint8Array(5_000));
  await simulation.finish(readOnce(b));
  assert.equal(simulation.now - begun, 15);
  await simulation.finish(readOnce(b));
  assert.equal(simulation.now - begun, 20);
});

Deno.test("path: jitter never changes the order of bytes", async () => {
  const { simulation, a, b } = await pair(JITTER);
  const got: number[] = [];
  const reading = (async () => {
    for (let bytes = await readOnce(b); bytes.length > 0; bytes = await readOnce(b)) {
      got.push(...bytes);
    }
  })();
  for (let i = 0; i < 100; i++) {
    await a.write(new Uint8Array([i]));
    await simulation.run({ forMs: 0.5 });
  }
  a.close();
  await simulation.finish(reading);
  assert.deepEqual(got, Array.from({ length: 100 }, (_, i) => i));
});

Deno.test("half-open way: takes bytes, delivers nothing, and all of it in order once open", async () => {
  const { simulation, a, b } = await pair();
  simulation.block("a", "b");
  await a.write(new Uint8Array([1]));
  await simulation.run({ forMs: 60_000 });
  await a.write(new Uint8Array([2]));
  let got: number[] = [];
  const reading = (async () => {
    while (got.length < 3) got = [...got, ...await readOnce(b)];
  })();
  await simulation.run({ forMs: 60_000 });
  assert.deepEqual(got, []);
  // The other direction works all the time.
  await b.write(new Uint8Array([9]));
  assert.deepEqual([...await simulation.finish(readOnce(a))], [9]);
  simulation.open("a", "b");
  await a.write(new Uint8Array([3]));
  await simulation.finish(reading);
  assert.deepEqual(got, [1, 2, 3]);
});

Deno.test("half-open way: a writer waits once the buffers are full", async () => {
  const { simulation, a } = await pair();
  simulation.block("a", "b");
  let taken = 0;
  const writing = (async () => {
    for (;;) {
      await a.write(new Uint8Array(10_000));
      taken += 10_000;
    }
  })();
  await simulation.run({ forMs: 1_000 });
  assert.equal(taken, 260_000);
  a.close();
  await assert.rejects(writing, { name: "ConnectionError", reason: "closed" });
});

Deno.test("partition: separates the sets, not their members, and heals", async () => {
  const simulation = new Simulation({ seed: 1 });
  const names = ["a", "b", "c"];
  const hosts = new Map(names.map((name) => [name, simulation.host(name)]));
  for (const host of hosts.values()) {
    await simulation.finish(host.network.listen({ transport: "tcp", host: "::", port: PORT }));
  }
  const dial = (from: string, to: string) =>
    hosts.get(from)!.network.dial({ transport: "tcp", host: to, port: PORT });
  simulation.partition(["a", "b"], ["c"]);
  (await simulation.finish(dial("a", "b"))).close();
  const begun = simulation.now;
  await assert.rejects(simulation.finish(dial("c", "a")), {
    name: "ConnectionError",
    reason: "timeout",
    message: 'Could not dial "a:7117": timed out',
  });
  assert.equal(simulation.now - begun, 127_000);
  const waiting = dial("a", "c");
  await simulation.run({ forMs: 2_000 });
  simulation.heal();
  (await simulation.finish(waiting, { forMs: 1_500 })).close();
});

Deno.test("dial: ends with the signal's reason while it waits, and leaves nothing behind", async () => {
  const simulation = new Simulation({ seed: 1 });
  const [a, b] = [simulation.host("a"), simulation.host("b")];
  const listener = await simulation.finish(
    b.network.listen({ transport: "tcp", host: "::", port: PORT }),
  );
  const control = new AbortController();
  const reason = new Error("Enough");
  const failed = assert.rejects(
    a.network.dial(
      listener.address.transport === "tcp" ? { ...listener.address, host: "b" } : listener.address,
      { signal: control.signal },
    ),
    reason,
  );
  control.abort(reason);
  await simulation.finish(failed);
  await simulation.run();
  let accepted = false;
  listener.accept().then(() => accepted = true);
  await simulation.run();
  assert.equal(accepted, false);
});

Deno.test("dial: is refused by a way that refuses, and has no route to nobody's address", async () => {
  const { simulation, hostA } = await pair();
  simulation.link("a", "b", { refused: true });
  await assert.rejects(
    simulation.finish(hostA.network.dial({ transport: "tcp", host: "b", port: PORT })),
    { reason: "refused", message: 'Could not dial "b:7117": connection refused' },
  );
  await assert.rejects(
    simulation.finish(hostA.network.dial({ transport: "tcp", host: "192.0.2.9", port: 1 })),
    { reason: "no-route", message: 'Could not dial "192.0.2.9:1": no route to host' },
  );
});

Deno.test("reset: both ends fail at once", async () => {
  const { simulation, a, b } = await pair();
  const failed = [a, b].map((pipe) => assert.rejects(readOnce(pipe), { reason: "reset" }));
  simulation.reset("a", "b");
  await simulation.finish(Promise.all(failed));
  await assert.rejects(a.write(new Uint8Array(1)), { reason: "reset" });
});

Deno.test("cut: blocks ways that nobody has used yet too, until the last cut through them ends", async () => {
  const simulation = new Simulation({ seed: 1 });
  const [a, b] = [simulation.host("a"), simulation.host("b")];
  const listener = await simulation.finish(
    b.network.listen({ transport: "tcp", host: "::", port: PORT }),
  );
  const one = simulation.cut("all", () => true);
  const other = simulation.cut("from a", (from) => from === "a");
  let connected = false;
  void a.network.dial({ transport: "tcp", host: "b", port: PORT }).then(() => connected = true);
  void listener.accept();
  await simulation.run({ forMs: 10_000 });
  assert.equal(connected, false);
  one.end();
  one.end();
  await simulation.run({ forMs: 10_000 });
  assert.equal(connected, false, "the other cut goes through it still");
  other.end();
  await simulation.run({ forMs: 20_000 });
  assert.equal(connected, true);
});

Deno.test("cut: what was on its way arrives, in order, once it has ended", async () => {
  const { simulation, a, b } = await pair();
  const { end } = simulation.cut("all", () => true);
  await a.write(new Uint8Array([1]));
  await simulation.run({ forMs: 60_000 });
  await a.write(new Uint8Array([2]));
  end();
  assert.deepEqual([...await simulation.finish(readOnce(b))], [1]);
  assert.deepEqual([...await simulation.finish(readOnce(b))], [2]);
});

Deno.test("reach: where there is no way dials end as the network says, whatever is healed", async () => {
  const reach = (_from: string, to: string) =>
    to === "b" ? "absent" : to === "c" ? "refused" : "yes";
  const simulation = new Simulation({ seed: 1, reach });
  for (const name of ["a", "b", "c"]) {
    const { network } = simulation.host(name);
    await simulation.finish(network.listen({ transport: "tcp", host: "::", port: PORT }));
  }
  simulation.heal();
  const dial = (host: string) =>
    simulation.finish(simulation.host("a").network.dial({ transport: "tcp", host, port: PORT }));
  await assert.rejects(dial("b"), { reason: "timeout" });
  await assert.rejects(dial("c"), { reason: "refused" });
});
