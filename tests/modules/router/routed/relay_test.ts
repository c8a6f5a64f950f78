// A relay that is an enemy: it sees and makes all packets of the way, and gets nothing accepted.

import assert from "node:assert/strict";
import {
  AuthenticationError,
  type Conduit,
  ConnectionError,
  EndToEnd,
  PACKET,
  packetType,
} from "../../../../core/mod.ts";
import { Dice, runs } from "../../../support/fuzz.ts";
import type { MeshKeys } from "../../../support/mesh_keys.ts";
import { Taker } from "../../../core/conduit/messages.ts";
import { drawSizes, exchange, played } from "./play.ts";
import { type Parties, type Path, type Relay, SOMEBODY, Ways } from "./ways.ts";

const OTHER = { acceptor: "dialler", dialler: "acceptor" } as const;

/**
 * Alters, cuts, lengthens, replays, reflects, withholds, drops and makes up packets. It lets enough
 * through that the conduit can live: what it wants is to have its own accepted.
 */
function evilRelay(dice: Dice): Relay {
  const kept: Uint8Array[] = [];
  const withheld: { packet: Uint8Array; towards: "acceptor" | "dialler" }[] = [];
  return (packet, towards) => {
    if (kept.length < 400 || dice.below(10) === 0) {
      kept[kept.length < 400 ? kept.length : dice.below(400)] = packet;
    }
    const out: { packet: Uint8Array; towards: "acceptor" | "dialler" }[] = [];
    const inject = (bad: Uint8Array) =>
      out.push({ packet: bad, towards: dice.below(4) === 0 ? OTHER[towards] : towards });
    for (let times = dice.below(3); times > 0; times--) {
      const source = dice.pick(kept);
      const kind = dice.below(7);
      const bad = source.slice();
      if (kind === 0) bad[dice.below(bad.length)]! ^= 1 << dice.below(8);
      // The number or the type of another packet.
      if (kind === 1) bad.set(dice.pick(kept).subarray(7, 15), Math.min(7, bad.length - 8));
      if (kind === 2) bad[0] = dice.below(9);
      if (kind === 3) inject(bad.slice(0, dice.below(bad.length)));
      else if (kind === 4) inject(Uint8Array.of(...bad, ...dice.bytes(1 + dice.below(30))));
      else if (kind === 5) inject(dice.bytes(1 + dice.below(200)));
      else inject(bad);
    }
    const fate = dice.below(20);
    if (fate === 0) return out;
    if (fate === 1) withheld.push({ packet, towards });
    else out.push({ packet, towards });
    if (withheld.length > 0 && dice.below(10) === 0) {
      out.push(...withheld.splice(dice.below(withheld.length), 1));
    }
    return out;
  };
}

Deno.test("routed conduit: an enemy on the way gets nothing accepted", async () => {
  const { numRuns, seed } = runs(40);
  for (let run = 0; run < numRuns; run++) {
    await played(seed + run, (dice) => {
      const paths = [{ delayMs: 1 + dice.below(5), jitterMs: 3, relay: evilRelay(dice) }];
      return { paths, packetBytesMax: dice.pick([800, 60_000]) };
    }, async ({ parties, dice }) => {
      const { dialler, acceptor } = await parties.connect();
      const [near, far] = [new Taker(dialler), new Taker(acceptor)];
      await Promise.all([
        exchange(dialler, far, drawSizes(dice, 10)),
        exchange(acceptor, near, drawSizes(dice, 10)),
      ]);
      const rest = Promise.all([near.rest(), far.rest()]);
      await acceptor.close("done");
      assert.deepEqual(await rest, [[], []]);
      assert.deepEqual(await dialler.closed, { by: "peer", text: "done", error: undefined });
    });
  }
});

/** A relay with a certificate of the mesh, that answers handshakes itself. */
function impostor(keys: MeshKeys, dice: Dice): Relay {
  const self = keys.person({ name: "evil" });
  const random = { bytes: (length: number) => dice.bytes(length) };
  const clock = { now: () => 1_893_456_000_000, monotonic: () => 0 };
  const context = { clock, random, primitives: keys.primitives, trust: keys.trust(), self };
  const endToEnd = new EndToEnd({ context: () => context as never });
  return (packet, towards) => {
    const out = [{ packet, towards }];
    if (packetType(packet) !== PACKET.first) return out;
    using responder = endToEnd.respond(packet);
    // Its own answer comes first, and is a good one but for who gives it.
    return [{ packet: responder.answer, towards: OTHER[towards] }, ...out];
  };
}

Deno.test("routed conduit: a relay that answers itself is not taken for the target", async () => {
  await played(
    1,
    (dice, keys) => ({ paths: [{ delayMs: 1, relay: impostor(keys, dice) }] }),
    async ({ parties }) => {
      const { dialler, acceptor } = await parties.connect();
      assert.ok(dialler.peer.kind === "node" && dialler.peer.identity.name === "acceptor");
      const taker = new Taker(acceptor);
      await exchange(dialler, taker, [10, 1_000]);
      const rest = taker.rest();
      await dialler.close("done");
      await rest;
    },
  );
});

