/** Time and randomness, in both environments. */
import assert from "node:assert/strict";
import { type Stage, STAGES } from "./stages.ts";

for (const [name, play] of STAGES) {
  const test = (text: string, scenario: (stage: Stage) => Promise<void>) =>
    Deno.test(`${name} clock: ${text}`, () => play(scenario));

  test("runs timers in the order of their times", async ({ environment: { clock } }) => {
    const order: string[] = [];
    clock.after(60, () => order.push("late"));
    clock.after(10, () => order.push("early"));
    clock.after(30, () => order.push("between"));
    clock.after(-5, () => order.push("at once"));
    await clock.sleep(90);
    assert.deepEqual(order, ["at once", "early", "between", "late"]);
  });

  test("never runs a timer that was cancelled", async ({ environment: { clock } }) => {
    let ran = 0;
    const timer = clock.after(5, () => ran++);
    timer.cancel();
    timer.cancel();
    await clock.sleep(20);
    assert.equal(ran, 0);
  });

  test("does not run a timer of 30 days at once", async ({ environment: { clock } }) => {
    let ran = 0;
    const timer = clock.after(30 * 86_400_000, () => ran++);
    await clock.sleep(20);
    timer.cancel();
    assert.equal(ran, 0);
  });

  test("goes on during a sleep, both times alike", async ({ environment: { clock } }) => {
    const [wall, monotonic] = [clock.now(), clock.monotonic()];
    await clock.sleep(50);
    assert.ok(clock.monotonic() - monotonic >= 49);
    assert.ok(clock.now() - wall >= 48);
    assert.ok(Number.isInteger(clock.now()));
  });

  test("ends a sleep with the signal's reason", async ({ environment: { clock } }) => {
    const control = new AbortController();
    const reason = new Error("Enough");
    const sleeping = assert.rejects(
      clock.sleep(60_000, { signal: control.signal }),
      reason,
    );
    await clock.sleep(1);
    control.abort(reason);
    await sleeping;
    await assert.rejects(clock.sleep(1, { signal: control.signal }), reason);
  });

  test("sleeps to the end when the signal does not abort", async ({ environment: { clock } }) => {
    const control = new AbortController();
    await clock.sleep(1, { signal: control.signal });
    control.abort();
  });

  test("lets what is ready run before yield resolves", async ({ environment: { clock } }) => {
    const order: string[] = [];
    const yielded = clock.yield().then(() => order.push("yielded"));
    queueMicrotask(() => queueMicrotask(() => order.push("microtask")));
    await yielded;
    const again = clock.yield().then(() => order.push("yielded again"));
    assert.deepEqual(order, ["microtask", "yielded"]);
    await again;
    assert.deepEqual(order, ["microtask", "yielded", "yielded again"]);
  });

  test("lets the network and timers run while somebody only yields", async (stage) => {
    const { clock, network } = stage.environment;
    const listener = await network.listen({ transport: "tcp", host: "127.0.0.1", port: 0 });
    const [dialer, accepted] = await Promise.all([
      network.dial(listener.address),
      listener.accept(),
    ]);
    let [read, rang] = [false, false];
    const reading = accepted.read(new Uint8Array(8)).then(() => read = true);
    const timer = clock.after(1, () => rang = true);
    await dialer.write(new Uint8Array(8));
    if (stage.isReal) { while (!read || !rang) await clock.yield(); }
    else for (let turns = 0; turns < 10; turns++) await clock.yield();
    await reading;
    timer.cancel();
    for (const each of [dialer, accepted, listener]) each.close();
  });

  Deno.test(`${name} random: gives bytes of any length that differ`, () =>
    play(({ environment: { random } }) => {
      assert.equal(random.bytes(0).length, 0);
      const long = random.bytes(200_003);
      assert.equal(long.length, 200_003);
      // So many that all values are there, not only most of the time.
      assert.ok(new Set(long.subarray(-30_000)).size === 256);
      assert.notDeepEqual(random.bytes(16), random.bytes(16));
      return Promise.resolve();
    }));
}
