// How routed conduits begin, and what those who only ask for one can do.

import assert from "node:assert/strict";
import {
  AuthenticationError,
  type Conduit,
  ConnectionError,
  EndToEnd,
  PACKET,
  packetType,
} from "../../../../core/mod.ts";
import { Arrivals } from "../../../../modules/router/routed/arrivals.ts";
import {
  ANSWERS_PER_SECOND_MAX,
  HALF_OPEN_MAX,
  HALF_OPEN_MS_MAX,
  HALF_OPEN_PER_STREAM_MAX,
  SESSIONS_PER_PEER_MAX,
} from "../../../../modules/router/routed/limits.ts";
import { initiateRouted } from "../../../../modules/router/routed/initiate.ts";
import { Taker } from "../../../core/conduit/messages.ts";
import { Dice } from "../../../support/fuzz.ts";
import { ManualClock } from "../../../support/manual_clock.ts";
import { MeshKeys, testPrimitives } from "../../../support/mesh_keys.ts";
import { quiet } from "../../../support/wait.ts";
import { exchange, played } from "./play.ts";
import { type Path, type Relay, SOMEBODY, Ways } from "./ways.ts";
import type { StreamOrigin } from "../../../../modules/router/routed/answer_quota.ts";

const primitives = await testPrimitives();
const random = { bytes: (length: number) => crypto.getRandomValues(new Uint8Array(length)) };

Deno.test("routed front: what stands in the way of a handshake delays it, and no more", async () => {
  for (let seed = 0; seed < 40; seed++) {
    const paths: Path[] = [{
      delayMs: 5,
      jitterMs: 20,
      lose: 300,
      double: 300,
      alter: 200,
      cut: 50,
    }];
    await played(seed, () => ({ paths }), async ({ parties }) => {
      const { dialler, acceptor } = await parties.connect();
      const taker = new Taker(acceptor);
      await exchange(dialler, taker, [10]);
      const rest = taker.rest();
      await dialler.close("done");
      await rest;
      assert.equal(parties.ways.length, 1);
    });
  }
});

Deno.test("routed front: a path that swallows is left before the dial is given up", async () => {
  const paths: Path[] = [{ dead: true }, { delayMs: 1 }];
  await played(1, () => ({ paths }), async ({ parties }) => {
    const { dialler, acceptor } = await parties.connect();
    const taker = new Taker(acceptor);
    await exchange(dialler, taker, [10]);
    const rest = taker.rest();
    await dialler.close("done");
    await rest;
  });
});

Deno.test("routed front: a proof that the other end has forgotten about begins anew", async () => {
  let proofs = 0;
  const relay: Relay = (packet, towards) => {
    // Longer than a handshake is remembered.
    if (packetType(packet) === PACKET.proof && ++proofs < 6) return [];
    return [{ packet, towards }];
  };
  await played(1, () => ({ paths: [{ delayMs: 1, relay }] }), async ({ parties }) => {
    const { dialler, acceptor } = await parties.connect();
    const ended = new Taker(acceptor).rest();
    await dialler.close("done");
    await ended;
  });
});

Deno.test("routed front: a dial that nobody answers ends, and says why", async () => {
  for (const hasPaths of [true, false]) {
    const paths: Path[] = hasPaths ? [{ dead: true }] : [];
    await played(1, () => ({ paths }), async ({ parties }) => {
      const listener = await parties.front.listen("mesh:acceptor", () => {});
      const text = hasPaths
        ? "mesh:acceptor did not answer within 10 s, by any route"
        : "There was no route to mesh:acceptor for 10 s";
      await assert.rejects(parties.dialler.dial("mesh:acceptor"), {
        name: "ConnectionError",
        reason: "timeout",
        message: text,
      });
      await listener.close();
    });
  }
});

