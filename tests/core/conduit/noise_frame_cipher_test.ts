import assert from "node:assert/strict";
import { NoiseFrameCipher } from "../../../core/conduit/noise_frame_cipher.ts";
import { AuthenticationError } from "../../../core/errors.ts";
import { REKEY_FRAMES, TAG_BYTES } from "../../../core/limits.ts";
import type { Session } from "../../../core/crypto/noise.ts";
import { sessionPair } from "../../support/noise_sessions.ts";

/** Counts changes of key, and the nonces at which they were. */
function counting(session: Session, changes: number[]): Session {
  const watch = (state: Session["send"]) =>
    new Proxy(state, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name, target);
        if (typeof value !== "function") return value;
        return (...args: unknown[]) => {
          if (name === "rekey") changes.push(target.nonce);
          return value.apply(target, args);
        };
      },
    });
  return { ...session, send: watch(session.send), receive: watch(session.receive) };
}

Deno.test("frame cipher: both ends take the next key after 65,536 frames, and not before", async () => {
  const [one, other] = await sessionPair();
  const sent: number[] = [];
  const received: number[] = [];
  const sender = new NoiseFrameCipher(counting(one, sent));
  const receiver = new NoiseFrameCipher(counting(other, received));
  const frame = new Uint8Array(1 + TAG_BYTES);
  for (let i = 0; i < REKEY_FRAMES + 10; i++) {
    frame[0] = i & 0xff;
    sender.seal(frame.subarray(0, 1), frame);
    assert.equal(receiver.open(frame, frame), 1);
    assert.equal(frame[0], i & 0xff);
  }
  assert.deepEqual(sent, [REKEY_FRAMES]);
  assert.deepEqual(received, sent);
  sender.dispose();
  receiver.dispose();
});

Deno.test("frame cipher: a change of key that only one end makes ends the conversation", async () => {
  const [one, other] = (await sessionPair()).map((session) => new NoiseFrameCipher(session));
  const frame = new Uint8Array(5 + TAG_BYTES);
  one!.rekeySend();
  one!.seal(frame.subarray(0, 5), frame);
  assert.throws(
    () => other!.open(frame, frame),
    (error: unknown) => error instanceof AuthenticationError && error.reason === "tag",
  );
  one!.dispose();
  other!.dispose();
});

Deno.test("frame cipher: in step, changes of key by word may come at any frame", async () => {
  const [one, other] = (await sessionPair()).map((session) => new NoiseFrameCipher(session));
  const frame = new Uint8Array(5 + TAG_BYTES);
  for (let i = 0; i < 20; i++) {
    if (i % 3 === 0) {
      one!.rekeySend();
      other!.rekeyReceive();
    }
    frame.fill(i, 0, 5);
    one!.seal(frame.subarray(0, 5), frame);
    assert.equal(other!.open(frame, frame), 5);
    assert.deepEqual([...frame.subarray(0, 5)], Array(5).fill(i));
  }
  assert.deepEqual(one!.handshakeHash, other!.handshakeHash);
  one!.dispose();
  other!.dispose();
});
