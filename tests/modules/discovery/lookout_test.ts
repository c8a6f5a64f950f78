import assert from "node:assert/strict";
import type { Datagram, Identity, Link, LinkChange, Multicast } from "../../../core/mod.ts";
import { ConnectionError } from "../../../core/mod.ts";
import { ASK_ALONE_MS_MAX, ASK_MS_MAX } from "../../../modules/discovery/limits.ts";
import { Lookout } from "../../../modules/discovery/lookout.ts";
import { decodeWord, encodeCall, encodeWord, type Word } from "../../../modules/discovery/word.ts";
import { MeshPicture, type NodeView } from "../../../modules/shared/mesh_view.ts";
import { ManualClock } from "../../support/manual_clock.ts";

const TAG = "0123456789abcdef";
const SELF = "a".repeat(64);
const keyOf = (n: number) => n.toString(16).padStart(64, "b");

/** A daemon with a network of which the test is the other end. */
class World {
  readonly clock = new ManualClock();
  readonly said: { readonly word: Word; readonly from: string }[] = [];
  readonly dialled: string[] = [];
  readonly logged: string[] = [];
  readonly links: Link[] = [];
  readonly picture = new MeshPicture({ self: SELF, nodes: [] });
  endpoints: string[] = ["unix:/run/sock", "tcp:[::]:7117"];
  networks = ["10.0.0.1"];
  tags = [TAG];
  groups: string[] = [];
  /** Why there is no group. */
  failure: ConnectionError | undefined;
  #watch: (change: LinkChange) => void = () => {};
  #deliver: PromiseWithResolvers<Datagram> | undefined;

  start(): Lookout {
    const network = {
      addresses: () => [],
      dial: never,
      listen: never,
      multicast: () => this.#join(),
    };
    const host = {
      env: {
        clock: this.clock,
        random: { bytes: (length: number) => new Uint8Array(length) },
        network,
      },
      endpoints: () => this.endpoints,
      log: (level: string, text: string) => void this.logged.push(`${level}: ${text}`),
      self: { keyId: SELF, groups: this.groups } as unknown as Identity,
      links: {
        list: () => this.links,
        get: () => undefined,
        watch: (run: (change: LinkChange) => void) => {
          this.#watch = run;
          return { [Symbol.dispose]: () => {} };
        },
        dial: (endpoint: string) => {
          this.dialled.push(endpoint);
          return Promise.reject(new ConnectionError("refused", "Nobody listens"));
        },
      },
    } as unknown as ConstructorParameters<typeof Lookout>[0]["host"];
    return new Lookout({ host, picture: this.picture, tags: this.tags });
  }

  async hear(word: Word, from = "10.0.0.2", tag = TAG): Promise<void> {
    await this.hearBytes(encodeWord(tag, word), from);
  }

  async hearBytes(bytes: Uint8Array, from = "10.0.0.2"): Promise<void> {
    this.#deliver?.resolve({ bytes, from });
    await this.clock.advance(0);
  }

  up(keyId: string): void {
    const node = { keyId, name: "n1", state: "up" } as NodeView;
    this.picture.apply({ changed: [node], forgotten: [] });
  }

  loseLinks(): void {
    this.links.length = 0;
    this.#watch({ kind: "down" } as LinkChange);
  }

  #join(): Multicast {
    if (this.failure !== undefined) throw this.failure;
    return {
      networks: () => Promise.resolve(this.networks),
      send: (bytes, from) => {
        for (const tag of this.tags) {
          const word = decodeWord(tag, bytes);
          if (word !== undefined) this.said.push({ word, from });
        }
        return Promise.resolve();
      },
      receive: () => {
        this.#deliver = Promise.withResolvers();
        return this.#deliver.promise;
      },
      close: () => this.#deliver?.reject(new ConnectionError("closed", "It was left")),
    };
  }
}

function never(): never {
  throw new Error("Nobody asked for this");
}

Deno.test("lookout: asks more and more seldom, and anew when the last link is lost", async () => {
  const world = new World();
  const lookout = world.start();
  await world.clock.advance(130);
  const word = { keyId: SELF, port: 7_117, asks: true };
  assert.deepEqual(world.said, [{ word, from: "10.0.0.1" }]);
  await world.clock.advance(60_000);
  assert.ok(world.said.length >= 60_000 / ASK_ALONE_MS_MAX && world.said.length <= 20);
  world.links.push({} as Link);
  await world.clock.advance(60_000);
  const before = world.said.length;
  await world.clock.advance(10 * ASK_MS_MAX);
  assert.ok(world.said.length - before <= 20, `${world.said.length - before} words`);
  const linked = world.said.length;
  world.loseLinks();
  await world.clock.advance(8_000);
  assert.ok(world.said.length - linked >= 3);
  await lookout.stop();
  assert.equal(world.clock.timers, 0);
  assert.deepEqual(world.logged, []);
});

