// Conduits over ways that lose, double, reorder, alter, cut and die, by seed.

import assert from "node:assert/strict";
import { ConnectionError, PACKET, packetNumber, packetType } from "../../../../core/mod.ts";
import { runs } from "../../../support/fuzz.ts";
import { ManualClock } from "../../../support/manual_clock.ts";
import { MeshKeys, testPrimitives } from "../../../support/mesh_keys.ts";
import { message, takeAll, Taker } from "../../../core/conduit/messages.ts";
import { badPath, drawSizes, exchange, played } from "./play.ts";
import { Parties, type Path, type Relay } from "./ways.ts";

const MIB = 1024 * 1024;

/** Remembers each packet by its number: a number must never stand for other bytes. */
function watching(): { readonly relay: Relay; readonly highest: Map<string, number> } {
  const seen = new Map<string, string>();
  const highest = new Map<string, number>();
  const relay: Relay = (packet, towards) => {
    const type = packetType(packet);
    if (type !== undefined && type >= PACKET.data) {
      const number = packetNumber(packet);
      const line = `${towards} ${type === PACKET.report ? "report" : "data"}`;
      const hex = packet.toHex();
      const before = seen.get(`${line} ${number}`);
      assert.ok(before === undefined || before === hex, `Number ${number} ${line} sealed twice`);
      seen.set(`${line} ${number}`, hex);
      highest.set(line, Math.max(highest.get(line) ?? 0, number));
    }
    return [{ packet, towards }];
  };
  return { relay, highest };
}

Deno.test("routed conduit: whatever the ways do, all arrives once and in order", async () => {
  const { numRuns, seed } = runs(40);
  for (let run = 0; run < numRuns; run++) {
    const paths: Path[] = [];
    const { relay } = watching();
    await played(seed + run, (dice) => {
      const count = 1 + dice.below(4);
      for (let i = 0; i < count; i++) paths.push({ ...badPath(dice), relay });
      return { paths, packetBytesMax: dice.pick([500, 2_000, 60_000]) };
    }, async ({ parties, dice, sleep }) => {
      const { dialler, acceptor } = await parties.connect();
      const [near, far] = [new Taker(dialler), new Taker(acceptor)];
      let over = false;
      const disturb = async () => {
        while (!over) {
          await sleep(dice.below(3_000));
          for (const path of paths) path.dead = dice.below(3) === 0;
          // The one that is taken may be any; dead all together they are for a while only.
          await sleep(dice.below(5_000));
          for (const path of paths) path.dead = false;
        }
      };
      const disturbed = disturb();
      for (let round = 0; round < 3; round++) {
        await Promise.all([
          exchange(dialler, far, drawSizes(dice, 1 + dice.below(20))),
          exchange(acceptor, near, drawSizes(dice, dice.below(20))),
        ]);
        await sleep(dice.below(20_000));
      }
      over = true;
      await disturbed;
      const rest = Promise.all([near.rest(), far.rest()]);
      await dialler.close("done");
      assert.deepEqual(await rest, [[], []]);
      assert.deepEqual(await acceptor.closed, { by: "peer", text: "done", error: undefined });
    });
  }
});

Deno.test("routed conduit: the death of a path in the middle of bulk loses nothing", async () => {
  for (let seed = 0; seed < 6; seed++) {
    let packets = 0;
    const killed: Path = {
      delayMs: 1,
      relay: (packet, towards) => {
        if (++packets === 30 + 10 * seed) killed.dead = true;
        return [{ packet, towards }];
      },
    };
    const paths = [killed, { delayMs: 5 }, { delayMs: 2 }];
    await played(seed, () => ({ paths }), async ({ parties, simulation }) => {
      const { dialler, acceptor } = await parties.connect();
      const taker = new Taker(acceptor);
      await exchange(dialler, taker, Array<number>(12).fill(MIB));
      assert.ok(parties.ways[0]!.dialler.reroutes > 0);
      // By virtual time: another path was taken long before anybody gave up.
      assert.ok(simulation.now < 5_000, `${simulation.now}`);
      const rest = taker.rest();
      await dialler.close("done");
      await rest;
    });
  }
});

