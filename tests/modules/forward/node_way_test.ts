import assert from "node:assert/strict";
import { ConnectionError } from "../../../core/mod.ts";
import { SLOW_MS } from "../../../modules/forward/limits.ts";
import { NodeWay } from "../../../modules/forward/node_way.ts";
import type { CommandContext, MeshClient } from "../../../modules/shared/command.ts";
import { ManualClock } from "../../support/manual_clock.ts";

const DESTINATION = { host: "db", port: 5432 };

/** A session whose node connects when it is told to. */
class FakeSession {
  closed = 0;
  readonly answers: (() => void)[] = [];

  client(): MeshClient {
    return {
      sign: () => Promise.resolve(new Uint8Array(0)),
      stream: (_verb: string, _args: unknown, { signal }: { signal: AbortSignal }) => ({
        reply: new Promise(() => {}),
        send: () => Promise.resolve(),
        [Symbol.asyncIterator]: () => ({
          next: () =>
            new Promise((resolve, reject) => {
              this.answers.push(() => resolve({ done: false, value: null }));
              signal.addEventListener("abort", () => reject(signal.reason));
            }),
        }),
      }),
      close: () => Promise.resolve(void this.closed++),
    } as unknown as MeshClient;
  }
}

/** Each session that is asked for is the next of these. */
function wayOver(...sessions: (FakeSession | Error)[]) {
  const clock = new ManualClock();
  let asked = 0;
  const session = (): Promise<MeshClient> => {
    const next = sessions[asked++] as FakeSession | Error;
    return next instanceof Error ? Promise.reject(next) : Promise.resolve(next.client());
  };
  const context = { env: { clock }, session } as unknown as CommandContext;
  return { clock, way: new NodeWay(context, "b2"), asked: () => asked };
}

// Each new connection to a node that had died waited 30 s for the session that the others had.
Deno.test("node way: a new connection to a node that is gone fails, and the session stays", async () => {
  const { signal } = new AbortController();
  const session = new FakeSession();
  const down = new ConnectionError("no-route", 'Down for 5 s, lost at "gb2"');
  const { clock, way, asked } = wayOver(session, down);
  const first = way.open(DESTINATION, signal);
  await clock.advance(0);
  session.answers[0]?.();
  await first;
  const failed = assert.rejects(way.open(DESTINATION, signal), down);
  await clock.advance(SLOW_MS);
  await failed;
  assert.deepEqual([asked(), session.closed, clock.timers], [2, 0, 0]);
  // It was only cut off.
  const second = way.open(DESTINATION, signal);
  await clock.advance(0);
  session.answers.at(-1)?.();
  await second;
  await way[Symbol.asyncDispose]();
  assert.deepEqual([asked(), session.closed], [2, 1]);
});

Deno.test("node way: a node that can be reached may take its time to connect", async () => {
  const { signal } = new AbortController();
  const [session, other] = [new FakeSession(), new FakeSession()];
  const { clock, way, asked } = wayOver(session, other);
  const opening = way.open(DESTINATION, signal);
  await clock.advance(9 * SLOW_MS);
  assert.deepEqual([asked(), other.closed], [2, 1]);
  session.answers[0]?.();
  await opening;
  await way[Symbol.asyncDispose]();
  assert.equal(session.closed, 1);
});
