import assert from "node:assert/strict";
import { CallError, type Link, PRIORITY, type Priority } from "../../../core/mod.ts";
import { Ledger, type Waiting } from "../../../modules/router/hop_queue.ts";
import { HOP_WINDOW_BYTES } from "../../../modules/router/limits.ts";
import { NextHop } from "../../../modules/router/next_hop.ts";
import type { Packet } from "../../../modules/router/packet.ts";
import { ManualClock } from "../../support/manual_clock.ts";

const BIG = 60 * 1024;
const IN_WINDOW = Math.ceil(HOP_WINDOW_BYTES / BIG);

/** A neighbour that takes packets when the test says so. */
class Scene {
  readonly handed: string[] = [];
  readonly failed: string[] = [];
  readonly ledger = new Ledger();
  idle = 0;
  noBulk = false;
  reach: (() => Link | Promise<Link>) | undefined;
  readonly hop: NextHop;
  readonly #answers: { resolve: () => void; reject: (error: unknown) => void }[] = [];
  readonly #names = new Map<Uint8Array, string>();

  constructor() {
    this.hop = new NextHop({
      clock: new ManualClock(),
      ledger: this.ledger,
      reach: () => this.reach?.() ?? this.link,
      onFailed: ({ packet }, error) =>
        this.failed.push(`${this.#names.get(packet.bytes)}: ${(error as Error).message}`),
      onIdle: () => this.idle++,
    });
  }

  get link(): Link {
    const half = (name: string) => ({
      request: (_verb: string, bytes: Uint8Array) => this.#take(name, bytes),
      tell: (_verb: string, bytes: Uint8Array) => {
        this.handed.push(`${name}: ${this.#names.get(bytes)}`);
        return Promise.resolve();
      },
    });
    return {
      ...half("carrier"),
      bulk: () =>
        this.noBulk
          ? Promise.reject(new CallError("unreachable", "no second conduit"))
          : Promise.resolve(half("bulk")),
    } as unknown as Link;
  }

  push(name: string, priority: Priority = PRIORITY.bulk, bytes = BIG): string | undefined {
    const [source = "", stream = ""] = name.split("/");
    const packet = { bytes: new Uint8Array(bytes), priority } as Packet;
    this.#names.set(packet.bytes, name);
    const flow = `n ${source} ${stream.split("#")[0]}`;
    const waiting: Waiting = { packet, place: 1, inlet: "n", source, flow };
    return this.hop.push(waiting);
  }

  /** The neighbour has the oldest that it was handed. */
  async answer(error?: unknown): Promise<void> {
    const { resolve, reject } = this.#answers.shift()!;
    if (error === undefined) resolve();
    else reject(error);
    await turn();
  }

  #take(half: string, bytes: Uint8Array): Promise<void> {
    this.handed.push(`${half}: ${this.#names.get(bytes)}`);
    return new Promise((resolve, reject) => this.#answers.push({ resolve, reject }));
  }
}

const turn = () => new Promise((resolve) => setTimeout(resolve, 0));

Deno.test("next hop: only a window of bulk is handed over, the rest waits where it can be overtaken", async () => {
  const scene = new Scene();
  for (let i = 0; i < 2 * IN_WINDOW - 2; i++) assert.equal(scene.push(`a/1#${i}`), undefined);
  await turn();
  assert.equal(scene.handed.length, IN_WINDOW);
  assert.equal(scene.hop.packets, IN_WINDOW - 2);
  await scene.answer();
  assert.equal(scene.handed.length, IN_WINDOW + 1);
});

Deno.test("next hop: not one packet of bulk goes between a control packet's coming and its going", async () => {
  const scene = new Scene();
  for (let i = 0; i < 30; i++) scene.push(`a/1#${i}`);
  await turn();
  const before = scene.handed.length;
  scene.push("p/ping", PRIORITY.control, 300);
  await turn();
  assert.deepEqual(scene.handed.slice(before), ["carrier: p/ping"]);
});

Deno.test("next hop: a stream that comes later has its turn at the next place in the window", async () => {
  const scene = new Scene();
  for (let i = 0; i < 30; i++) scene.push(`a/1#${i}`);
  await turn();
  scene.push("b/1#0");
  scene.push("b/1#1");
  const before = scene.handed.length;
  for (let i = 0; i < 4; i++) await scene.answer();
  const named = scene.handed.slice(before).map((text) => text.slice(0, "bulk: a".length));
  assert.deepEqual(named.toSorted(), ["bulk: a", "bulk: a", "bulk: b", "bulk: b"]);
});

Deno.test("next hop: what the neighbour does not take goes back, one by one, and the next ones go on", async () => {
  const scene = new Scene();
  for (const name of ["a/1#0", "a/1#1"]) scene.push(name);
  await turn();
  await scene.answer(new CallError("unreachable", "gone"));
  assert.deepEqual(scene.failed, ["a/1#0: gone"]);
  await scene.answer();
  assert.deepEqual(scene.failed.length, 1);
  assert.ok(scene.hop.idle && scene.idle > 0);
  assert.equal(scene.ledger.total, 0);
});

Deno.test("next hop: a dial that fails gives back everything that waited for it", async () => {
  const scene = new Scene();
  const dial = Promise.withResolvers<Link>();
  scene.reach = () => dial.promise;
  for (const name of ["a/1#0", "a/1#1", "a/1#2"]) scene.push(name);
  await turn();
  assert.deepEqual(scene.handed, []);
  dial.reject(new CallError("unreachable", "no answer"));
  await turn();
  assert.deepEqual(scene.failed, ["a/1#0: no answer", "a/1#1: no answer", "a/1#2: no answer"]);
  assert.ok(scene.hop.idle);
});

Deno.test("next hop: where there can be no bulk half its work is done by the carrier", async () => {
  const scene = new Scene();
  scene.noBulk = true;
  scene.push("a/1#0");
  await turn();
  assert.deepEqual(scene.handed, ["carrier: a/1#0"]);
});
