/** Both ends of a finished handshake, without anything between them. */

import { NoiseFrameCipher } from "../../core/conduit/noise_frame_cipher.ts";
import { HandshakeState, type Session, XX_PSK0 } from "../../core/crypto/noise.ts";
import { Dice, SEED } from "./fuzz.ts";
import { testPrimitives } from "./mesh_keys.ts";

/** The initiator's and the responder's. */
export async function sessionPair(): Promise<[Session, Session]> {
  const primitives = await testPrimitives();
  const dice = new Dice(SEED);
  const psk = dice.bytes(32);
  const [one, other] = (["initiator", "responder"] as const).map((role) => {
    const secret = dice.bytes(32);
    return new HandshakeState(primitives, {
      pattern: XX_PSK0,
      role,
      prologue: new Uint8Array(4),
      psks: [psk],
      static: { secret, publicKey: primitives.dhPublicKey(secret) },
      ephemeral: dice.bytes(32),
    });
  }) as [HandshakeState, HandshakeState];
  const nothing = new Uint8Array(0);
  other.readMessage(one.writeMessage(nothing));
  one.readMessage(other.writeMessage(nothing));
  other.readMessage(one.writeMessage(nothing));
  return [one.split(), other.split()];
}

/** Ciphers for both ends of a conduit. */
export async function cipherPair(): Promise<[NoiseFrameCipher, NoiseFrameCipher]> {
  const [one, other] = await sessionPair();
  return [new NoiseFrameCipher(one), new NoiseFrameCipher(other)];
}
