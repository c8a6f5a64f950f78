/**
 * What every conduit does that carries bytes over a connection: messages are cut and rejoined, take
 * turns and overtake, cannot always be encoded, and the connection may break.
 */

import assert from "node:assert/strict";
import { CallError, ConnectionError } from "../../../core/errors.ts";
import { FRAME_BYTES_MAX, GOODBYE_BYTES_MAX, QUEUE_BYTES_MAX } from "../../../core/limits.ts";
import { KIND, PRIORITY } from "../../../core/wire/message.ts";
import type { Pair, Play } from "./fronts.ts";
import { message, numbered, takeAll, Taker } from "./messages.ts";

const MIB = 1024 * 1024;

export function conformanceOfBytes(name: string, play: Play): void {
  const test = (text: string, scenario: (pair: Pair) => Promise<void>) =>
    Deno.test(`${name} conduit: ${text}`, () =>
      play(async (stage) => {
        const pair = await stage.connect();
        await scenario(pair);
        await Promise.all([pair.dialler.close("over"), pair.acceptor.close("over")]);
      }));

  test("the end of the connection without a goodbye is a failure at both ends", async (pair) => {
    const ends = Promise.all([takeAll(pair.dialler), takeAll(pair.acceptor)]);
    await pair.dialler.send(message("before"));
    await pair.acceptor.send(message("back"));
    pair.cut();
    for (const { error } of await ends) assert.ok(error instanceof ConnectionError, String(error));
    for (const conduit of [pair.dialler, pair.acceptor]) {
      const reason = await conduit.closed;
      assert.equal(reason.by, "failure");
      assert.ok(reason.error instanceof ConnectionError);
      assert.equal(reason.text, reason.error.message);
      await assert.rejects(conduit.send(message(1)), (error: unknown) => {
        assert.ok(error instanceof ConnectionError && error.reason === "closed");
        assert.equal(error.message, `Conduit is closed: ${reason.text}`);
        assert.equal(error.cause, reason.error);
        return true;
      });
      await conduit.close("too late");
    }
  });

  test("what arrived before the connection broke is read before it fails", async (pair) => {
    const taker = new Taker(pair.acceptor);
    for (let i = 0; i < 20; i++) await pair.dialler.send(message(i));
    const bodies = (await taker.take(20)).map(({ body }) => body);
    pair.cut();
    await assert.rejects(taker.next(), ConnectionError);
    assert.deepEqual(bodies, [...Array(20).keys()]);
    await assert.rejects(new Taker(pair.dialler).next(), ConnectionError);
  });

  test("a send that waits for room is rejected when the connection breaks", async (pair) => {
    const waiting = Array.from(
      { length: 40 },
      () => pair.dialler.send(message(new Uint8Array(256 * 1024))),
    );
    pair.cut();
    const results = await Promise.allSettled(waiting);
    const rejected = results.filter(({ status }) => status === "rejected");
    assert.ok(rejected.length > 10, `${rejected.length} were rejected`);
    await Promise.all([takeAll(pair.dialler), takeAll(pair.acceptor)]);
  });

  test("messages of every length around a frame's arrive whole", async (pair) => {
    const taker = new Taker(pair.acceptor);
    for (const frames of [1, 2, 4]) {
      for (let less = 0; less <= 60; less += 3) {
        const body = numbered(frames * FRAME_BYTES_MAX - less, less);
        const verb = "x".repeat(less * 4);
        const sent = message(body, { kind: KIND.request, verb, stream: less });
        const [taken] = await Promise.all([taker.next(), pair.dialler.send(sent)]);
        assert.equal(taken.verb, verb);
        assert.deepEqual(taken.body, body);
      }
    }
  });

  test("what cannot be sent is refused at the sender, and the conduit lives on", async (pair) => {
    const taker = new Taker(pair.acceptor);
    const bad = [
      message(new Date(0)),
      message({ at: new Map() }),
      message(() => 1),
      message({ n: 1n }),
      message(1, { kind: KIND.request, verb: "x".repeat(256) }),
      message(1, { kind: KIND.event, verb: "grün.ja" }),
    ];
    for (const each of bad) {
      await assert.rejects(
        pair.dialler.send(each),
        (error: unknown) => error instanceof CallError && error.class === "invalid",
      );
    }
    await pair.dialler.send(message("fine"));
    assert.equal((await taker.next()).body, "fine");
  });

  test("control overtakes bulk that waits, and each stays in order", async (pair) => {
    const bulk = Array.from({ length: 28 }, (_, i) => i);
    for (const i of bulk) {
      const body = new Uint8Array(256 * 1024).fill(i);
      void pair.dialler.send(message(body, { priority: PRIORITY.bulk, stream: 1 }));
    }
    for (const text of ["stop", "now"]) {
      void pair.dialler.send(message(text, { priority: PRIORITY.control, stream: 3 }));
    }
    const taken = await new Taker(pair.acceptor).take(bulk.length + 2);
    const controls = taken.flatMap(({ priority }, i) => priority === PRIORITY.control ? [i] : []);
    assert.ok((controls[1] as number) < bulk.length - 1, `control came as ${controls}`);
    assert.deepEqual(controls.map((i) => taken[i]?.body), ["stop", "now"]);
    const rest = taken.filter(({ priority }) => priority === PRIORITY.bulk);
    assert.deepEqual(rest.map(({ body }) => (body as Uint8Array)[0]), bulk);
  });

  test("streams of one priority take turns", async (pair) => {
    void pair.dialler.send(message(numbered(4 * MIB, 1), { stream: 1 }));
    void pair.dialler.send(message(numbered(4 * MIB, 3), { stream: 3 }));
    void pair.dialler.send(message("short", { stream: 5 }));
    const taken = await new Taker(pair.acceptor).take(3);
    assert.deepEqual(taken.map(({ stream }) => stream), [5, 1, 3]);
    assert.deepEqual(taken.slice(1).map(({ body }) => body), [
      numbered(4 * MIB, 1),
      numbered(4 * MIB, 3),
    ]);
  });

  test("above a full queue requests are refused as busy, but no answer is lost", async (pair) => {
    const big = () => message(new Uint8Array(MIB), { kind: KIND.request, verb: "a.b" });
    let queued = 0;
    let refusal: unknown;
    while (refusal === undefined && queued < 64) {
      pair.dialler.send(big()).catch((error: unknown) => refusal = error);
      if (++queued % 4 === 0) await Promise.resolve();
    }
    assert.ok(refusal instanceof CallError && refusal.class === "busy", String(refusal));
    assert.equal(refusal.message, "Queue of this conduit is full");
    assert.ok(queued > QUEUE_BYTES_MAX / MIB, `${queued} MiB were queued`);
    const kinds = [KIND.item, KIND.end, KIND.error, KIND.cancel, KIND.credit];
    for (const kind of kinds) {
      void pair.dialler.send(message(kind, { kind, stream: kind === KIND.cancel ? 5 : 3 }));
    }
    const urgent = { kind: KIND.request, verb: "core.ping", priority: PRIORITY.control };
    void pair.dialler.send(message(0, urgent));
    const taker = new Taker(pair.acceptor);
    const seen: number[] = [];
    while (seen.length <= kinds.length) {
      const { kind, body } = await taker.next();
      if (!(body instanceof Uint8Array)) seen.push(kind);
    }
    assert.equal(seen[0], KIND.request);
    assert.deepEqual(seen.slice(1).sort(), [...kinds].sort());
    const rest = taker.rest();
    await pair.dialler.close("enough");
    await rest;
  });

  test("many long answers at once are joined without exceeding what may be joined", async (pair) => {
    // Five messages of 4 MiB on five streams made the receiver cut the conduit.
    const streams = [1, 3, 5, 7, 9, 11, 13];
    for (const stream of streams) {
      void pair.dialler.send(message(numbered(4 * MIB, stream), { kind: KIND.end, stream }));
    }
    const taken = await new Taker(pair.acceptor).take(streams.length);
    assert.deepEqual(new Set(taken.map(({ stream }) => stream)), new Set(streams));
    for (const { stream, body } of taken) assert.deepEqual(body, numbered(4 * MIB, stream));
  });

  test("a goodbye longer than allowed is cut between characters", async (pair) => {
    const text = `x${"ü".repeat(GOODBYE_BYTES_MAX)}`;
    const ended = takeAll(pair.acceptor);
    await pair.dialler.close(text);
    assert.equal((await ended).error, undefined);
    assert.equal((await pair.acceptor.closed).text, `x${"ü".repeat(GOODBYE_BYTES_MAX / 2 - 1)}`);
    assert.equal((await pair.dialler.closed).text, text);
  });
}
