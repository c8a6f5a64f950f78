import assert from "node:assert/strict";
import { ConnectionError } from "../../../core/mod.ts";
import { dialEndpoints } from "../../../modules/shared/dial_endpoints.ts";
import { ManualClock } from "../../support/manual_clock.ts";

/** Endpoints that do what a test says, and when. */
class Places {
  readonly clock = new ManualClock();
  /** "a 0": dialled after 0 ms; "a gone": its dial was ended; "a failed": told as failed. */
  readonly story: string[] = [];
  readonly #knocks = new Map<string, PromiseWithResolvers<string>>();

  dial(endpoints: string, signal = new AbortController().signal): Promise<string> {
    return dialEndpoints(endpoints.split(" "), {
      clock: this.clock,
      network: { addresses: () => [] },
      signal,
      dial: (endpoint, signal) => {
        this.story.push(`${endpoint} ${this.clock.monotonic()}`);
        const knock = Promise.withResolvers<string>();
        this.#knocks.set(endpoint, knock);
        signal.addEventListener("abort", () => {
          this.story.push(`${endpoint} gone`);
          knock.reject(signal.reason);
        });
        return knock.promise;
      },
      onFailure: (endpoint) => this.story.push(`${endpoint} failed`),
    });
  }

  answer(endpoint: string): void {
    this.#knocks.get(endpoint)?.resolve(endpoint);
  }

  refuse(endpoint: string): void {
    this.#knocks.get(endpoint)?.reject(new ConnectionError("refused", `No ${endpoint}`));
  }
}

Deno.test("dial endpoints: one that answers soon is the only one that is dialled", async () => {
  const places = new Places();
  const dialled = places.dial("a b");
  await places.clock.advance(100);
  places.answer("a");
  assert.equal(await dialled, "a");
  await places.clock.advance(1_000);
  assert.deepEqual(places.story, ["a 0", "a gone"]);
  assert.equal(places.clock.timers, 0);
});

Deno.test("dial endpoints: a dark one costs a moment, and is let go of when another answers", async () => {
  const places = new Places();
  const dialled = places.dial("dark b c");
  await places.clock.advance(260);
  places.answer("b");
  assert.equal(await dialled, "b");
  assert.deepEqual(places.story, ["dark 0", "b 250", "dark gone", "b gone"]);
  assert.equal(places.clock.timers, 0);
});

Deno.test("dial endpoints: behind one that refuses the next is dialled at once, and the first may still win", async () => {
  const places = new Places();
  const dialled = places.dial("slow b c");
  await places.clock.advance(250);
  places.refuse("b");
  await places.clock.advance(10);
  places.answer("slow");
  assert.equal(await dialled, "slow");
  assert.deepEqual(places.story.slice(0, 4), ["slow 0", "b 250", "b failed", "c 250"]);
});

Deno.test("dial endpoints: when all have failed it says so, and when there is none too", async () => {
  const places = new Places();
  const dialled = assert.rejects(places.dial("a b"), { message: "No b" });
  await places.clock.advance(0);
  places.refuse("a");
  await places.clock.advance(0);
  places.refuse("b");
  await dialled;
  assert.deepEqual(places.story, ["a 0", "a failed", "b 0", "b failed"]);
  const { clock } = places;
  const none = dialEndpoints([], {
    clock,
    network: { addresses: () => [] },
    signal: new AbortController().signal,
    dial: () => Promise.resolve(),
    onFailure: () => {},
  });
  await assert.rejects(none, { message: "It has no endpoint" });
});

Deno.test("dial endpoints: whoever wants it no more has its reason, and nothing is told as failed", async () => {
  const places = new Places();
  const ending = new AbortController();
  const dialled = assert.rejects(places.dial("a b", ending.signal), { message: "enough" });
  await places.clock.advance(300);
  ending.abort(new Error("enough"));
  await dialled;
  await places.clock.advance(1_000);
  assert.deepEqual(places.story, ["a 0", "b 250", "a gone", "b gone"]);
});
