// Handshakes that others begin, and what those who only ask for one can do.

import assert from "node:assert/strict";
import { AuthenticationError, type Conduit, EndToEnd } from "../../../../core/mod.ts";
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
import { SOMEBODY, Ways } from "./ways.ts";
import type { StreamOrigin } from "../../../../modules/router/routed/answer_quota.ts";

const primitives = await testPrimitives();
const random = { bytes: (length: number) => crypto.getRandomValues(new Uint8Array(length)) };

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
