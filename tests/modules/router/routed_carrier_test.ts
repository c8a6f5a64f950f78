import assert from "node:assert/strict";
import { PRIORITY } from "../../../core/mod.ts";
import {
  BUSY_PAUSE_MS_MIN,
  CARRIER_WAITING_BYTES_MAX,
  NEWS_MS_MAX,
  QUEUED_PACKET_BYTES,
  REFUSED_PAUSE_MS_MAX,
  REFUSED_PAUSE_MS_MIN,
  REPLAN_MS,
} from "../../../modules/router/limits.ts";
import {
  bodyOf,
  type Packet,
  PACKET_KIND,
  pathOf,
  readPacket,
  REFUSAL,
  type Refusal,
  streamOf,
  writeHeader,
  writePacket,
} from "../../../modules/router/packet.ts";
import { type Avoided, RoutedCarrier } from "../../../modules/router/routed_carrier.ts";
import { SeededRandom } from "../../simulation/random.ts";
import { ManualClock } from "../../support/manual_clock.ts";
import { packetOf, textOf } from "./router_world.ts";

const key = (name: string) => new TextEncoder().encode(name.padEnd(32)).toHex();
const [A, R, S, B, X] = ["a", "r", "s", "b", "x"].map(key) as [
  string,
  string,
  string,
  string,
  string,
];
const STREAM = new Uint8Array(8).fill(5);

class Scene {
  readonly clock = new ManualClock();
  readonly sent: Packet[] = [];
  readonly taken: (() => void)[] = [];
  readonly troubles: string[] = [];
  /** Best first. */
  paths: string[][] = [[A, R, B], [A, S, B]];
  holds = true;
  /** Of the target that is up. */
  life: string | undefined = "first";
  /** Of another key that has the name now. */
  heir: string | undefined;
  planned = 0;
  readonly carrier: RoutedCarrier;

  constructor(first?: Packet) {
    this.carrier = new RoutedCarrier({
      clock: this.clock,
      random: new SeededRandom("carrier"),
      target: B,
      class: "low",
      stream: STREAM,
      ...(first === undefined ? {} : { first }),
      plan: (avoided) => this.#plan(avoided),
      holds: () => this.holds,
      lifeOf: (_target, name) => {
        if (name === "b" && this.heir !== undefined) return { keyId: X, name, instance: this.heir };
        if (this.life === undefined) return undefined;
        return { keyId: B, name: "b", instance: this.life };
      },
      transmit: (packet, onTaken) => {
        this.sent.push(packet);
        this.taken.push(onTaken);
      },
      onTrouble: (from, to) => {
        this.troubles.push(`${from} ${to}`);
        this.paths = this.paths.filter((path) => path[path.indexOf(from) + 1] !== to);
      },
      onClosed: () => {},
    });
  }

  /** `path`: from who says so to us. */
  refuse(path: readonly string[], hop: string, why: Refusal): void {
    const by = path[0] as string;
    this.carrier.refused({ stream: STREAM.toHex(), by, path, hop, why, text: "" });
  }

  #plan(avoided: Avoided): string[] | undefined {
    this.planned++;
    const isAvoided = (path: string[]) =>
      path.some((node) => avoided.nodes.has(node)) ||
      avoided.edges.some(([from, to]) => path[path.indexOf(from) + 1] === to);
    return this.paths.find((path) => !isAvoided(path));
  }
}

Deno.test("carrier: a packet has the whole path, the stream and the priority", async () => {
  const { carrier, sent } = new Scene();
  await carrier.send(packetOf("x"), PRIORITY.control);
  const packet = readPacket(sent[0]!.bytes);
  assert.deepEqual(packet, sent[0]);
  assert.deepEqual(pathOf(packet), [A, R, B]);
  assert.deepEqual([streamOf(packet), packet.priority], [STREAM.toHex(), PRIORITY.control]);
  assert.equal(textOf(bodyOf(packet)), "x");
});

Deno.test("carrier: only a refusal of a hop of its own path moves it", async () => {
  const scene = new Scene();
  await scene.carrier.send(packetOf("x"), PRIORITY.control);
  for (const [by, hop] of [[R, A], [R, X], [X, B], [S, B], [B, X]] as const) {
    scene.refuse([by, A], hop, REFUSAL.unreachable);
  }
  assert.deepEqual(scene.carrier.path, [A, R, B]);
  scene.refuse([R, A], B, REFUSAL.unreachable);
  assert.deepEqual(scene.carrier.path, [A, S, B]);
});