Deno.test("routed front: a refusal ends the dial at once, with the reason", async () => {
  const admit = () => {
    throw new AuthenticationError("quota", "There are enough of you");
  };
  await played(1, () => ({ admit, paths: [{ delayMs: 1 }] }), async ({ parties, simulation }) => {
    const listener = await parties.front.listen("mesh:acceptor", () => {});
    const began = simulation.now;
    await assert.rejects(parties.dialler.dial("mesh:acceptor"), (error: unknown) => {
      assert.ok(error instanceof AuthenticationError && error.reason === "quota", String(error));
      assert.ok(error.message.endsWith("refuses us: There are enough of you"), error.message);
      return true;
    });
    assert.ok(simulation.now - began < 100);
    assert.deepEqual(parties.logged, ["warning: Routed conduit refused: There are enough of you"]);
    await listener.close();
  });
});

Deno.test("routed front: a dial ends with its signal, its carrier, or a wrong name", async () => {
  await played(1, () => ({ paths: [{ dead: true }] }), async ({ parties, sleep }) => {
    const listener = await parties.front.listen("mesh:acceptor", () => {});
    const abort = new AbortController();
    const reason = new Error("changed my mind");
    const aborted = assert.rejects(
      parties.dialler.dial("mesh:acceptor", { signal: abort.signal }),
      reason,
    );
    await sleep(100);
    abort.abort(reason);
    await aborted;
    const closed = assert.rejects(parties.dialler.dial("mesh:acceptor"), {
      reason: "no-route",
      message: "Way to mesh:acceptor is closed: node is gone",
    });
    await sleep(100);
    parties.ways[1]!.dialler.close("node is gone");
    await closed;
    for (
      const [endpoint, text] of [
        ["mesh:nobody", 'No node "nobody" in this mesh'],
        ["tcp:acceptor", '"tcp:acceptor" is no endpoint of the form mesh:NODE'],
        ["mesh:", '"mesh:" is no endpoint of the form mesh:NODE'],
      ] as const
    ) {
      await assert.rejects(parties.dialler.dial(endpoint), { message: text });
    }
    await assert.rejects(
      parties.dialler.dial("mesh:acceptor", { expect: { keyId: "00".repeat(32) } }),
      /^ConnectionError: Node "acceptor" has key [0-9a-f]{16}, not 0{16}$/,
    );
    await listener.close();
  });
});

/** Arrivals under a stopped clock, and carriers to them. */
async function arrivals(
  run: (world: {
    readonly arrivals: Arrivals;
    readonly clock: ManualClock;
    readonly accepted: Conduit[];
    /** A stream that somebody opens to us. */
    stream(origin?: StreamOrigin): Ways;
    /** First packets, each of a handshake of its own. */
    first(): Uint8Array;
    readonly dialler: EndToEnd;
    readonly target: string;
  }) => Promise<void>,
): Promise<void> {
  const clock = new ManualClock();
  const keys = new MeshKeys(primitives, { random, now: () => clock.now() });
  const trust = keys.trust();
  const ends = (name: string) => {
    const self = keys.person({ name });
    const context = { clock, random, primitives, trust, self };
    return { self, endToEnd: new EndToEnd({ context: () => context }) };
  };
  const [near, far] = [ends("near"), ends("far")];
  const accepted: Conduit[] = [];
  const made: Promise<void>[] = [];
  const all = new Arrivals({
    clock,
    endToEnd: far.endToEnd,
    local: "mesh:far",
    log: () => {},
    accept: (conduit) => accepted.push(conduit),
    made: (done) => made.push(done),
  });
  const target = far.self.identity.keyId;
  await run({
    arrivals: all,
    clock,
    accepted,
    stream: (origin = SOMEBODY) => {
      const ways = new Ways({ clock });
      ways.acceptor.onFirst = (packet) => {
        if (all.wants(packet)) all.accept(ways.acceptor, origin);
      };
      return ways;
    },
    first: () => {
      using initiator = near.endToEnd.initiate({ target });
      return initiator.outgoing.slice();
    },
    dialler: near.endToEnd,
    target,
  });
  for (const conduit of accepted) void conduit.close("over");
  await clock.advance(60_000);
  await Promise.all(made);
  all.close();
  assert.equal(all.waiting, 0);
  assert.equal(clock.timers, 0);
}

