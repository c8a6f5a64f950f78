import assert from "node:assert/strict";
import { PRIORITY, type Priority } from "../../../core/mod.ts";
import { HopQueue, Ledger, type Waiting } from "../../../modules/router/hop_queue.ts";
import {
  BULK_SHARES,
  FLOWS_MAX,
  INLET_FLOWS_MAX,
  QUEUED_PACKET_BYTES,
  SWIFT_SHARES,
} from "../../../modules/router/limits.ts";
import type { Packet } from "../../../modules/router/packet.ts";
import { Dice, runs, SEED } from "../../support/fuzz.ts";

const BIG = 60_000;

function waiting(
  name: string,
  options: { readonly priority?: Priority; readonly bytes?: number } = {},
): Waiting {
  const { priority = PRIORITY.bulk, bytes = 100 } = options;
  // "neighbour/source/stream#number"
  const [inlet = "", source = "s", stream = "1"] = (name.split("#")[0] as string).split("/");
  const packet = { bytes: new Uint8Array(bytes), priority } as Packet;
  return { packet, place: 1, inlet, source, flow: `${source} ${stream}` };
}

/** Pushes them by name, and gives the names in the order in which they are taken. */
function order(names: readonly string[], priority: Priority = PRIORITY.bulk): string {
  const queue = new HopQueue(new Ledger());
  const nameOf = new Map<Waiting, string>();
  for (const name of names) {
    const one = waiting(name, { priority });
    nameOf.set(one, name);
    assert.equal(queue.push(one), undefined);
  }
  const taken: string[] = [];
  for (let one = queue.shift(priority); one !== undefined; one = queue.shift(priority)) {
    taken.push(nameOf.get(one) as string);
  }
  assert.deepEqual([queue.bytes, queue.packets], [0, 0]);
  return taken.join(" ");
}

/** Pushes copies until one is refused: how many fit, and why no more. */
function fill(
  queue: HopQueue,
  name: (i: number) => string,
  options: { readonly priority?: Priority; readonly bytes?: number } = {},
) {
  for (let i = 0;; i++) {
    const why = queue.push(waiting(name(i), { bytes: BIG, ...options }));
    if (why !== undefined) return { count: i, why };
    assert.ok(i < 10_000);
  }
}

const fits = (room: number, bytes = BIG) => Math.floor(room / (bytes + QUEUED_PACKET_BYTES));

Deno.test("hop queue: streams of one neighbour take turns, each in its own order", () => {
  assert.equal(
    order(["n/a/1#1", "n/a/1#2", "n/a/1#3", "n/a/2#1", "n/b/1#1", "n/b/1#2"]),
    "n/a/1#1 n/a/2#1 n/b/1#1 n/a/1#2 n/b/1#2 n/a/1#3",
  );
});

Deno.test("hop queue: a neighbour that invents sources gets no more than its turn", () => {
  assert.equal(
    order(["m/1", "m/2", "m/3", "m/4", "h/x/1#1", "h/x/1#2"]),
    "m/1 h/x/1#1 m/2 h/x/1#2 m/3 m/4",
  );
});

Deno.test("hop queue: a high-priority packet is next however much bulk waits", () => {
  const queue = new HopQueue(new Ledger());
  fill(queue, (i) => `n/a/${i % 3}`);
  const ping = waiting("n/p/9", { priority: PRIORITY.control });
  assert.equal(queue.push(ping), undefined);
  assert.equal(queue.shift(PRIORITY.control), ping);
});

// Behind 4 MiB of bulk there was room for one ping of its source, and all of a daemon are one source.
Deno.test("hop queue: bulk takes no room of what is swift, of its own source neither", () => {
  const queue = new HopQueue(new Ledger());
  const bulk = fill(queue, (i) => `n/a/${i % 3}`);
  const rest = fill(queue, (i) => `n/a/${i % 3}`, { bytes: 4_000 });
  assert.deepEqual([bulk.why, rest.why], Array(2).fill("source's share is full"));
  for (const priority of [PRIORITY.normal, PRIORITY.control]) {
    const more = (name: (i: number) => string) => fill(queue, name, { priority, bytes: 100 });
    const stream = more(() => "n/a/1");
    assert.deepEqual(stream, {
      count: fits(SWIFT_SHARES.hopFlow, 100),
      why: "stream's share is full",
    });
    const source = more((i) => `n/a/${i % 3}x`);
    assert.equal(source.why, "source's share is full");
    assert.equal(stream.count + source.count, fits(SWIFT_SHARES.hopSource, 100));
    const inlet = more((i) => `n/${i % 3}`);
    assert.equal(inlet.why, "neighbour's share is full");
    const ofNeighbour = stream.count + source.count + inlet.count;
    assert.equal(ofNeighbour, fits(SWIFT_SHARES.hopInlet, 100));
    const hop = more((i) => `m${i % 9}`);
    assert.equal(hop.why, "queue is full");
    assert.equal(ofNeighbour + hop.count, fits(SWIFT_SHARES.hop, 100));
  }
});

