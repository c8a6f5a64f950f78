import assert from "node:assert/strict";
import { CallError, type Link, PRIORITY, type Priority } from "../../../core/mod.ts";
import { Ledger, type Waiting } from "../../../modules/router/hop_queue.ts";
import { HOP_STALL_MS, HOP_WINDOW_BYTES_MIN } from "../../../modules/router/limits.ts";
import { NextHop, readTaken, writeTaken } from "../../../modules/router/next_hop.ts";
import type { Packet } from "../../../modules/router/packet.ts";
import { ManualClock } from "../../support/manual_clock.ts";

const BIG = 60 * 1024;
const IN_WINDOW = Math.ceil(HOP_WINDOW_BYTES_MIN / BIG);

/** A neighbour that takes packets when the test says so. */
class Scene {
  readonly handed: string[] = [];
  readonly failed: string[] = [];
  readonly clock = new ManualClock();
  readonly ledger = new Ledger();
  idle = 0;
  noBulk = false;
  reach: (() => Link | Promise<Link>) | undefined;
  readonly hop: NextHop;
  /** Why the conduit takes nothing more. */
  gone: unknown;
  /** Ends the bulk half that there is; the next one is another. */
  breakBulk: () => void = () => {};
  link = this.#makeLink();
  readonly #names = new Map<Uint8Array, string>();

  constructor() {
    this.hop = new NextHop({
      clock: this.clock,
      ledger: this.ledger,
      reach: () => this.reach?.() ?? this.link,
      onFailed: ({ packet }, error) =>
        this.failed.push(`${this.#names.get(packet.bytes)}: ${(error as Error).message}`),
      onIdle: () => this.idle++,
    });
  }

  /** The neighbour says that it has so many packets of bulk. */
  async take(packets: number): Promise<void> {
    this.hop.taken({ priority: PRIORITY.bulk, bytes: packets * BIG });
    await turn();
  }

  /** Another conduit to the same neighbour. */
  relink(): void {
    this.link = this.#makeLink();
  }

  #makeLink(): Link {
    const half = (name: string, done = new Promise(() => {})) => ({
      done,
      tell: (_verb: string, bytes: Uint8Array) => {
        if (this.gone !== undefined) return Promise.reject(this.gone);
        this.handed.push(`${name}: ${this.#names.get(bytes)}`);
        return Promise.resolve();
      },
    });
    let bulk: unknown;
    const open = () => {
      const done = new Promise<void>((resolve) => {
        this.breakBulk = () => {
          bulk = undefined;
          resolve();
        };
      });
      return bulk = half("bulk", done);
    };
    return {
      ...half("carrier"),
      closed: new Promise(() => {}),
      bulk: () =>
        this.noBulk
          ? Promise.reject(new CallError("unreachable", "no second conduit"))
          : Promise.resolve(bulk ?? open()),
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
}

const turn = () => new Promise((resolve) => setTimeout(resolve, 0));

Deno.test("next hop: only a window of bulk is handed over, the rest waits where it can be overtaken", async () => {
  const scene = new Scene();
  for (let i = 0; i < 2 * IN_WINDOW; i++) assert.equal(scene.push(`a/1#${i}`), undefined);
  await turn();
  assert.equal(scene.handed.length, IN_WINDOW);
  assert.equal(scene.hop.packets, IN_WINDOW);
  await scene.take(1);
  assert.equal(scene.handed.length, IN_WINDOW + 1);
  scene.hop.taken({ priority: PRIORITY.normal, bytes: 100 * BIG });
  await turn();
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
  for (let i = 0; i < 2; i++) await scene.take(2);
  const named = scene.handed.slice(before).map((text) => text.slice(0, "bulk: a".length));
  assert.deepEqual(named.toSorted(), ["bulk: a", "bulk: a", "bulk: b", "bulk: b"]);
});

Deno.test("next hop: what the conduit does not take goes back, one by one, and the next ones go on", async () => {
  const scene = new Scene();
  scene.gone = new CallError("unreachable", "gone");
  for (const name of ["a/1#0", "a/1#1"]) scene.push(name);
  await turn();
  assert.deepEqual(scene.failed, ["a/1#0: gone", "a/1#1: gone"]);
  scene.gone = undefined;
  // What was not taken fills no window.
  const more = Array.from({ length: IN_WINDOW - 1 }, (_, i) => `a/1#${i + 2}`);
  for (const name of more) scene.push(name);
  await turn();
  assert.deepEqual(scene.handed, more.map((name) => `bulk: ${name}`));
  assert.ok(scene.hop.idle && scene.idle > 0);
  assert.equal(scene.ledger.total, 0);
});

Deno.test("next hop: what was lost with a conduit does not fill the window for ever", async () => {
  const scene = new Scene();
  for (let i = 0; i < IN_WINDOW; i++) scene.push(`a/1#${i}`);
  await turn();
  // Another conduit begins with an empty window.
  scene.relink();
  await scene.take(1);
  scene.push("a/1#x");
  scene.push("a/1#y");
  await turn();
  assert.equal(scene.handed.length, IN_WINDOW + 2);
  // And the same one after some time without any report.
  for (let i = 0; i < 2 * IN_WINDOW; i++) scene.push(`b/1#${i}`);
  await turn();
  const stuck = scene.handed.length;
  await scene.clock.advance(HOP_STALL_MS);
  assert.equal(scene.handed.length, stuck + IN_WINDOW);
});

// It waited for a report of what had gone with the old half, 2 s long.
Deno.test("next hop: a bulk half that breaks under a full window is followed by another one at once", async () => {
  const scene = new Scene();
  for (let i = 0; i < 2 * IN_WINDOW; i++) scene.push(`a/1#${i}`);
  await turn();
  assert.equal(scene.handed.length, IN_WINDOW);
  scene.breakBulk();
  await turn();
  assert.equal(scene.handed.length, 2 * IN_WINDOW);
});

Deno.test("next hop: a report is read as it was written, and nothing else is", () => {
  const taken = { priority: PRIORITY.normal, bytes: 0xffff_fff0 };
  assert.deepEqual(readTaken(writeTaken(taken)), taken);
  for (const bad of [[], [1, 0, 0, 0], [3, 0, 0, 0, 1], [0, 0, 0, 0, 1, 0]]) {
    assert.throws(() => readTaken(Uint8Array.from(bad)), /Report is malformed/);
  }
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
