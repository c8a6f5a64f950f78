// How routed conduits begin, and what those who only answer can do to who asks.

import assert from "node:assert/strict";
import { AuthenticationError, ConnectionError, PACKET, packetType } from "../../../../core/mod.ts";
import { Taker } from "../../../core/conduit/messages.ts";
import { Dice } from "../../../support/fuzz.ts";
import { ManualClock } from "../../../support/manual_clock.ts";
import { exchange, played } from "./play.ts";
import { type Path, type Relay, SOMEBODY, Ways } from "./ways.ts";

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