Deno.test("hop queue: shares of stream, source, neighbour and hop are bounded, and named", () => {
  const ledger = new Ledger();
  const queue = new HopQueue(ledger);
  const stream = fill(queue, () => "n/a/1");
  assert.deepEqual(stream, { count: fits(BULK_SHARES.hopFlow), why: "stream's share is full" });
  const source = fill(queue, (i) => `n/a/${i}x`);
  assert.equal(source.why, "source's share is full");
  assert.equal(stream.count + source.count, fits(BULK_SHARES.hopSource));
  const inlet = fill(queue, (i) => `n/${i}`);
  assert.equal(inlet.why, "neighbour's share is full");
  assert.ok(ledger.total <= BULK_SHARES.hopInlet);
  const hop = fill(queue, (i) => `o/${i}`);
  assert.equal(hop.why, "queue is full");
  assert.ok(hop.count > 0 && ledger.total <= BULK_SHARES.hop);
});

// It named its victim as the source, or sent control alone, and then nobody else's went on.
Deno.test("hop queue: whatever one neighbour fills, there is room for another's", () => {
  const mine = { bulk: "w/v/1", normal: "w/x/1", control: "w/v/2" };
  for (const [name, priority] of Object.entries(PRIORITY)) {
    const queue = new HopQueue(new Ledger());
    fill(queue, (i) => `m/v/${i % 3}`, { priority });
    fill(queue, (i) => `m/x/${i % 3}`, { priority });
    for (let i = 0; queue.push(waiting(`m/${i}/${i}`, { priority, bytes: 0 })) === undefined; i++);
    const one = waiting(mine[name as keyof typeof mine], { priority });
    assert.equal(queue.push(one), undefined, name);
  }
});

Deno.test("hop queue: one neighbour cannot fill the queues of all hops, nor all of them memory", () => {
  const ledger = new Ledger();
  const cost = BIG + QUEUED_PACKET_BYTES;
  // Whatever waits of other priorities already.
  for (const priority of Object.values(PRIORITY)) {
    const shares = priority === PRIORITY.bulk ? BULK_SHARES : SWIFT_SHARES;
    const lane = ledger.lanes[priority];
    const fillNext = (name: (i: number) => string) =>
      fill(new HopQueue(ledger), name, { priority }).why;
    while (fillNext((i) => `m/${i}`) !== "neighbour has too much here");
    assert.equal(lane.total, fits(shares.inlet) * cost);
    for (let n = 0; fillNext((i) => `m${n}/${i}`) !== "daemon is full"; n++);
    assert.equal(lane.total, fits(shares.all) * cost);
  }
  assert.ok(ledger.total <= 64 * 1024 * 1024);
});

Deno.test("hop queue: empty packets of endless streams are bounded too", () => {
  const queue = new HopQueue(new Ledger());
  let why: string | undefined;
  let count = 0;
  for (; why === undefined; count++) why = queue.push(waiting(`n/s/${count}`, { bytes: 0 }));
  assert.deepEqual([count - 1, why], [INLET_FLOWS_MAX, "too many streams of the neighbour wait"]);
  for (let n = 0, more = true; more; n++) {
    const one = waiting(`${n % 20}/s/${n}`, { bytes: 0 });
    more = queue.push(one) !== "too many streams wait";
    assert.ok(queue.packets <= FLOWS_MAX);
  }
  assert.equal(queue.packets, FLOWS_MAX);
});

Deno.test("hop queue: accounts are even after any sequence, and nothing is lost or doubled", () => {
  const dice = new Dice(SEED);
  const ledger = new Ledger();
  const queue = new HopQueue(ledger);
  const inside = new Set<Waiting>();
  for (let i = runs(5_000).numRuns; i > 0; i--) {
    const priority = dice.below(3) as Priority;
    if (dice.below(2) === 0) {
      const name = `${dice.below(3)}/${dice.below(4)}/${dice.below(3)}`;
      const one = waiting(name, { priority, bytes: dice.below(BIG) });
      if (queue.push(one) === undefined) inside.add(one);
    } else {
      const one = queue.shift(priority);
      if (one !== undefined) assert.ok(inside.delete(one));
    }
    assert.equal(queue.packets, inside.size);
    let bytes = 0;
    for (const { packet } of inside) bytes += packet.bytes.length + QUEUED_PACKET_BYTES;
    assert.deepEqual([queue.bytes, ledger.total], [bytes, bytes]);
  }
  for (const priority of Object.values(PRIORITY)) {
    for (let one = queue.shift(priority); one !== undefined; one = queue.shift(priority)) {
      assert.ok(inside.delete(one));
    }
  }
  assert.deepEqual([inside.size, ledger.total], [0, 0]);
  for (const { inlets } of ledger.lanes) assert.equal(inlets.size, 0);
});