Deno.test("routed conduit: an acknowledgement that never comes back takes another path too", async () => {
  // One way only: what is sent arrives, and nothing is heard of it.
  const silent: Relay = (packet, towards) => towards === "dialler" ? [] : [{ packet, towards }];
  let isSilent = false;
  const relay: Relay = (packet, towards) =>
    isSilent ? silent(packet, towards) : [{ packet, towards }];
  const paths: Path[] = [{ delayMs: 1, relay }, { delayMs: 1 }];
  await played(1, () => ({ paths }), async ({ parties }) => {
    const { dialler, acceptor } = await parties.connect();
    const [near, far] = [new Taker(dialler), new Taker(acceptor)];
    isSilent = true;
    await exchange(dialler, far, [10, 100, MIB]);
    await exchange(acceptor, near, [10, 100, MIB]);
    assert.ok(parties.ways[0]!.acceptor.reroutes > 0);
    const rest = far.rest();
    await dialler.close("done");
    await rest;
  });
});

/** Both ends broke, with this text. */
async function assertBroken(
  conduit: { readonly closed: Promise<{ readonly error: Error | undefined }> },
  text: string,
): Promise<void> {
  const { error } = await conduit.closed;
  assert.ok(error instanceof ConnectionError, String(error));
  assert.equal(error.reason, "no-route");
  assert.equal(error.message, text);
}

Deno.test("routed conduit: without any way for 30 s it breaks, idle or not, and says so", async () => {
  for (const isIdle of [false, true]) {
    for (const hasPaths of [true, false]) {
      const paths: Path[] = [{ delayMs: 1 }, { delayMs: 2 }];
      await played(1, () => ({ paths }), async ({ parties, simulation }) => {
        const { dialler, acceptor } = await parties.connect();
        const ends = [takeAll(dialler), takeAll(acceptor)];
        const began = simulation.now;
        for (const path of paths) path.dead = true;
        if (!hasPaths) paths.length = 0;
        if (!isIdle) { for (const end of [dialler, acceptor]) await end.send(message("lost")); }
        const text = (name: string) =>
          hasPaths
            ? `mesh:${name} has acknowledged nothing for 30 s, by any route`
            : `There was no route to mesh:${name} for 30 s`;
        await assertBroken(dialler, text("acceptor"));
        await assertBroken(acceptor, text("dialler"));
        const ms = simulation.now - began;
        assert.ok(ms > 29_000 && ms < (isIdle ? 45_000 : 35_000), `${ms}`);
        for (const { error } of await Promise.all(ends)) assert.ok(error instanceof Error);
        await assert.rejects(dialler.send(message("late")), { reason: "closed" });
      });
    }
  }
});

Deno.test("routed conduit: a way that was gone for 25 s is used again", async () => {
  const paths: Path[] = [{ delayMs: 1 }];
  await played(1, () => ({ paths }), async ({ parties, sleep }) => {
    const { dialler, acceptor } = await parties.connect();
    const taker = new Taker(acceptor);
    for (let times = 0; times < 3; times++) {
      paths[0]!.dead = true;
      const sent = exchange(dialler, taker, [5, MIB, 5]);
      await sleep(25_000);
      paths[0]!.dead = false;
      await sent;
    }
    const rest = taker.rest();
    await dialler.close("done");
    await rest;
  });
});

Deno.test("routed conduit: an idle one lives as long as its ends do", async () => {
  await played(1, () => ({ paths: [{ delayMs: 30 }] }), async ({ parties, sleep }) => {
    const { dialler, acceptor } = await parties.connect();
    const taker = new Taker(acceptor);
    const before = parties.ways[0]!.sent;
    await sleep(3_600_000);
    const asked = parties.ways[0]!.sent - before;
    assert.ok(asked > 100 && asked < 2_000, `${asked} packets in an idle hour`);
    await exchange(dialler, taker, [10, 1_000]);
    const rest = taker.rest();
    await dialler.close("done");
    await rest;
  });
});

