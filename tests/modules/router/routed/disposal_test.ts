// Whoever has a routed conduit disposes the engine of its keys as soon as nothing is left of it: from
// then on nothing may use them, whatever it was in the middle of, or what a timer throws ends a program.

import assert from "node:assert/strict";
import {
  ConnectionError,
  EndToEndCipher,
  MinimeError,
  type Primitives,
} from "../../../../core/mod.ts";
import { RoutedPipe } from "../../../../modules/router/routed/pipe.ts";
import type { Way } from "../../../../modules/router/routed/way.ts";
import { message, numbered, takeAll } from "../../../core/conduit/messages.ts";
import { ManualClock } from "../../../support/manual_clock.ts";
import { testPrimitives } from "../../../support/mesh_keys.ts";
import { played } from "./play.ts";
import type { Path } from "./ways.ts";

/** An engine that says so when it is used behind its end, or what it has made is. */
class Engine implements Disposable {
  readonly primitives: Primitives;
  #over = false;

  constructor(primitives: Primitives) {
    this.primitives = this.#watched(primitives);
  }

  [Symbol.dispose](): void {
    this.#over = true;
  }

  #watched<T extends object>(thing: T): T {
    return new Proxy(thing, {
      get: (target, key) => {
        const value: unknown = Reflect.get(target, key, target);
        if (typeof value !== "function") return value;
        return (...args: unknown[]) => {
          if (this.#over && key !== Symbol.dispose) {
            throw new MinimeError(`Engine was used behind its end: ${String(key)}`);
          }
          const made: unknown = Reflect.apply(value, target, args);
          return key === "createAead" ? this.#watched(made as object) : made;
        };
      },
    });
  }
}

/** How it may end: who dials gives up or closes, who accepts closes, the way is no more. */
const ENDS = ["near", "far", "cut"] as const;

/** Ends it after so many milliseconds, and then lets every timer run out that may be left. */
async function endedAfter(ms: number, end: typeof ENDS[number], path: Path): Promise<void> {
  const engine = new Engine(await testPrimitives());
  const { primitives } = engine;
  await played(1, () => ({ primitives, paths: [path] }), async ({ parties, sleep }) => {
    const over = new AbortController();
    const talks: Promise<unknown>[] = [];
    const closes: (() => Promise<void>)[] = [];
    const listener = await parties.front.listen("mesh:acceptor", (conduit) => {
      closes.push(() => conduit.close("enough"));
      talks.push(takeAll(conduit));
    });
    const talk = async () => {
      const conduit = await parties.dialler.dial("mesh:acceptor", { signal: over.signal });
      over.signal.addEventListener("abort", () => void conduit.close("enough"));
      if (over.signal.aborted) void conduit.close("enough");
      talks.push(takeAll(conduit));
      for (let index = 0;; index++) await conduit.send(message(numbered(50_000, index)));
    };
    const talked = talk().catch((error: unknown) => error);
    await sleep(ms);
    if (end === "near") over.abort(new ConnectionError("closed", "Enough"));
    if (end === "far") await Promise.all(closes.map((close) => close()));
    if (end === "cut") parties.cut();
    await sleep(1);
    over.abort(new ConnectionError("closed", "Enough"));
    await listener.close();
    parties.cut();
    assert.ok(await talked instanceof ConnectionError, String(await talked));
    await Promise.all(talks);
    await parties.settled();
    engine[Symbol.dispose]();
    await sleep(120_000);
  });
}

Deno.test("routed conduit: nothing of it is left behind its end, at whatever moment that comes", async () => {
  for (const end of ENDS) {
    for (let ms = 0; ms < 32; ms += 2) await endedAfter(ms, end, { delayMs: 3 });
  }
});

Deno.test("routed conduit: nothing of it is left where nobody answers, whenever it is given up", async () => {
  for (const end of ENDS) {
    for (let ms = 0; ms < 11_000; ms += 333) await endedAfter(ms, end, { dead: true });
  }
});

/** So many microtasks later. */
async function later(steps: number, run: () => void): Promise<void> {
  for (; steps > 0; steps--) await Promise.resolve();
  run();
}

// It went on to seal behind an await, with keys that had gone meanwhile, and that became the error.
Deno.test("routed pipe: a way that ends while something is written is what the error says", async () => {
  const primitives = await testPrimitives();
  for (let steps = 0; steps < 20; steps++) {
    const keys = { send: new Uint8Array(32), receive: new Uint8Array(32) };
    const cipher = new EndToEndCipher(primitives, {
      ...keys,
      handshakeHash: new Uint8Array(32),
      remoteStatic: undefined,
      id: 1,
    });
    const { promise: closed, resolve: close } = Promise.withResolvers<string>();
    let sent = 0;
    const way: Way = {
      packetBytesMax: 2_000,
      hasRoute: true,
      closed,
      send() {
        if (++sent === 5) void later(steps, () => close("cut"));
        return Promise.resolve();
      },
      reroute: () => {},
      close: () => {},
    };
    const clock = new ManualClock();
    const pipe = new RoutedPipe({ way, cipher, clock, remote: "mesh:b", local: "mesh:a" });
    await assert.rejects(pipe.write(new Uint8Array(100_000)), {
      name: "ConnectionError",
      message: "Way to mesh:b is closed: cut",
    });
    assert.equal(clock.timers, 0);
  }
});