Deno.test("routed arrivals: who only asks fills no memory and costs little, and is forgotten", async () => {
  await arrivals(async ({ arrivals, clock, stream, first }) => {
    const streams: Ways[] = [];
    for (let second = 0; second < 3; second++) {
      for (let i = 0; i < 300; i++) {
        const ways = stream();
        streams.push(ways);
        ways.acceptor.deliver(first());
        assert.ok(arrivals.waiting <= HALF_OPEN_MAX);
      }
      await clock.advance(1_000);
    }
    assert.ok(arrivals.refused >= 3 * (300 - ANSWERS_PER_SECOND_MAX) - 10, `${arrivals.refused}`);
    assert.equal(arrivals.waiting, HALF_OPEN_MAX);
    await clock.advance(HALF_OPEN_MS_MAX + 2_000);
    assert.equal(arrivals.waiting, 0);
  });
});

Deno.test("routed arrivals: who asks all the time keeps nobody out", async () => {
  await arrivals(async ({ clock, stream, first, dialler, target, accepted }) => {
    let isOver = false;
    const flood = async () => {
      while (!isOver) {
        for (let i = 0; i < 20; i++) stream().acceptor.deliver(first());
        await clock.advance(50);
      }
    };
    const flooding = flood();
    const made = await initiateRouted({ keyId: target, name: "far" }, {
      carrier: stream().dialler,
      endToEnd: dialler,
      clock,
      local: "mesh:near",
    });
    isOver = true;
    await flooding;
    assert.equal(accepted.length, 1);
    void made.conduit.close("done");
    await clock.advance(10_000);
    await made.done;
  });
});

// One bucket for all: who asked without end left the others no answer.
Deno.test("routed arrivals: who asks without end leaves the others their answers", async () => {
  await arrivals(async ({ clock, stream, first }) => {
    /** Whether a source behind a neighbour got an answer. */
    const asks = (neighbour: string, source: string) => {
      const ways = stream({ neighbour, source });
      let answers = 0;
      ways.dialler.onPacket(() => answers++);
      ways.acceptor.deliver(first());
      return () => answers > 0;
    };
    const quiet: (() => boolean)[] = [];
    for (let second = 0; second < 3; second++) {
      for (let i = 0; i < 2 * ANSWERS_PER_SECOND_MAX; i++) asks("noisy", "noisy");
      // Behind another neighbour, and behind the same one.
      for (let i = 0; i < 5; i++) quiet.push(asks("quiet", "a"), asks("noisy", "b"));
      await clock.advance(1_000);
    }
    // In the first second the noisy one had been all there was.
    assert.deepEqual(quiet.slice(10).filter((isAnswered) => !isAnswered()).length, 0);
    assert.ok(quiet.slice(0, 10).some((isAnswered) => isAnswered()));
  });
});

Deno.test("routed arrivals: what others put on a stream's way is not in the way of its own", async () => {
  await arrivals(async ({ arrivals, clock, stream, first, dialler, target, accepted }) => {
    const ways = stream();
    for (let i = 0; i < 20; i++) ways.acceptor.deliver(first());
    assert.equal(arrivals.waiting, HALF_OPEN_PER_STREAM_MAX);
    const made = initiateRouted({ keyId: target, name: "far" }, {
      carrier: ways.dialler,
      endToEnd: dialler,
      clock,
      local: "mesh:near",
    });
    for (let i = 0; i < 20; i++) {
      const packet = first();
      packet[packet.length - 1]! ^= 1;
      ways.acceptor.deliver(packet);
      await quiet();
    }
    const { conduit, done } = await made;
    assert.equal(accepted.length, 1);
    // Another handshake on a living stream does not touch it either.
    ways.acceptor.deliver(first());
    void conduit.close("done");
    await clock.advance(10_000);
    await done;
  });
});