Deno.test("routed conduit: one that is gone without a word is noticed while nobody sends", async () => {
  await played(1, () => ({ paths: [{ delayMs: 1 }] }), async ({ parties, simulation }) => {
    const { acceptor } = await parties.connect();
    const ended = takeAll(acceptor);
    parties.ways[0]!.dialler.close("killed");
    const began = simulation.now;
    await assertBroken(acceptor, "mesh:dialler has acknowledged nothing for 30 s, by any route");
    assert.ok(simulation.now - began < 45_000);
    assert.ok((await ended).error instanceof ConnectionError);
  });
});

Deno.test("routed conduit: who does not read for minutes keeps the writer waiting, and no more", async () => {
  const paths: Path[] = [{ delayMs: 1, lose: 50 }];
  await played(1, () => ({ paths }), async ({ parties, sleep }) => {
    const { dialler, acceptor } = await parties.connect();
    let sent = 0;
    const sizes = Array<number>(40).fill(MIB);
    const sending = (async () => {
      for (const size of sizes) {
        await dialler.send(message(new Uint8Array(size)));
        sent++;
      }
    })();
    await sleep(300_000);
    assert.ok(sent < 20, `${sent} MiB were taken and nobody reads`);
    const taker = new Taker(acceptor);
    assert.equal((await taker.take(sizes.length)).length, sizes.length);
    await sending;
    const rest = taker.rest();
    await dialler.close("done");
    await rest;
  });
});

Deno.test("routed conduit: keys change by time, and nothing notices but the numbers", async () => {
  const { relay, highest } = watching();
  const paths: Path[] = [{ delayMs: 1, jitterMs: 5, lose: 100, relay }];
  await played(3, () => ({ paths }), async ({ parties, sleep }) => {
    const { dialler, acceptor } = await parties.connect();
    const [near, far] = [new Taker(dialler), new Taker(acceptor)];
    for (let times = 0; times < 4; times++) {
      await Promise.all([
        exchange(dialler, far, [10, 200_000, 10]),
        exchange(acceptor, near, [10, 200_000, 10]),
      ]);
      await sleep(11 * 60_000);
    }
    for (const line of ["acceptor data", "dialler data", "acceptor report", "dialler report"]) {
      const epochs = Math.floor((highest.get(line) ?? 0) / 65_536);
      assert.ok(epochs === 3 || (epochs === 4 && line.endsWith("report")), `${line} ${epochs}`);
    }
    const rest = far.rest();
    await dialler.close("done");
    await rest;
  });
});

Deno.test("routed conduit: 70,000 packets pass into a second epoch by number", async () => {
  await played(4, () => ({ paths: [{ delayMs: 1, lose: 2 }] }), async ({ parties, sleep }) => {
    const { dialler, acceptor } = await parties.connect();
    const taker = new Taker(acceptor);
    const count = 70_000;
    const sending = (async () => {
      for (let i = 0; i < count; i++) {
        await dialler.send(message(i));
        if (i % 100 === 99) await sleep(0.01);
      }
    })();
    for (let i = 0; i < count; i++) assert.equal((await taker.next()).body, i);
    await sending;
    const rest = taker.rest();
    await dialler.close("done");
    await rest;
  });
});

Deno.test("routed conduit: a process that was stopped itself does not give the other end up", async () => {
  const clock = new ManualClock();
  const random = { bytes: (length: number) => crypto.getRandomValues(new Uint8Array(length)) };
  const keys = new MeshKeys(await testPrimitives(), { random, now: () => clock.now() });
  const parties = new Parties({ clock, random, keys });
  const { dialler, acceptor } = await parties.connect();
  const [near, far] = [new Taker(dialler), new Taker(acceptor)];
  for (let times = 0; times < 5; times++) {
    await clock.advance(10);
    void dialler.send(message(times));
    // Everything that came due runs at once, and late: timers first, then what had arrived.
    clock.jump(10 * 60_000);
    await clock.advance(100);
    assert.equal((await far.next()).body, times);
  }
  const rest = Promise.all([near.rest(), far.rest()]);
  void dialler.close("done");
  await clock.advance(10_000);
  await rest;
  await parties.settled();
  assert.equal(clock.timers, 0);
});