Deno.test("lookout: one answer is for all who ask, and none for who is in the mesh", async () => {
  const world = new World();
  const lookout = world.start();
  await world.clock.advance(130);
  world.links.push({} as Link);
  await world.clock.advance(20_000);
  world.said.length = 0;
  world.up(keyOf(1));
  await world.hear({ keyId: keyOf(1), port: 1, asks: true });
  await world.hear({ keyId: SELF, port: 1, asks: true });
  await world.clock.advance(2_000);
  assert.deepEqual(world.said.filter(({ word }) => word.asks === false), []);
  assert.equal(world.dialled.length, 0);
  for (let n = 2; n < 150; n++) await world.hear({ keyId: keyOf(n), port: n, asks: true });
  await world.clock.advance(500);
  assert.equal(world.said.filter(({ word }) => word.asks === false).length, 1);
  assert.ok(world.dialled.length > 0);
  // Who answers asks nothing, and gets no answer.
  const answers = world.said.length;
  await world.hear({ keyId: keyOf(500), port: 500, asks: false }, "10.0.0.9");
  await world.clock.advance(2_000);
  assert.equal(world.said.slice(answers).filter(({ word }) => word.asks === false).length, 0);
  assert.ok(world.dialled.includes("tcp:10.0.0.9:500"));
  await lookout.stop();
  assert.equal(world.clock.timers, 0);
});

Deno.test("lookout: speaks on each network where it can be dialled, at the port there", async () => {
  const world = new World();
  world.networks = ["10.0.0.1", "192.0.2.1", "198.51.100.1"];
  world.endpoints = ["tcp:10.0.0.1:1", "tcp:198.51.100.1:2"];
  const lookout = world.start();
  await world.clock.advance(130);
  assert.deepEqual(world.said.map(({ word, from }) => `${from}:${word.port}`), [
    "10.0.0.1:1",
    "198.51.100.1:2",
  ]);
  await lookout.stop();
});

Deno.test("lookout: a gateway hears its segment and the other gateways, and speaks to both", async () => {
  const world = new World();
  const others = "fedcba9876543210";
  world.tags = [TAG, others];
  const lookout = world.start();
  await world.clock.advance(130);
  const word = { keyId: SELF, port: 7_117, asks: true };
  assert.deepEqual(world.said.map(({ word }) => word), [word, word]);
  await world.hear({ keyId: keyOf(1), port: 1, asks: false }, "10.0.0.8");
  await world.hear({ keyId: keyOf(2), port: 2, asks: false }, "10.0.0.9", others);
  await world.hear({ keyId: keyOf(3), port: 3, asks: false }, "10.0.0.9", "00".repeat(8));
  await world.clock.advance(2_000);
  assert.deepEqual(new Set(world.dialled), new Set(["tcp:10.0.0.8:1", "tcp:10.0.0.9:2"]));
  await lookout.stop();
});

Deno.test("lookout: who cannot be linked with is answered, once for all, by registrars and some others", async () => {
  for (const groups of [[], ["registrar"]]) {
    const world = new World();
    world.groups = groups;
    const lookout = world.start();
    await world.clock.advance(130);
    world.links.push({} as Link);
    await world.clock.advance(20_000);
    world.said.length = 0;
    for (let n = 0; n < 5; n++) await world.hearBytes(encodeCall(TAG));
    await world.hearBytes(encodeCall("00".repeat(8)));
    await world.clock.advance(1_000);
    const answers = world.said.filter(({ word }) => !word.asks).map(({ word }) => word);
    assert.deepEqual(answers, [{ keyId: SELF, port: 7_117, asks: false }]);
    assert.deepEqual(world.dialled, []);
    await lookout.stop();
  }
});

Deno.test("lookout: what is wrong is said once, and when it is over", async () => {
  const world = new World();
  world.failure = new ConnectionError("address-taken", "Another program has it");
  const lookout = world.start();
  await world.clock.advance(30_000);
  world.failure = undefined;
  world.networks = [];
  await world.clock.advance(30_000);
  world.networks = ["10.0.0.1"];
  world.endpoints = ["tcp:[::1]:7117"];
  await world.clock.advance(30_000);
  assert.deepEqual(world.said, []);
  world.endpoints = ["tcp:0.0.0.0:7117"];
  await world.clock.advance(30_000);
  assert.notDeepEqual(world.said, []);
  assert.deepEqual(world.logged, [
    "warning: Cannot look around by multicast DNS: Another program has it",
    "warning: Cannot look around by multicast DNS: This host is on no IPv4 network that can do it",
    "warning: Cannot look around by multicast DNS: This node listens at none of its addresses: 10.0.0.1",
    "info: Looking around by multicast DNS works again",
  ]);
  await lookout.stop();
  assert.equal(world.clock.timers, 0);
});
