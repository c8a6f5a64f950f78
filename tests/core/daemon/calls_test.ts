import assert from "node:assert/strict";
import type { Serve } from "../../../core/daemon/incoming.ts";
import {
  AuthenticationError,
  CALL_ERROR_CLASSES,
  CallError,
  type CallErrorClass,
  FileError,
} from "../../../core/errors.ts";
import { MESSAGE_BYTES_MAX } from "../../../core/limits.ts";
import { outcome, quiet } from "../../support/wait.ts";
import { callPair, isError, never, serving } from "./call_pairs.ts";

Deno.test("calls: a request gets the reply of its handler, in both directions", async () => {
  const serve = serving({ "a.echo": ({ body }) => body, "a.nothing": () => undefined });
  await using pair = callPair({ serve }, { serve });
  for (const caller of [pair.near, pair.far]) {
    for (const body of [1, "two", { three: [3] }, new Uint8Array(3), null]) {
      assert.deepEqual(await caller.request("a.echo", body), body);
    }
    assert.equal(await caller.request("a.nothing", {}), undefined);
  }
});

Deno.test("calls: errors of every class travel, with their detail", async () => {
  const serve: Serve = ({ body }) => {
    throw new CallError(body as CallErrorClass, `It was ${body}`, { detail: { of: [body] } });
  };
  await using pair = callPair({}, { serve });
  for (const errorClass of CALL_ERROR_CLASSES) {
    await assert.rejects(pair.near.request("a.b", errorClass), (error: unknown) => {
      isError(errorClass, `It was ${errorClass}`)(error);
      assert.deepEqual((error as CallError).detail, { of: [errorClass] });
      return true;
    });
  }
});

Deno.test("calls: our own errors tell their text, a bug tells only the log", async () => {
  const bugs: [unknown, string][] = [];
  const serve = serving({
    "a.file": () => {
      throw new FileError("no-space", 'Could not write "/x": no space');
    },
    "a.authentication": () => {
      throw new AuthenticationError("revoked", "Key is revoked");
    },
    "a.bug": () => {
      throw new TypeError("secret of the implementation");
    },
    "a.string": () => Promise.reject("secret too"),
  });
  const onBug = (error: unknown, verb: string) => bugs.push([error, verb]);
  await using pair = callPair({}, { serve, onBug });
  const { near } = pair;
  await assert.rejects(near.request("a.file"), isError("failed", 'Could not write "/x": no space'));
  await assert.rejects(near.request("a.authentication"), isError("refused", "Key is revoked"));
  assert.equal(bugs.length, 0);
  const hidden = isError("failed", "Internal error; the daemon's log has it");
  await assert.rejects(near.request("a.bug"), hidden);
  await assert.rejects(near.request("a.string"), hidden);
  assert.deepEqual(bugs.map(([error, verb]) => [String(error), verb]), [
    ["TypeError: secret of the implementation", "a.bug"],
    ["secret too", "a.string"],
  ]);
});

Deno.test("calls: an end that executes nothing says so", async () => {
  await using pair = callPair({}, {});
  const text = 'Nothing here executes "a.b"';
  await assert.rejects(pair.near.request("a.b"), isError("unknown-verb", text));
});

Deno.test("calls: a reply, item or error that cannot be sent is a failure, never a silence", async () => {
  const bugs: string[] = [];
  const serve = serving({
    "a.date": () => new Date(0),
    "a.large": () => new Uint8Array(MESSAGE_BYTES_MAX + 1),
    "a.detail": () => {
      throw new CallError("busy", "Busy", { detail: { until: new Date(0) } });
    },
    "a.items": async function* () {
      yield 1;
      yield new Map();
    },
  });
  await using pair = callPair({}, { serve, onBug: (error) => bugs.push(String(error)) });
  const hidden = isError("failed", "Internal error; the daemon's log has it");
  for (const verb of ["a.date", "a.large", "a.detail", "a.items"]) {
    await assert.rejects(pair.near.request(verb), hidden);
  }
  assert.deepEqual(bugs.map((text) => text.slice(0, 48)), [
    'TypeError: Answer of "a.date" cannot be sent: Ca',
    'TypeError: Answer of "a.large" cannot be sent: M',
    'TypeError: Answer of "a.detail" cannot be sent: ',
    'TypeError: Item of "a.items" cannot be sent: Can',
  ]);
});

Deno.test("calls: arguments that cannot be sent fail the call alone", async () => {
  await using pair = callPair({}, { serve: ({ body }) => body });
  await assert.rejects(pair.near.request("a.b", new Date(0)), isError("invalid"));
  await assert.rejects(pair.near.request("x".repeat(256)), isError("invalid"));
  assert.equal(await pair.near.request("a.b", 1), 1);
});

Deno.test("conduit's death: fails what was pending on it at once and stops its handlers, both ways", async () => {
  const aborted: CallErrorClass[] = [];
  const serve: Serve = async ({ signal }) => {
    signal.addEventListener("abort", () => aborted.push((signal.reason as CallError).class));
    await never();
  };
  const pair = callPair({ serve }, { serve });
  const calls = [
    ...[1, 2, 3].map(() => pair.near.request("a.b")),
    pair.far.request("a.b"),
  ].map((call) => assert.rejects(call, isError("unreachable")));
  const stream = pair.near.stream("a.b");
  await quiet();
  assert.deepEqual([pair.near.incomingCount, pair.far.incomingCount], [1, 4]);
  assert.equal(pair.near.outgoingCount, 4);
  pair.cut();
  await Promise.all(calls);
  await assert.rejects(Array.fromAsync(stream), isError("unreachable"));
  assert.deepEqual([(await pair.near.done).by, (await pair.far.done).by], ["failure", "failure"]);
  assert.deepEqual(aborted, Array(5).fill("unreachable"));
  await assert.rejects(pair.near.request("a.b"), isError("unreachable"));
  await assert.rejects(stream.send(1), isError("unreachable"));
  assert.equal(pair.clock.timers, 0);
});

Deno.test("conduit's death: an orderly close fails what was pending too", async () => {
  const pair = callPair({}, { serve: never });
  const call = assert.rejects(
    pair.near.request("a.b"),
    isError("unreachable", "Connection is gone: going home"),
  );
  await quiet();
  await pair.far.close("going home");
  await call;
});

Deno.test("idle: waits for what is running, also when it is asked by what is running", async () => {
  const done = Promise.withResolvers<void>();
  let idle: Promise<void> | undefined;
  const serve: Serve = () => {
    idle = pair.far.idle();
    return done.promise;
  };
  const pair = callPair({}, { serve });
  const call = pair.near.request("a.b");
  await quiet();
  assert.equal((await outcome(idle as Promise<void>)).state, "pending");
  done.resolve();
  await Promise.all([call, idle]);
  await pair.far.idle();
  await pair[Symbol.asyncDispose]();
});

Deno.test("heard: tells when the peer last said anything", async () => {
  await using pair = callPair({}, { serve: ({ body }) => body });
  assert.equal(pair.near.heardAt, 0);
  await pair.clock.advance(500);
  await pair.near.request("a.b");
  assert.deepEqual([pair.near.heardAt, pair.far.heardAt], [500, 500]);
});
