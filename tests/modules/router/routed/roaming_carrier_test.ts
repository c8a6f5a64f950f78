import assert from "node:assert/strict";
import { type Call, type Caller, ConnectionError, PRIORITY } from "../../../../core/mod.ts";
import { REROUTES_BEFORE_ENTRY } from "../../../../modules/router/routed/limits.ts";
import { type Entry, RoamingCarrier } from "../../../../modules/router/routed/roaming_carrier.ts";
import { ManualClock } from "../../../support/manual_clock.ts";
import { quiet } from "../../../support/wait.ts";

/** A daemon that carries, and never says anything. */
function silentEntry(name: string): Entry & { closed: boolean } {
  const call = {
    reply: new Promise(() => {}),
    send: () => Promise.resolve(),
    end: () => Promise.resolve(),
    cancel: () => {},
    [Symbol.asyncIterator]: () => ({ next: () => new Promise(() => {}) }),
  } as unknown as Call;
  const caller = { stream: () => call } as unknown as Caller;
  const entry = {
    name,
    caller,
    gone: new Promise(() => {}),
    closed: false,
    close: () => {
      entry.closed = true;
      return Promise.resolve();
    },
  };
  return entry;
}

/** A daemon that ends what it carries, when it is told to. */
function endingCall(): { readonly caller: Caller; readonly end: (text: string) => void } {
  const over = Promise.withResolvers<{ text: string }>();
  const call = {
    reply: over.promise,
    send: () => Promise.resolve(),
    end: () => Promise.resolve(),
    cancel: () => {},
    [Symbol.asyncIterator]: () => ({
      next: () => over.promise.then(() => ({ done: true, value: undefined })),
    }),
  } as unknown as Call;
  const caller = { stream: () => call } as unknown as Caller;
  return { caller, end: (text) => over.resolve({ text }) };
}

// Who had given up the session, and its keys, dialled on by it.
Deno.test("roaming carrier: once closed it dials nobody, and is left when that has ended", async () => {
  const first = silentEntry("n1");
  const late = silentEntry("n2");
  const entering = Promise.withResolvers<Entry>();
  let signal: AbortSignal | undefined;
  const carrier = new RoamingCarrier(first, {
    clock: new ManualClock(),
    args: { target: "0".repeat(64), class: "high" },
    enter: (until) => {
      signal = until;
      return entering.promise;
    },
  });
  for (let i = 0; i < REROUTES_BEFORE_ENTRY; i++) carrier.reroute();
  assert.equal(signal?.aborted, false);
  carrier.close("not connected");
  assert.equal(signal?.aborted, true);
  let isLeft = false;
  const left = carrier.left().then(() => isLeft = true);
  await quiet();
  assert.deepEqual([first.closed, isLeft], [true, false]);
  entering.resolve(late);
  await left;
  assert.equal(late.closed, true);
});

// An entry that stops ends its streams before its connection; what was written then broke the session.
Deno.test("roaming carrier: what is sent while its entry goes away is lost, and no failure", async () => {
  const clock = new ManualClock();
  const gone = Promise.withResolvers<void>();
  const first = { ...silentEntry("n1"), ...endingCall(), gone: gone.promise };
  const second = silentEntry("n2");
  const carrier = new RoamingCarrier(first, {
    clock,
    args: { target: "0".repeat(64), class: "high" },
    enter: () => Promise.resolve(second),
  });
  first.end("daemon stops");
  await quiet();
  await carrier.send(new Uint8Array(8), PRIORITY.bulk);
  gone.resolve();
  await quiet();
  assert.equal(carrier.entry, "n2");
  await carrier.send(new Uint8Array(8), PRIORITY.bulk);
  carrier.close("done");
  await carrier.left();
  await assert.rejects(carrier.send(new Uint8Array(8), PRIORITY.bulk), ConnectionError);
});