// A relay that was left refused in the name of the one that took its place, and all went back to it.
Deno.test("carrier: a refusal counts only by the exact reverse of its path", () => {
  const scene = new Scene();
  scene.paths = [[A, R, S, B], [A, X, B]];
  for (const path of [[S, X, A], [S, A], [S, X, R, A], [R, S, A], [S, R, X]]) {
    scene.refuse(path, B, REFUSAL.unreachable);
  }
  assert.deepEqual(scene.carrier.path, [A, R, S, B]);
  scene.refuse([S, R, A], B, REFUSAL.unreachable);
  assert.deepEqual(scene.carrier.path, [A, X, B]);
});

Deno.test("carrier: what a relay says counts for one stream, what we find out for all", () => {
  const scene = new Scene();
  assert.deepEqual(scene.carrier.path, [A, R, B]);
  scene.refuse([R, A], B, REFUSAL.unreachable);
  assert.deepEqual([scene.carrier.path, scene.troubles], [[A, S, B], []]);
  scene.refuse([A], S, REFUSAL.unreachable);
  assert.deepEqual([scene.carrier.path, scene.troubles], [[A, R, B], [`${A} ${S}`]]);
});

Deno.test("carrier: bulk waits after busy, longer each time, and control does not", async () => {
  const { carrier, clock, sent } = new Scene();
  await carrier.send(packetOf("x"), PRIORITY.bulk);
  for (const pauseMs of [BUSY_PAUSE_MS_MIN, 2 * BUSY_PAUSE_MS_MIN, 4 * BUSY_PAUSE_MS_MIN]) {
    // All that was under way is refused together, and counts once.
    for (let i = 0; i < 5; i++) {
      carrier.refused({ stream: "", by: R, path: [R, A], hop: B, why: REFUSAL.busy, text: "" });
    }
    const before = sent.length;
    const bulk = carrier.send(packetOf("bulk"), PRIORITY.bulk);
    await carrier.send(packetOf("control"), PRIORITY.control);
    assert.equal(sent.length, before + 1);
    await clock.advance(pauseMs - 1);
    assert.equal(sent.length, before + 1);
    await clock.advance(1);
    await bulk;
    assert.equal(sent.length, before + 2);
  }
  assert.deepEqual(carrier.path, [A, R, B]);
});

Deno.test("carrier: send waits for room before the first hop, and a close ends the waiting", async () => {
  const scene = new Scene();
  const big = new Uint8Array(60_000);
  let resolved = 0;
  const count = Math.floor(CARRIER_WAITING_BYTES_MAX / big.length) + 1;
  const sends = Array.from(
    { length: count },
    () => scene.carrier.send(big, PRIORITY.bulk).then(() => resolved++),
  );
  await scene.clock.advance(0);
  assert.equal(scene.sent.length, count);
  assert.equal(resolved, count - 1);
  scene.taken[0]?.();
  await Promise.all(sends);
  const waiting = scene.carrier.send(big, PRIORITY.bulk);
  scene.carrier.close("enough");
  await waiting;
  assert.equal(await scene.carrier.closed, "enough");
  assert.equal(scene.carrier.hasRoute, false);
});

Deno.test("carrier: small packets that wait are counted as the queue counts them", async () => {
  const scene = new Scene();
  let resolved = 0;
  const sends = Array.from(
    { length: 2_000 },
    () => scene.carrier.send(new Uint8Array(1), PRIORITY.bulk).then(() => resolved++),
  );
  await scene.clock.advance(0);
  const cost = QUEUED_PACKET_BYTES + (scene.sent[0] as Packet).bytes.length;
  assert.equal(resolved, Math.floor(CARRIER_WAITING_BYTES_MAX / cost));
  for (const taken of scene.taken) taken();
  await Promise.all(sends);
});

Deno.test("carrier: without a path packets are lost, and it looks for one now and then", async () => {
  const scene = new Scene();
  scene.paths = [];
  for (let i = 0; i < 10; i++) await scene.carrier.send(packetOf("x"), PRIORITY.bulk);
  assert.deepEqual([scene.sent.length, scene.planned], [0, 1]);
  scene.paths = [[A, S, B]];
  assert.equal(scene.carrier.hasRoute, false);
  await scene.clock.advance(REPLAN_MS);
  assert.equal(scene.carrier.hasRoute, true);
});

