import assert from "node:assert/strict";
import { type EndToEnd, MinimeError } from "../../../../core/mod.ts";
import { initiateRouted } from "../../../../modules/router/routed/initiate.ts";
import type { Carrier } from "../../../../modules/shared/carrier.ts";
import { ManualClock } from "../../../support/manual_clock.ts";

/** Nobody answers; the keys are there for so many attempts. */
function dial(attempts: number, signal: AbortSignal) {
  const clock = new ManualClock();
  const endToEnd = {
    initiate() {
      if (attempts-- === 0) throw new MinimeError("The engine is disposed");
      return { id: 1, outgoing: new Uint8Array(8), [Symbol.dispose]() {} };
    },
  } as unknown as EndToEnd;
  const carrier: Carrier = {
    packetBytesMax: 60_000,
    hasRoute: false,
    closed: new Promise(() => {}),
    send: () => Promise.resolve(),
    onPacket: () => {},
    reroute: () => {},
    close: () => {},
  };
  const target = { keyId: "ab".repeat(32), name: "b2" };
  return { clock, made: initiateRouted(target, { carrier, endToEnd, clock, local: "us", signal }) };
}

// A forward ended by what its timer threw, when the keys of a session that had failed were gone.
Deno.test("initiate: an attempt that cannot be made ends it with the reason", async () => {
  const { clock, made } = dial(1, new AbortController().signal);
  const failed = assert.rejects(made, /The engine is disposed/);
  await clock.advance(9_000);
  await failed;
  assert.equal(clock.timers, 0);
});

Deno.test("initiate: nothing of it runs on when it was aborted", async () => {
  const over = new AbortController();
  const { clock, made } = dial(1, over.signal);
  const failed = assert.rejects(made, /enough/);
  await clock.advance(300);
  over.abort(new Error("enough"));
  await failed;
  assert.equal(clock.timers, 0);
  await clock.advance(9_000);
});