Deno.test("routed conduit: a relay that answers alone gets no further, and the error tells of it", async () => {
  await played(1, (dice, keys) => {
    const relay = impostor(keys, dice);
    const alone: Relay = (packet, towards) =>
      relay(packet, towards).filter((each) => each.towards !== towards);
    return { paths: [{ delayMs: 1, relay: alone }] };
  }, async ({ parties }) => {
    const listener = await parties.front.listen("mesh:acceptor", () => {});
    await assert.rejects(parties.dialler.dial("mesh:acceptor"), (error: unknown) => {
      assert.ok(error instanceof ConnectionError && error.reason === "timeout", String(error));
      const text =
        "mesh:acceptor did not answer within 10 s, by any route; an answer was not taken: ";
      assert.ok(error.message.startsWith(text), error.message);
      assert.ok(error.cause instanceof AuthenticationError && error.cause.reason === "wrong-name");
      return true;
    });
    await listener.close();
  });
});

Deno.test("routed conduit: one whose relay starts to alter everything goes another way", async () => {
  const paths: Path[] = [{ delayMs: 1 }, { delayMs: 2 }];
  let isEvil = false;
  const relay: Relay = (packet, towards) => {
    if (isEvil) packet[packet.length - 1]! ^= 1;
    return [{ packet, towards }];
  };
  paths[0] = { delayMs: 1, relay };
  await played(1, () => ({ paths }), async ({ parties }) => {
    const { dialler, acceptor } = await parties.connect();
    const [near, far] = [new Taker(dialler), new Taker(acceptor)];
    isEvil = true;
    await Promise.all([
      exchange(dialler, far, [10, 300_000]),
      exchange(acceptor, near, [10, 300_000]),
    ]);
    const rest = Promise.all([near.rest(), far.rest()]);
    await dialler.close("done");
    await rest;
  });
});

Deno.test("routed conduit: a relay that brings packets by a stream of its own gains nothing for long", async () => {
  let parties: Parties | undefined;
  let thief: Ways | undefined;
  let isFirst = false;
  // What it gets back by its stream it swallows.
  const relay: Relay = (packet, towards) => {
    const out = [{ packet, towards }];
    if (thief === undefined || towards === "dialler") return out;
    const steal = () => thief?.acceptor.deliver(packet.slice());
    if (isFirst) steal();
    else queueMicrotask(steal);
    return out;
  };
  await played(1, () => ({ paths: [{ relay }, { delayMs: 2 }] }), async (world) => {
    parties = world.parties;
    const listener = await parties.front.listen(
      "mesh:acceptor",
      (conduit) => accepted.resolve(conduit),
    );
    const accepted = Promise.withResolvers<Conduit>();
    const dialler = await parties.dialler.dial("mesh:acceptor");
    const acceptor = await accepted.promise;
    const [near, far] = [new Taker(dialler), new Taker(acceptor)];
    const { clock } = parties.ways[0]!.options;
    thief = new Ways({ clock, paths: [{ dead: true }] });
    thief.acceptor.onFirst = (packet) => {
      if (parties!.acceptor.wants(packet)) parties!.acceptor.accept(thief!.acceptor, SOMEBODY);
    };
    for (const first of [false, true]) {
      isFirst = first;
      await Promise.all([
        exchange(dialler, far, [10, 300_000, 10]),
        exchange(acceptor, near, [10, 300_000, 10]),
      ]);
    }
    thief = undefined;
    const rest = Promise.all([near.rest(), far.rest()]);
    await dialler.close("done");
    await rest;
    await listener.close();
  });
});

Deno.test("routed conduit: noise with the name of a handshake opens no stream for long", async () => {
  await played(1, () => ({ paths: [{ delayMs: 1 }] }), async ({ parties, dice }) => {
    const seen: Uint8Array[] = [];
    const accepted = Promise.withResolvers<Conduit>();
    const listener = await parties.front.listen("mesh:acceptor", accepted.resolve);
    const dialler = await parties.dialler.dial("mesh:acceptor");
    const acceptor = await accepted.promise;
    const way = parties.ways[0]!;
    const { deliver } = way.acceptor;
    way.acceptor.deliver = function (packet) {
      seen.push(packet.slice());
      deliver.call(this, packet);
    };
    const far = new Taker(acceptor);
    await exchange(dialler, far, [10, 1_000]);
    for (const packet of seen) {
      for (const bad of [packet.slice(), dice.bytes(40)]) {
        bad.set(packet.subarray(0, 7));
        const carrier = new Ways({ clock: way.options.clock }).acceptor;
        assert.ok(parties.acceptor.wants(bad));
        parties.acceptor.accept(carrier, SOMEBODY);
        carrier.deliver(bad);
        assert.ok(carrier.isOver, "what was heard before, or nobody sealed, keeps no stream");
      }
    }
    const rest = far.rest();
    await dialler.close("done");
    await rest;
    await listener.close();
  });
});
