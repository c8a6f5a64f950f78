import assert from "node:assert/strict";
import { FramedConduit } from "../../../core/conduit/framed.ts";
import { AuthenticationError, ConnectionError, ProtocolError } from "../../../core/errors.ts";
import {
  CLOSE_MS_MAX,
  FRAME_BYTES_MAX,
  PARTIAL_FRAME_MS_MAX,
  QUEUE_BYTES_CUT,
  REKEY_FRAMES,
  REKEY_MS,
} from "../../../core/limits.ts";
import { KIND, PRIORITY } from "../../../core/wire/message.ts";
import { type Outgoing, readPart, REKEY, writePart } from "../../../core/wire/part.ts";
import { Dice, runs, SEED } from "../../support/fuzz.ts";
import { ManualClock } from "../../support/manual_clock.ts";
import { MemoryPipe, type MemoryPipeOptions, memoryPipes } from "../../support/memory_pipe.ts";
import { cipherPair } from "../../support/noise_sessions.ts";
import { outcome, quiet } from "../../support/wait.ts";
import { message, numbered, takeAll, Taker } from "./messages.ts";

const LOCAL = { kind: "local" } as const;

function pair(options: MemoryPipeOptions = {}, clock = new ManualClock()) {
  const [near, far] = memoryPipes(options);
  return {
    clock,
    near: new FramedConduit({ pipe: near, clock, peer: LOCAL }),
    far: new FramedConduit({ pipe: far, clock, peer: LOCAL }),
  };
}

async function sealedPair(options: MemoryPipeOptions = {}, clock = new ManualClock()) {
  const [near, far] = memoryPipes(options);
  const [one, other] = await cipherPair();
  return {
    clock,
    near: new FramedConduit({ pipe: near, clock, peer: LOCAL, cipher: one }),
    far: new FramedConduit({ pipe: far, clock, peer: LOCAL, cipher: other }),
  };
}

/** A conduit whose other end is a pipe in the test's hands. */
function exposed(options: MemoryPipeOptions = {}) {
  const clock = new ManualClock();
  const [near, far] = memoryPipes(options);
  return { clock, conduit: new FramedConduit({ pipe: near, clock, peer: LOCAL }), far };
}

function frame(body: Uint8Array): Uint8Array {
  const out = new Uint8Array(2 + body.length);
  out.set([body.length >>> 8, body.length]);
  out.set(body, 2);
  return out;
}

function part(change: Partial<Outgoing> = {}): Uint8Array {
  const out = new Uint8Array(FRAME_BYTES_MAX);
  const length = writePart(
    {
      kind: KIND.item,
      priority: PRIORITY.normal,
      stream: 1,
      verb: "",
      deadlineMs: 0,
      signed: false,
      raw: true,
      body: numbered(50),
      sent: 0,
      ...change,
    },
    out,
    0,
    FRAME_BYTES_MAX,
  );
  return frame(out.subarray(0, length));
}

async function bytesOf(pipe: MemoryPipe): Promise<number> {
  const into = new Uint8Array(100_000);
  let sum = 0;
  for (;;) {
    const got = await pipe.read(into);
    if (got === null) return sum;
    sum += got;
  }
}

Deno.test("framed conduit: close gives up on a peer that takes nothing, and holds nothing then", async () => {
  const { clock, conduit } = exposed({ capacity: 1_000 });
  void conduit.send(message(numbered(100_000))).catch(() => {});
  const closing = conduit.close("enough");
  await clock.advance(CLOSE_MS_MAX - 1);
  assert.equal((await outcome(closing)).state, "pending");
  await clock.advance(1);
  await closing;
  assert.deepEqual(await conduit.closed, { by: "us", text: "enough", error: undefined });
  assert.equal(clock.timers, 0);
});

