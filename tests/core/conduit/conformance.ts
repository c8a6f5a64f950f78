/**
 * What every conduit does, whatever front made it and wherever it runs. Called once for each front
 * of fronts.ts; what only conduits of bytes can do is in conformance_bytes.ts.
 */

import assert from "node:assert/strict";
import { CallError, ConnectionError } from "../../../core/errors.ts";
import { MESSAGE_BYTES_MAX } from "../../../core/limits.ts";
import { KIND, type Message, PRIORITY } from "../../../core/wire/message.ts";
import type { Pair, Play, Stage } from "./fronts.ts";
import { message, numbered, takeAll, Taker } from "./messages.ts";

const MIB = 1024 * 1024;

export function conformance(name: string, play: Play): void {
  const test = (text: string, scenario: (pair: Pair, stage: Stage) => Promise<void> | void) =>
    Deno.test(`${name} conduit: ${text}`, () =>
      play(async (stage) => {
        const pair = await stage.connect();
        await scenario(pair, stage);
        await Promise.all([pair.dialler.close("over"), pair.acceptor.close("over")]);
      }));

  test("carries messages in order, both ways at once", async ({ dialler, acceptor }) => {
    const send = async (from: typeof dialler) => {
      for (let i = 0; i < 500; i++) await from.send(message({ i, bytes: numbered(i % 50) }));
    };
    const [there, back] = await Promise.all([
      new Taker(acceptor).take(500),
      new Taker(dialler).take(500),
      send(dialler),
      send(acceptor),
    ]);
    for (const taken of [there, back]) {
      assert.deepEqual(taken.map(({ body }) => (body as { i: number }).i), [...Array(500).keys()]);
    }
  });

  test("keeps every field, and weighs a message the same at both ends", async (pair) => {
    const sent = [
      message({ a: [1, "two", null, true, 2.5] }, {
        kind: KIND.request,
        verb: "core.ping",
        deadlineMs: 1_234,
        stream: 0xffff_ffff,
      }),
      message(numbered(100), { kind: KIND.request, verb: "x.y", signed: true, stream: 3 }),
      message(undefined, { kind: KIND.end, stream: 5 }),
      message({ class: "failed" }, { kind: KIND.error, stream: 7 }),
      message(undefined, { kind: KIND.cancel, stream: 9 }),
      message(65_536, { kind: KIND.credit, stream: 11 }),
      message("up", { kind: KIND.event, verb: "mesh.flood", stream: 0 }),
    ];
    for (const each of sent) await pair.dialler.send(each);
    const taken = await new Taker(pair.acceptor).take(sent.length);
    assert.deepEqual(taken, sent);
    for (const { weight } of taken) assert.ok(weight > 0);
  });

  test("carries bytes as bytes, empty ones too, and nothing as nothing", async (pair) => {
    const bodies = [numbered(1), new Uint8Array(0), undefined, null, "", numbered(70_000, 3)];
    const taker = new Taker(pair.acceptor);
    for (const body of bodies) {
      const [taken] = await Promise.all([taker.next(), pair.dialler.send(message(body))]);
      assert.deepEqual(taken.body, body);
    }
  });

  test("what was received stays as it was, whatever comes later", async (pair) => {
    const taker = new Taker(pair.acceptor);
    const kept: { readonly raw: unknown; readonly inside: unknown }[] = [];
    const sizes = [0, 1, 100, 5_000, 16_384, 20_000, 65_000, 70_000, 300_000];
    for (const [index, size] of [...sizes, ...sizes].entries()) {
      const [raw, inside] = await Promise.all([
        taker.next(),
        taker.next(),
        pair.dialler.send(message(numbered(size, index))),
        pair.dialler.send(message({ deep: [numbered(size, index + 1)] })),
      ]);
      kept.push({ raw: raw.body, inside: inside.body });
    }
    for (const [index, { raw, inside }] of kept.entries()) {
      const size = sizes[index % sizes.length] as number;
      assert.deepEqual(raw, numbered(size, index));
      assert.deepEqual(inside, { deep: [numbered(size, index + 1)] });
    }
  });

  test("takes messages up to the limit and refuses larger ones, and lives on", async (pair) => {
    const taker = new Taker(pair.acceptor);
    const largest = numbered(MESSAGE_BYTES_MAX);
    const [taken] = await Promise.all([taker.next(), pair.dialler.send(message(largest))]);
    assert.deepEqual(taken.body, largest);
    await assert.rejects(
      pair.dialler.send(message(new Uint8Array(MESSAGE_BYTES_MAX + 1))),
      (error: unknown) => {
        assert.ok(error instanceof CallError && error.class === "invalid");
        const text = `Message of ${MESSAGE_BYTES_MAX + 1} bytes is over the limit`;
        assert.ok(error.message.startsWith(text), error.message);
        return true;
      },
    );
    await pair.dialler.send(message("still here"));
    assert.equal((await taker.next()).body, "still here");
  });

  test("a reader who does not read stops the writer, and gets everything later", async (pair, {
    environment,
    encodes,
  }) => {
    const { clock } = environment;
    const piece = numbered(65_536);
    const most = encodes ? 64 * MIB / piece.length : 10_000;
    let taken = 0;
    let waiting: Promise<void> | undefined;
    for (; taken < most && waiting === undefined; taken++) {
      const sending = pair.dialler.send(message(encodes ? piece : taken));
      let done = false;
      void sending.then(() => done = true);
      // Long enough for a kernel to take what it will; too short would only end the loop earlier.
      for (let i = 0; i < 50 && !done; i++) await clock.sleep(1);
      if (!done) waiting = sending;
    }
    assert.ok(waiting !== undefined, `${taken} messages were taken and nobody read one`);
    const messages = await new Taker(pair.acceptor).take(taken);
    await waiting;
    if (!encodes) assert.deepEqual(messages.map(({ body }) => body), [...Array(taken).keys()]);
    else assert.ok(messages.every(({ body }) => (body as Uint8Array).length === piece.length));
  });

  test("close sends what was queued, says why, and both ends agree on how it ended", async (pair) => {
    const bodies = Array.from({ length: 40 }, (_, i) => numbered(i * 2_000, i));
    for (const [i, body] of bodies.entries()) {
      const priority = i % 2 === 0 ? PRIORITY.bulk : PRIORITY.normal;
      void pair.dialler.send(message(body, { stream: i % 4, priority }));
    }
    const [{ messages, error }] = await Promise.all([
      takeAll(pair.acceptor),
      pair.dialler.close("enough, für heute"),
    ]);
    assert.equal(error, undefined);
    assert.equal(messages.length, bodies.length);
    for (const stream of [0, 1, 2, 3]) {
      const inOrder = messages.filter((each) => each.stream === stream).map(({ body }) => body);
      assert.deepEqual(inOrder, bodies.filter((_, i) => i % 4 === stream));
    }
    assert.deepEqual(await pair.dialler.closed, {
      by: "us",
      text: "enough, für heute",
      error: undefined,
    });
    assert.deepEqual(await pair.acceptor.closed, {
      by: "peer",
      text: "enough, für heute",
      error: undefined,
    });
  });

  test("closed stays closed: nothing is sent any more, the iterator ends, close does nothing", async ({ dialler, acceptor }) => {
    const ends = Promise.all([takeAll(dialler), takeAll(acceptor)]);
    const closing = dialler.close("first");
    await assert.rejects(dialler.send(message(1)), isClosed);
    await Promise.all([closing, dialler.close("second"), acceptor.closed]);
    for (const conduit of [dialler, acceptor]) {
      await assert.rejects(conduit.send(message(1)), isClosed);
      assert.deepEqual(await takeAll(conduit), { messages: [], error: undefined });
      await conduit.close("third");
      assert.equal((await conduit.closed).text, "first");
    }
    assert.deepEqual((await ends).map(({ error }) => error), [undefined, undefined]);
  });

  test("both ends may close at once, and both do so in order", async ({ dialler, acceptor }) => {
    await Promise.all([
      takeAll(dialler),
      takeAll(acceptor),
      dialler.close("dialler goes"),
      acceptor.close("acceptor goes"),
    ]);
    for (const conduit of [dialler, acceptor]) {
      const { by, error } = await conduit.closed;
      assert.ok(by !== "failure" && error === undefined, `${by} ${error}`);
    }
  });

  test("nothing is lost to a close while the other end is sending", async (pair) => {
    // A socket that is closed with bytes unread resets: the kernel drops what it has not sent.
    const bodies = Array.from({ length: 60 }, (_, i) => numbered(50_000, i));
    let sending = true;
    const chatter = (async () => {
      while (sending) {
        await pair.acceptor.send(message(numbered(1_000))).catch(() => sending = false);
      }
    })();
    for (const body of bodies) void pair.dialler.send(message(body)).catch(() => {});
    const closing = pair.dialler.close("all said");
    const { messages, error } = await takeAll(pair.acceptor);
    sending = false;
    await Promise.all([closing, chatter]);
    assert.equal(error, undefined);
    assert.deepEqual(messages.map(({ body }) => body), bodies);
    assert.equal((await pair.acceptor.closed).text, "all said");
  });

  test("disposing closes", async (_pair, stage) => {
    const pair = await stage.connect();
    const ended = takeAll(pair.acceptor);
    {
      await using dialler = pair.dialler;
      await dialler.send(message(1));
    }
    assert.deepEqual((await ended).messages.map(({ body }) => body), [1]);
    assert.deepEqual(await pair.acceptor.closed, {
      by: "peer",
      text: "disposed",
      error: undefined,
    });
  });

  test("knows who the other end is", ({ dialler, acceptor }, { front }) => {
    const kind = { internal: "internal", unix: "local", tcp: "node", mesh: "node" }[front.scheme];
    assert.deepEqual([dialler.peer.kind, acceptor.peer.kind], [kind, kind]);
    if (dialler.peer.kind !== "node" || acceptor.peer.kind !== "node") return;
    assert.equal(dialler.peer.identity.name, "acceptor");
    assert.equal(acceptor.peer.identity.name, "dialler");
    assert.equal(dialler.peer.session, acceptor.peer.session);
    assert.deepEqual([dialler.peer.bulk, acceptor.peer.bulk], [false, false]);
  });

  Deno.test(`${name} front: refuses a taken place and a place where nobody listens`, () =>
    play(async ({ front, endpoint }) => {
      const listener = await front.listen(endpoint, (conduit) => void conduit.close("unasked"));
      await assert.rejects(front.listen(listener.endpoint, () => {}), (error: unknown) => {
        assert.ok(error instanceof ConnectionError && error.reason === "address-taken");
        return true;
      });
      await listener.close();
      await listener.close();
      await assert.rejects(front.dial(listener.endpoint), ConnectionError);
      const again = await front.listen(listener.endpoint, () => {});
      await again.close();
    }));

  Deno.test(`${name} front: does not dial when it is told not to any more`, () =>
    play(async ({ front, endpoint }) => {
      const accepted: unknown[] = [];
      const listener = await front.listen(endpoint, (conduit) => accepted.push(conduit));
      const reason = new Error("changed my mind");
      const signal = AbortSignal.abort(reason);
      await assert.rejects(front.dial(listener.endpoint, { signal }), reason);
      await listener.close();
      assert.deepEqual(accepted, []);
    }));

  Deno.test(`${name} front: closing the listener leaves what it accepted`, () =>
    play(async (stage) => {
      const { dialler, acceptor } = await stage.connect();
      const taker = new Taker(acceptor);
      await dialler.send(message("still"));
      assert.equal((await taker.next()).body, "still");
      const rest = taker.rest();
      await dialler.close("over");
      assert.deepEqual(await rest, [] satisfies Message[]);
    }));
}

function isClosed(error: unknown): boolean {
  assert.ok(error instanceof ConnectionError && error.reason === "closed", String(error));
  assert.ok(error.message.startsWith("Conduit is closed: "), error.message);
  return true;
}
