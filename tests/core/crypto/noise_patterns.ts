/** The patterns of the published vectors (Noise specification, sections 7 and 18), as text. */

import type {
  HandshakePattern,
  HandshakeRole,
  HandshakeToken,
} from "../../../core/crypto/noise.ts";

/** Messages apart by "/", the initiator's first. */
const MESSAGES: Readonly<Record<string, string>> = {
  N: "e es",
  K: "e es ss",
  X: "e es s ss",
  NN: "e / e ee",
  NK: "e es / e ee",
  NX: "e / e ee s es",
  KN: "e / e ee se",
  KK: "e es ss / e ee se",
  KX: "e / e ee se s es",
  XN: "e / e ee / s se",
  XK: "e es / e ee / s se",
  XX: "e / e ee s es / s se",
  IN: "e s / e ee se",
  IK: "e es s ss / e ee se",
  IX: "e s / e ee se s es",
  NK1: "e / e ee es",
  NX1: "e / e ee s / es",
  X1N: "e / e ee / s / se",
  X1K: "e es / e ee / s / se",
  XK1: "e / e ee es / s se",
  X1K1: "e / e ee es / s / se",
  X1X: "e / e ee s es / s / se",
  XX1: "e / e ee s / es s se",
  X1X1: "e / e ee s / es s / se",
  K1N: "e / e ee / se",
  K1K: "e es / e ee / se",
  KK1: "e / e ee se es",
  K1K1: "e / e ee es / se",
  K1X: "e / e ee s es / se",
  KX1: "e / e ee se s / es",
  K1X1: "e / e ee s / se es",
  I1N: "e s / e ee / se",
  I1K: "e es s / e ee / se",
  IK1: "e s / e ee se es",
  I1K1: "e s / e ee es / se",
  I1X: "e s / e ee s es / se",
  IX1: "e s / e ee se s / es",
  I1X1: "e s / e ee s / se es",
};

/** For example "XX", "NKpsk2", "XXpsk0+psk3". Throws for a name that is not in the table. */
export function patternOf(name: string): HandshakePattern {
  const [base, ...psks] = name.split(/(?=psk)/).map((part) => part.replace("+", ""));
  const text = MESSAGES[base!];
  if (!text) throw new Error(`Pattern "${name}" is not in the table`);
  const messages = text.split(" / ").map((message) => message.split(" ") as HandshakeToken[]);
  for (const psk of psks) {
    const place = Number(psk.slice(3));
    if (place === 0) messages[0]!.unshift("psk");
    else messages[place - 1]!.push("psk");
  }
  const [first, second] = base!.replaceAll("1", "");
  const known: HandshakeRole[] = [];
  if (first === "K") known.push("initiator");
  if (second === "K" || second === undefined) known.push("responder");
  return { name, messages, known };
}