Deno.test("framed conduit: close does not wait for ever for the peer to close too", async () => {
  const { clock, conduit, far } = exposed();
  const closing = conduit.close("enough");
  await quiet();
  await far.write(part());
  assert.equal((await outcome(closing)).state, "pending");
  await clock.advance(CLOSE_MS_MAX);
  await closing;
  assert.equal(await bytesOf(far), 2 + 8 + "enough".length);
  assert.equal(clock.timers, 0);
});

Deno.test("framed conduit: messages that come after our goodbye still reach who iterates", async () => {
  const { near, far } = pair();
  const taken = takeAll(near);
  await quiet();
  const closing = near.close("going");
  void far.send(message("last words"));
  const ended = takeAll(far);
  await closing;
  assert.deepEqual((await taken).messages.map(({ body }) => body), ["last words"]);
  assert.equal((await ended).error, undefined);
  assert.deepEqual([(await near.closed).by, (await far.closed).by], ["us", "peer"]);
});

Deno.test("framed conduit: a peer that asks and takes no answers is cut", async () => {
  const { conduit } = exposed({ capacity: 1_000 });
  const answer = message(new Uint8Array(1024 * 1024), { kind: KIND.end });
  let sent = 0;
  const failed: unknown[] = [];
  for (; sent < 100; sent++) {
    conduit.send({ ...answer }).catch((error: unknown) => failed.push(error));
  }
  const reason = await conduit.closed;
  assert.deepEqual([reason.by, reason.text], ["failure", "Peer does not take what it asked for"]);
  await quiet();
  // The first one found room.
  assert.equal(failed.length, sent - 1);
  assert.ok(sent * 1024 * 1024 > QUEUE_BYTES_CUT);
});

Deno.test("framed conduit: the key is changed by time, both ways, while messages go on", async () => {
  const kinds: number[] = [];
  const clock = new ManualClock();
  const { near, far } = await sealedPair({}, clock);
  const [there, back] = [new Taker(far), new Taker(near)];
  const sizes: number[] = [];
  for (let i = 1; i <= 6; i++) {
    await clock.advance(REKEY_MS / 2);
    const [one, other] = await Promise.all([
      there.next(),
      back.next(),
      near.send(message(i)),
      far.send(message(-i)),
    ]);
    kinds.push(one.body as number, other.body as number);
    sizes.push(i);
  }
  assert.deepEqual(kinds, sizes.flatMap((i) => [i, -i]));
  await Promise.all([near.close("over"), takeAll(far)]);
});

Deno.test("framed conduit: it says before it changes the key, and uses the new one from then on", async () => {
  const clock = new ManualClock();
  const [pipe, far] = memoryPipes();
  const [one, other] = await cipherPair();
  const conduit = new FramedConduit({ pipe, clock, peer: LOCAL, cipher: one });
  const read = async () => {
    const head = new Uint8Array(2);
    await far.read(head);
    const sealed = new Uint8Array(head[0]! * 256 + head[1]!);
    await far.read(sealed);
    return readPart(sealed.subarray(0, other.open(sealed, sealed)));
  };
  await conduit.send(message(1));
  assert.equal((await read()).kind, KIND.item);
  await clock.advance(REKEY_MS);
  await conduit.send(message(2));
  await conduit.send(message(3));
  const word = await read();
  assert.deepEqual([word.kind, word.body.length], [REKEY, 0]);
  other.rekeyReceive();
  assert.deepEqual([(await read()).kind, (await read()).kind], [KIND.item, KIND.item]);
  const closing = conduit.close("over");
  await quiet();
  far.close();
  await closing;
  other.dispose();
});

Deno.test("framed conduit: more frames than one key may seal pass in order", async () => {
  const { near, far } = await sealedPair({ capacity: 1_000_000 });
  const count = REKEY_FRAMES + 500;
  const sending = (async () => {
    for (let i = 0; i < count; i++) {
      const sent = near.send(message(i));
      if (i % 1_000 === 0) await sent;
    }
  })();
  const taker = new Taker(far);
  for (let i = 0; i < count; i++) {
    if ((await taker.next()).body !== i) assert.fail(`Message ${i} is not in order`);
  }
  await sending;
  await Promise.all([near.close("over"), taker.rest()]);
});

