/** What a node hears that asks for registrars, and how long it listens. */

import assert from "node:assert/strict";
import { ConnectionError, type Datagram, type Multicast } from "../../../core/mod.ts";
import { inquire } from "../../../modules/discovery/inquiry.ts";
import { INQUIRY_MS, INQUIRY_PLACES_MAX } from "../../../modules/discovery/limits.ts";
import { encodeCall, encodeWord } from "../../../modules/discovery/word.ts";
import { ManualClock } from "../../support/manual_clock.ts";

const TAG = "0123456789abcdef";
const keyOf = (n: number) => n.toString(16).padStart(64, "b");

/** A network of which the test is the other end. */
class World {
  readonly clock = new ManualClock();
  readonly said: { readonly bytes: Uint8Array; readonly from: string }[] = [];
  readonly stopping = new AbortController();
  closed = 0;
  #deliver: PromiseWithResolvers<Datagram> | undefined;

  inquire() {
    const network = { multicast: () => this.#group() };
    const { signal } = this.stopping;
    return inquire({ clock: this.clock, network }, { tags: [TAG], signal });
  }

  async hear(n: number, asks: boolean, tag = TAG): Promise<void> {
    const bytes = encodeWord(tag, { keyId: keyOf(n), port: n, asks });
    this.#deliver?.resolve({ bytes, from: `10.0.0.${n}` });
    await this.clock.advance(0);
  }

  #group(): Multicast {
    return {
      networks: () => Promise.resolve(["10.0.0.1", "192.0.2.1"]),
      send: (bytes, from) => {
        this.said.push({ bytes, from });
        return Promise.resolve();
      },
      receive: () => {
        this.#deliver = Promise.withResolvers();
        return this.#deliver.promise;
      },
      close: () => {
        this.closed++;
        this.#deliver?.reject(new ConnectionError("closed", "It was left"));
      },
    };
  }
}

Deno.test("inquiry: asks on each network, and tells first of those who answered", async () => {
  const world = new World();
  const found = world.inquire();
  await world.clock.advance(0);
  assert.deepEqual(world.said.map(({ from }) => from), ["10.0.0.1", "192.0.2.1"]);
  for (const { bytes } of world.said) assert.deepEqual(bytes, encodeCall(TAG));
  await world.hear(1, true);
  await world.hear(9, false, "00".repeat(8));
  await world.hear(2, false);
  await world.hear(3, true);
  await world.hear(3, false);
  await world.hear(2, true);
  await world.clock.advance(INQUIRY_MS);
  assert.deepEqual((await found).map(({ host, port }) => `${host}:${port}`), [
    "10.0.0.2:2",
    "10.0.0.3:3",
    "10.0.0.1:1",
  ]);
  assert.equal(world.clock.timers, 0);
  assert.ok(world.closed > 0);
});

Deno.test("inquiry: listens to no flood for ever, and ends when it is told to", async () => {
  const world = new World();
  const found = world.inquire();
  await world.clock.advance(0);
  for (let n = 1; n <= INQUIRY_PLACES_MAX + 5; n++) await world.hear(n, false);
  assert.equal((await found).length, INQUIRY_PLACES_MAX);
  const other = new World();
  const none = other.inquire();
  await other.clock.advance(0);
  other.stopping.abort();
  assert.deepEqual(await none, []);
  assert.equal(other.clock.timers, 0);
});