// Each refusal was answered by a look for another path, and the same one was taken again.
Deno.test("carrier: an only path that refuses is tried again ever later, not at each refusal", async () => {
  const scene = new Scene();
  scene.paths = [[A, R, B]];
  const [stepMs, totalMs] = [10, 20_000];
  for (let ms = 0; ms < totalMs; ms += stepMs) {
    await scene.carrier.send(packetOf("x"), PRIORITY.control);
    scene.refuse([R, A], B, REFUSAL.unreachable);
    await scene.clock.advance(stepMs);
  }
  const tries = scene.sent.length;
  const [fewest, most] = [REFUSED_PAUSE_MS_MAX, REFUSED_PAUSE_MS_MAX / 2].map((ms) => totalMs / ms);
  const whilePausesGrow = 2 + Math.log2(REFUSED_PAUSE_MS_MAX / REFUSED_PAUSE_MS_MIN);
  assert.ok(tries >= fewest! && tries <= most! + whilePausesGrow, `${tries} tries`);
  assert.ok(scene.planned <= 3 * tries, `${scene.planned} plans`);
  await scene.clock.advance(REFUSED_PAUSE_MS_MAX);
  assert.deepEqual(scene.carrier.path, [A, R, B]);
  // One that served for long is not suspected at its first refusal.
  await scene.clock.advance(3 * REFUSED_PAUSE_MS_MAX);
  scene.refuse([R, A], B, REFUSAL.unreachable);
  assert.deepEqual(scene.carrier.path, [A, R, B]);
});

Deno.test("carrier: a change of the mesh moves it only when its path is gone", () => {
  const scene = new Scene();
  assert.deepEqual(scene.carrier.path, [A, R, B]);
  scene.paths.reverse();
  scene.carrier.meshChanged();
  assert.deepEqual(scene.carrier.path, [A, R, B]);
  scene.holds = false;
  scene.carrier.meshChanged();
  assert.deepEqual(scene.carrier.path, [A, S, B]);
});

Deno.test("carrier: the end that was asked answers on the way of the last packet", () => {
  const from = (path: string[]) =>
    readPacket(writePacket(
      writeHeader({ kind: PACKET_KIND.data, class: "low", priority: 0, stream: STREAM, path }),
      packetOf("x"),
      PRIORITY.bulk,
    ));
  const scene = new Scene(from([B, X, A]));
  assert.deepEqual([scene.carrier.path, scene.planned], [[A, X, B], 0]);
  scene.carrier.receive(from([B, S, A]));
  assert.deepEqual(scene.carrier.path, [A, S, B]);
  scene.carrier.reroute();
  assert.deepEqual(scene.carrier.path, [A, R, B]);
  scene.carrier.receive(from([B, S, A]));
  assert.deepEqual(scene.carrier.path, [A, R, B]);
});

/** A packet from the far end. */
function answer(): Packet {
  const header = { kind: PACKET_KIND.data, class: "low", priority: PRIORITY.normal } as const;
  const bytes = writeHeader({ ...header, stream: STREAM, path: [B, R, A] });
  return readPacket(writePacket(bytes, packetOf("y"), PRIORITY.normal));
}

// Sessions with a node that was killed waited 30 s for it, though its next life was there at once.
Deno.test("carrier: ends with the life of the target that has answered, not when it is cut off", async () => {
  const scene = new Scene();
  // Nobody has answered yet, so whoever comes may.
  scene.life = "second";
  scene.carrier.meshChanged();
  scene.carrier.receive(answer());
  scene.life = undefined;
  scene.carrier.meshChanged();
  scene.life = "second";
  scene.carrier.meshChanged();
  await scene.carrier.send(packetOf("x"), PRIORITY.normal);
  scene.clock.jump(NEWS_MS_MAX);
  scene.carrier.meshChanged();
  scene.life = "third";
  scene.carrier.meshChanged();
  assert.equal(await scene.carrier.closed, '"b" was started again');
  await assert.rejects(scene.carrier.send(packetOf("x"), PRIORITY.normal), /was started again/);
});

// A session with the next life of a node, made before there was word of it, was ended by that word.
Deno.test("carrier: a life that shows itself a little after the answer may have given it", async () => {
  const scene = new Scene();
  scene.carrier.receive(answer());
  scene.clock.jump(NEWS_MS_MAX - 1);
  scene.life = "second";
  scene.carrier.meshChanged();
  scene.clock.jump(60_000);
  scene.carrier.meshChanged();
  await scene.carrier.send(packetOf("x"), PRIORITY.normal);
  scene.life = "third";
  scene.carrier.meshChanged();
  assert.equal(await scene.carrier.closed, '"b" was started again');
});

// What runs above may come by another daemon when its own was started again.
Deno.test("carrier: at the end that was asked it outlives the other end's life", async () => {
  const scene = new Scene(answer());
  scene.carrier.receive(answer());
  scene.life = "second";
  scene.carrier.meshChanged();
  await scene.carrier.send(packetOf("x"), PRIORITY.normal);
  assert.equal(scene.sent.length, 1);
});

// A node that was made anew has another key, and its old one is forgotten: nothing was seen of it.
Deno.test("carrier: ends when another key has taken the name of the target", async () => {
  const scene = new Scene();
  scene.carrier.receive(answer());
  scene.life = undefined;
  scene.carrier.meshChanged();
  scene.heir = "second";
  scene.carrier.meshChanged();
  assert.equal(await scene.carrier.closed, '"b" was started again');
});
