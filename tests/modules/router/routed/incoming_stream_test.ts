import assert from "node:assert/strict";
import { IncomingStream, StreamWay } from "../../../../modules/router/routed/incoming_stream.ts";
import type { Carrier } from "../../../../modules/shared/carrier.ts";

/** A carrier that counts who waits for its end. */
function makeCarrier() {
  const { promise, resolve } = Promise.withResolvers<string>();
  let waiters = 0;
  const closed = Object.assign(promise, {
    then: (...args: Parameters<Promise<string>["then"]>) => {
      waiters++;
      return Promise.prototype.then.apply(promise, args);
    },
  }) as Promise<string>;
  const carrier: Carrier = {
    packetBytesMax: 1_000,
    hasRoute: true,
    closed,
    send: () => Promise.resolve(),
    onPacket: () => {},
    reroute: () => {},
    close: resolve,
  };
  return { carrier, waiters: () => waiters };
}

// A program that moved to and fro between two daemons left something behind with each move.
Deno.test("incoming stream: ways that come and go leave nothing at its carrier", async () => {
  const [one, other] = [makeCarrier(), makeCarrier()];
  const streams = [one, other].map(({ carrier }) => new IncomingStream(carrier, () => true));
  const way = new StreamWay(streams[0]!);
  for (let i = 1; i <= 100; i++) way.moveTo(streams[i % 2]!);
  assert.deepEqual([one.waiters(), other.waiters()], [1, 1]);
  other.carrier.close("not where it is");
  one.carrier.close("where it is");
  assert.equal(await way.closed, "where it is");
});

Deno.test("incoming stream: a way that moves to one that is over is over", async () => {
  const [one, other] = [makeCarrier(), makeCarrier()];
  const [from, to] = [one, other].map(({ carrier }) => new IncomingStream(carrier, () => true));
  const way = new StreamWay(from!);
  other.carrier.close("was over");
  await to!.carrier.closed;
  way.moveTo(to!);
  assert.equal(await way.closed, "was over");
});
