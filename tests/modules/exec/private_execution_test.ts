/** One command in sessions: signals that come before there is a program to get them. */

import assert from "node:assert/strict";
import { type Call, type Caller, CallError, ConnectionError } from "../../../core/mod.ts";
import { SIGNAL_AGAIN_MS } from "../../../modules/exec/limits.ts";
import { PrivateExecution } from "../../../modules/exec/private_execution.ts";
import type { CommandContext, MeshClient } from "../../../modules/shared/command.ts";
import { ManualClock } from "../../support/manual_clock.ts";
import { quiet } from "../../support/wait.ts";

interface SceneOptions {
  readonly connected?: Promise<void>;
  /** Signals that come before the order. @default none */
  readonly deafFor?: number;
  /** Signals get no answer. @default false */
  readonly isMute?: boolean;
}

function makeScene(options: SceneOptions) {
  const clock = new ManualClock();
  const asked: string[] = [];
  const { promise: reply, resolve: end, reject: refuse } = Promise.withResolvers<unknown>();
  const { promise: gone, reject: close } = Promise.withResolvers<never>();
  let isClosed = false;
  gone.catch(() => {
    isClosed = true;
  });
  let signals = 0;
  const request: Caller["request"] = (verb) => {
    asked.push(verb);
    if (isClosed || options.isMute) return gone;
    return Promise.resolve({ sent: ++signals > (options.deafFor ?? 0) });
  };
  const stream: Caller["stream"] = (verb) => {
    asked.push(verb);
    const call: Call = {
      reply,
      send: () => Promise.resolve(),
      end: () => Promise.resolve(),
      cancel() {},
      // deno-lint-ignore require-yield
      async *[Symbol.asyncIterator]() {
        await reply;
      },
    };
    return call;
  };
  const client: Partial<MeshClient> = {
    sign: () => Promise.resolve(new Uint8Array(1)),
    request,
    stream,
    [Symbol.asyncDispose]: () =>
      Promise.resolve(close(new ConnectionError("closed", "Connection is gone"))),
  };
  const env = { clock, random: { bytes: (length: number) => new Uint8Array(length) } };
  const execution = new PrivateExecution({
    context: {
      env: env as unknown as CommandContext["env"],
      async session() {
        await options.connected;
        return client as MeshClient;
      },
    },
    nodes: ["n2"],
    order: { argv: ["true"] },
    as: "$user",
    connectMs: 10_000,
    fanout: 1,
    sink: undefined,
  });
  return { clock, asked, end, refuse, drop: close, execution };
}

Deno.test("private execution: interrupted while a session is being made, nothing is started in it", async () => {
  const { promise: connected, resolve } = Promise.withResolvers<void>();
  const { asked, execution } = makeScene({ connected });
  const finished = execution.finish();
  await execution.signal("SIGINT");
  resolve();
  const { failures } = await finished;
  assert.equal(failures.get("n2")?.reason, "Interrupted before it was started");
  assert.deepEqual(asked, []);
});

Deno.test("private execution: a signal that has overtaken the order is sent again", async () => {
  const { clock, asked, end, execution } = makeScene({ deafFor: 2 });
  const finished = execution.finish();
  await quiet();
  const signalled = execution.signal("SIGINT");
  await clock.advance(10 * SIGNAL_AGAIN_MS);
  await signalled;
  assert.deepEqual(asked, ["exec.run", ...Array(3).fill("exec.signal")]);
  end({ code: 130 });
  assert.equal((await finished).exitCode, 130);
});

const REFUSED = new CallError("refused", "Policy allows it to nobody");

// It said that the signal had not reached the nodes: "Connection is gone".
Deno.test("private execution: a signal that has overtaken an order which is refused has nobody to reach", async () => {
  const { clock, asked, refuse, execution } = makeScene({ deafFor: Infinity });
  const finished = execution.finish();
  await quiet();
  const signalled = execution.signal("SIGINT");
  await quiet();
  refuse(REFUSED);
  const { failures } = await finished;
  assert.match(failures.get("n2")?.reason ?? "", /Policy allows it to nobody/);
  await clock.advance(SIGNAL_AGAIN_MS);
  await signalled;
  assert.deepEqual(asked, ["exec.run", "exec.signal"]);
  assert.equal(clock.timers, 0);
});

Deno.test("private execution: nor has one that is under way when the order is refused", async () => {
  const { asked, refuse, execution } = makeScene({ isMute: true });
  const finished = execution.finish();
  await quiet();
  const signalled = execution.signal("SIGINT");
  await quiet();
  refuse(REFUSED);
  await finished;
  await signalled;
  assert.deepEqual(asked, ["exec.run", "exec.signal"]);
});

Deno.test("private execution: a signal is said not to have reached a program that may still run", async () => {
  const { end, drop, execution } = makeScene({ isMute: true });
  const finished = execution.finish();
  await quiet();
  const signalled = execution.signal("SIGINT");
  drop(new CallError("timeout", "No answer"));
  await assert.rejects(signalled, /No answer/);
  end({ code: 0 });
  await finished;
});