Deno.test("framed conduit: a changed, doubled or missing frame ends it, and nothing of it is handed on", async () => {
  for (const kind of ["changed", "doubled", "missing"] as const) {
    let frames = 0;
    const tamper = (bytes: Uint8Array) => {
      if (++frames !== 3) return bytes;
      if (kind === "missing") return new Uint8Array(0);
      if (kind === "changed") bytes[bytes.length - 3]! ^= 1;
      return kind === "changed" ? bytes : Uint8Array.of(...bytes, ...bytes);
    };
    const { near, far, clock } = await sealedPair({ tamper });
    const taken = takeAll(far);
    for (let i = 0; i < 5; i++) {
      await near.send(message(i)).catch(() => {});
      await quiet();
    }
    const { messages, error } = await taken;
    assert.ok(error instanceof AuthenticationError && error.reason === "tag", String(error));
    assert.deepEqual(messages.map(({ body }) => body), kind === "doubled" ? [0, 1, 2] : [0, 1]);
    assert.deepEqual((await far.closed).by, "failure");
    await Promise.all([near.close("over"), takeAll(near)]);
    assert.equal(clock.timers, 0);
  }
});

Deno.test("framed conduit: a frame that is begun and not finished ends it", async () => {
  const { clock, conduit, far } = exposed();
  const taken = takeAll(conduit);
  await far.write(part());
  await far.write(part().subarray(0, 5));
  await clock.advance(2 * PARTIAL_FRAME_MS_MAX);
  const { messages, error } = await taken;
  assert.equal(messages.length, 1);
  assert.ok(error instanceof ProtocolError, String(error));
  assert.equal(clock.timers, 0);
});

Deno.test("framed conduit: a peer that is silent for days is none the worse for it", async () => {
  const { clock, near, far } = pair();
  const taker = new Taker(far);
  await clock.advance(5 * 86_400_000);
  const [taken] = await Promise.all([taker.next(), near.send(message("still here"))]);
  assert.equal(taken.body, "still here");
  await Promise.all([near.close("over"), taker.rest()]);
});

Deno.test("framed conduit: whatever bytes come in, it ends or gives messages, and lets go of all", async () => {
  const dice = new Dice(SEED);
  const { numRuns } = runs(1_500);
  let failures = 0;
  for (let run = 0; run < numRuns; run++) {
    const { clock, conduit, far } = exposed({ capacity: 10_000_000 });
    const taken = takeAll(conduit);
    const writes = 1 + dice.below(5);
    try {
      for (let i = 0; i < writes; i++) await far.write(someBytes(dice));
    } catch (error) {
      assert.ok(error instanceof ConnectionError);
    }
    far.close();
    const { error } = await taken;
    if (error !== undefined) failures++;
    assert.ok(
      error === undefined || error instanceof ProtocolError || error instanceof ConnectionError,
      String(error),
    );
    await conduit.closed;
    assert.equal(clock.timers, 0);
  }
  assert.ok(failures > numRuns / 2);
});

function someBytes(dice: Dice): Uint8Array {
  switch (dice.below(5)) {
    case 0:
      return dice.bytes(dice.below(40));
    case 1:
      return frame(dice.bytes(1 + dice.below(40)));
    case 2:
      return part({
        raw: dice.below(2) === 0,
        stream: dice.below(9),
        kind: dice.pick(Object.values(KIND)),
      });
    case 3: {
      const bytes = part({ body: numbered(dice.below(300)), stream: dice.below(3) });
      bytes[2 + dice.below(12)]! ^= 1 << dice.below(8);
      return bytes;
    }
    default:
      return part({ body: numbered(70_000), stream: dice.below(3) });
  }
}
