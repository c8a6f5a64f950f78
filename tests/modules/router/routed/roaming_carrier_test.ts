import assert from "node:assert/strict";
import { type Call, type Caller, ConnectionError, PRIORITY } from "../../../../core/mod.ts";
import {
  REROUTES_APART_MS_MAX,
  REROUTES_BEFORE_ENTRY,
} from "../../../../modules/router/routed/limits.ts";
import { type Entry, RoamingCarrier } from "../../../../modules/router/routed/roaming_carrier.ts";
import { packetFromDaemon } from "../../../../modules/shared/carrier.ts";
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

// One that swallows kept a session by putting packets of its own on the way.
Deno.test("roaming carrier: an entry is left where nothing is of use, whatever it says itself", async () => {
  const clock = new ManualClock();
  const entry = (name: string) => {
    const waiting: ((item: IteratorResult<Uint8Array>) => void)[] = [];
    const call = {
      reply: new Promise(() => {}),
      send: () => Promise.resolve(),
      end: () => Promise.resolve(),
      cancel: () => {},
      [Symbol.asyncIterator]: () => ({ next: () => new Promise((next) => waiting.push(next)) }),
    } as unknown as Call;
    const say = async () => {
      waiting.shift()?.({ done: false, value: packetFromDaemon(new Uint8Array(8)) });
      await quiet();
    };
    return { ...silentEntry(name), caller: { stream: () => call } as unknown as Caller, say };
  };
  const entries = [entry("n2"), entry("n3")];
  const first = entry("n1");
  const carrier = new RoamingCarrier(first, {
    clock,
    args: { target: "0".repeat(64), class: "high" },
    enter: () => Promise.resolve(entries.shift() as Entry),
  });
  let taken = 0;
  carrier.onPacket(() => taken++);
  const reroute = async (times: number, apartMs: number) => {
    for (; times > 0; times--) {
      await first.say();
      carrier.reroute();
      await clock.advance(apartMs);
    }
  };
  await reroute(2 * REROUTES_BEFORE_ENTRY, REROUTES_APART_MS_MAX + 1);
  assert.deepEqual([carrier.entry, taken], ["n1", 2 * REROUTES_BEFORE_ENTRY]);
  await reroute(REROUTES_BEFORE_ENTRY, 2_000);
  assert.equal(carrier.entry, "n2");
  carrier.close("done");
  await carrier.left();
  assert.equal(clock.timers, 0);
});