Deno.test("routed arrivals: one key has so many conduits and no more, and gets its place back", async () => {
  await arrivals(async ({ clock, stream, dialler, target, accepted }) => {
    const dial = () =>
      initiateRouted({ keyId: target, name: "far" }, {
        carrier: stream().dialler,
        endToEnd: dialler,
        clock,
        local: "mesh:near",
      });
    const made: Awaited<ReturnType<typeof dial>>[] = [];
    for (let i = 0; i < SESSIONS_PER_PEER_MAX; i++) {
      made.push(await dial());
      // The rate of answers is bounded too.
      await clock.advance(10);
    }
    await assert.rejects(dial(), (error: unknown) => {
      assert.ok(error instanceof AuthenticationError && error.reason === "quota", String(error));
      const text = `"near" has ${SESSIONS_PER_PEER_MAX} routed conduits to us already`;
      assert.ok(error.message.endsWith(text), error.message);
      return true;
    });
    void made[0]?.conduit.close("done");
    void new Taker(accepted[0] as Conduit).rest();
    await clock.advance(100);
    made.push(await dial());
    await clock.advance(10);
    assert.equal(accepted.length, SESSIONS_PER_PEER_MAX + 1);
    for (const { conduit } of made) void conduit.close("done");
    for (const conduit of accepted.slice(1)) void new Taker(conduit).rest();
    await clock.advance(10_000);
    await Promise.all(made.map(({ done }) => done));
  });
});

Deno.test("routed arrivals: noise costs nothing and makes nothing", async () => {
  await arrivals(async ({ arrivals, clock, stream, first, accepted }) => {
    const dice = new Dice(5);
    const ways = stream();
    const carrier = ways.acceptor;
    carrier.deliver(first());
    const { sent } = ways;
    for (let i = 0; i < 3_000; i++) {
      const packet = dice.bytes(1 + dice.below(200));
      packet[0] = dice.below(10);
      ways.acceptor.deliver(packet);
    }
    await quiet();
    assert.equal(ways.sent, sent);
    assert.equal(arrivals.waiting, 1);
    assert.deepEqual(accepted, []);
    await clock.advance(HALF_OPEN_MS_MAX + 2_000);
    assert.ok(carrier.isOver, "nobody uses the carrier, so it is closed");
  });
});

Deno.test("routed front: an enemy with a thousand answers and proofs costs little and changes nothing", async () => {
  const relay: Relay = (packet, towards) => {
    const out = [{ packet, towards }];
    const type = packetType(packet);
    if (type !== PACKET.answer && type !== PACKET.proof) return out;
    const copies = Array.from({ length: 1_000 }, (_, i) => {
      const bad = packet.slice();
      bad[bad.length - 1 - i % 16]! ^= 1 + i % 255;
      return { packet: bad, towards };
    });
    return [...out, ...copies, ...out];
  };
  await played(1, () => ({ paths: [{ delayMs: 1, relay }] }), async ({ parties }) => {
    const { dialler, acceptor } = await parties.connect();
    const taker = new Taker(acceptor);
    await exchange(dialler, taker, [10]);
    const rest = taker.rest();
    await dialler.close("done");
    await rest;
  });
});

// A relay that had been left went on sending made-up answers, and the true one was never tried.
Deno.test("routed front: answers to other attempts use up no tries", async () => {
  const dice = new Dice(1);
  const relay: Relay = (packet, towards) => {
    const made = Array.from({ length: 200 }, () => {
      const noise = dice.bytes(100);
      noise[0] = PACKET.answer;
      return { packet: noise, towards: "dialler" as const };
    });
    return packetType(packet) === PACKET.first
      ? [...made, { packet, towards }]
      : [{ packet, towards }];
  };
  await played(1, () => ({ paths: [{ delayMs: 1, relay }] }), async ({ parties }) => {
    const { dialler, acceptor } = await parties.connect();
    const ended = new Taker(acceptor).rest();
    await dialler.close("done");
    await ended;
  });
});

Deno.test("routed front: who does not listen wants nothing", async () => {
  await played(1, () => ({ paths: [{}] }), async ({ parties, keys }) => {
    const packet = new Uint8Array(137);
    assert.equal(parties.acceptor.wants(packet), false);
    const carrier = new Ways({ clock: new ManualClock() }).acceptor;
    parties.acceptor.accept(carrier, SOMEBODY);
    assert.equal(await carrier.closed, "nobody listens");
    assert.ok(keys.meshId.length === 16);
    await assert.rejects(parties.front.dial("mesh:acceptor"), ConnectionError);
  });
});
