import assert from "node:assert/strict";
import { AuthenticationError, ConnectionError, type Link } from "../../../core/mod.ts";
import { CandidateDialler } from "../../../modules/discovery/candidate_dialler.ts";
import { DIALS_MAX, DIALS_PER_SECOND_MAX } from "../../../modules/discovery/limits.ts";
import { ManualClock } from "../../support/manual_clock.ts";

class Places {
  readonly clock = new ManualClock();
  readonly up = new Set<string>();
  readonly dialled: string[] = [];
  readonly logged: string[] = [];
  readonly dialler: CandidateDialler;
  answer: (keyId: string, signal: AbortSignal) => Promise<void> = () => Promise.resolve();

  constructor() {
    this.dialler = new CandidateDialler({
      env: { clock: this.clock, random: { bytes: (length) => new Uint8Array(length) } },
      links: {
        dial: async (endpoint, { expect, signal } = {}) => {
          const keyId = expect?.keyId ?? "";
          this.dialled.push(`${keyId} ${endpoint}`);
          await this.answer(keyId, signal as AbortSignal);
          return { peer: { identity: { name: `name of ${keyId}` } } } as Link;
        },
      },
      log: (level, text) => this.logged.push(`${level}: ${text}`),
      self: "m",
      isUp: (keyId) => this.up.has(keyId),
    });
  }
}

Deno.test("candidate dialler: dials where somebody is said to be, and expects that very key", async () => {
  const places = new Places();
  places.dialler.hear({ keyId: "z", host: "10.0.0.1", port: 7_117 });
  await places.clock.advance(0);
  assert.deepEqual(places.dialled, ["z tcp:10.0.0.1:7117"]);
  assert.deepEqual(places.logged, [
    'info: Found "name of z" at tcp:10.0.0.1:7117 by multicast DNS',
  ]);
  assert.equal(places.clock.timers, 0);
  await places.dialler.stop();
});

Deno.test("candidate dialler: leaves the smaller key its turn, and one that is up alone", async () => {
  const places = new Places();
  places.dialler.hear({ keyId: "a", host: "10.0.0.1", port: 1 });
  await places.clock.advance(0);
  assert.deepEqual(places.dialled, []);
  await places.clock.advance(1_000);
  assert.deepEqual(places.dialled, ["a tcp:10.0.0.1:1"]);
  places.dialler.hear({ keyId: "b", host: "10.0.0.2", port: 1 });
  places.up.add("b");
  await places.clock.advance(60_000);
  assert.equal(places.dialled.length, 1);
  await places.dialler.stop();
});

Deno.test("candidate dialler: whose dial was one too many warns of nobody", async () => {
  const places = new Places();
  places.answer = (keyId) => {
    places.up.add(keyId);
    return Promise.reject(new AuthenticationError("duplicate", "There is a link already"));
  };
  places.dialler.hear({ keyId: "z", host: "10.0.0.1", port: 1 });
  await places.clock.advance(60_000);
  assert.equal(places.dialled.length, 1);
  assert.deepEqual(places.logged, []);
  assert.equal(places.clock.timers, 0);
  await places.dialler.stop();
});

Deno.test("candidate dialler: a false word costs a handshake now and then, and one warning each", async () => {
  const places = new Places();
  places.answer = () => Promise.reject(new AuthenticationError("wrong-name", "Somebody else"));
  places.dialler.hear({ keyId: "z", host: "10.0.0.66", port: 1 });
  // It is repeated all the time.
  for (let i = 0; i < 600; i++) {
    await places.clock.advance(100);
    places.dialler.hear({ keyId: "z", host: "10.0.0.66", port: 1 });
  }
  assert.equal(places.dialled.length, 2);
  assert.equal(
    places.logged[0],
    "warning: Cannot link to tcp:10.0.0.66:1, heard of by multicast DNS: Somebody else",
  );
  await places.dialler.stop();
  assert.equal(places.clock.timers, 0);
});

Deno.test("candidate dialler: a flood of words begins few dials a second, and few at once", async () => {
  const places = new Places();
  places.answer = () => Promise.reject(new ConnectionError("refused", "Nobody listens"));
  let heard = 0;
  const flood = () => {
    for (let i = 0; i < 50; i++) {
      places.dialler.hear({ keyId: `z${++heard}`, host: `10.0.${heard % 200}.1`, port: 1 });
    }
  };
  for (let second = 0; second < 10; second++) {
    flood();
    await places.clock.advance(1_000);
  }
  assert.ok(places.dialled.length <= DIALS_PER_SECOND_MAX * 11, `${places.dialled.length} dials`);
  assert.ok(places.dialled.length >= DIALS_PER_SECOND_MAX * 9, `${places.dialled.length} dials`);
  // None of these ends.
  places.answer = (_keyId, signal) =>
    new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
  const before = places.dialled.length;
  flood();
  await places.clock.advance(5_000);
  assert.equal(places.dialled.length - before, DIALS_MAX);
  await places.dialler.stop();
  assert.equal(places.clock.timers, 0);
});
