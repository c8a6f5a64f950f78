/**
 * A message in a mailbox, called letter in here since messages are what conduits carry; and what
 * verbs say of it: the schemas that the module, its commands and programs on the socket share.
 */

import * as v from "valibot";
import { type Identity, isName } from "../../core/mod.ts";
import { LETTER_BYTES_MAX, PART_BYTES_MAX, ROOM_MS_MAX } from "./limits.ts";

const Tag = v.pipe(v.string(), v.check(isName, "Expected a tag: a-z, 0-9, and inside also . _ -"));
const Name = v.pipe(v.string(), v.check(isName, "Expected a name"));
const bytes = (maximum: number) =>
  v.custom<Uint8Array>(
    (value) => value instanceof Uint8Array && value.length <= maximum,
    `Expected at most ${maximum} bytes`,
  );
const wholeUpTo = (maximum: number) =>
  v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(maximum));

/** Who sent it, as its signature proves. */
export const SenderSchema = v.object({
  kind: v.picklist(["user", "node"]),
  name: Name,
  keyId: v.string(),
});
export type Sender = Readonly<v.InferOutput<typeof SenderSchema>>;

/** One that is complete. Nobody changes its bytes. */
export interface Letter {
  readonly from: Sender;
  readonly chunks: readonly Uint8Array[];
  readonly bytes: number;
  /** Unix ms by the clock of its mailbox's node: when it was complete. */
  readonly at: number;
}

/** Arguments of `mailbox.put`: one part of a letter, from `offset` on. */
export const PutSchema = v.strictObject({
  tag: Tag,
  /** Of the letter: random, chosen by its sender. */
  id: v.pipe(v.string(), v.regex(/^[0-9a-f]{32}$/, "Expected 32 hex digits")),
  /** Bytes of the whole letter. */
  total: wholeUpTo(LETTER_BYTES_MAX),
  offset: wholeUpTo(LETTER_BYTES_MAX),
  data: bytes(PART_BYTES_MAX),
  /** How long the first part may wait for room. */
  waitMs: v.optional(wholeUpTo(ROOM_MS_MAX), 0),
});
export type Put = v.InferOutput<typeof PutSchema>;

/**
 * How full a mailbox is, or all mailboxes of its node. `own`: there is room, but not for this sender,
 * who has so much of it already. `ahead`: there is room, but so many came before and wait for it.
 */
export const FullnessSchema = v.object({
  of: v.picklist(["tag", "node"]),
  bytes: v.number(),
  bytesMax: v.number(),
  messages: v.number(),
  messagesMax: v.number(),
  own: v.optional(v.object({ bytes: v.number(), messages: v.number() })),
  ahead: v.optional(v.number()),
});
export type Fullness = Readonly<v.InferOutput<typeof FullnessSchema>>;

/** Reply to a part: taken; or there is no room, and nothing of the letter was kept. */
export const PutReplySchema = v.object({
  kept: v.boolean(),
  full: v.nullable(FullnessSchema),
});
export type PutReply = Readonly<v.InferOutput<typeof PutReplySchema>>;

/** Arguments of `mailbox.take` and `mailbox.receive`; each item into the call asks for one letter. */
export const TakeSchema = v.strictObject({
  tag: Tag,
  /** "NAME", "node:NAME" or "user:NAME". @default anybody */
  from: v.optional(
    v.pipe(v.string(), v.check(isSenderPattern, "Expected a name")),
  ),
  /** How long to wait for each; 0 takes what is there. @default until the call ends */
  waitMs: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(2 ** 40))),
});
export type Take = v.InferOutput<typeof TakeSchema>;

/** The item before a letter's bytes, which follow as items of their own until `bytes` have come. */
export const HeadSchema = v.object({
  from: SenderSchema,
  bytes: wholeUpTo(LETTER_BYTES_MAX),
  at: v.number(),
});
export type Head = Readonly<v.InferOutput<typeof HeadSchema>>;

/** Reply after the last letter. */
export const TakeReplySchema = v.object({ received: v.number() });

/** Arguments of `mailbox.send`: to whom; the bytes are `data`, or the items of the call. */
export const SendSchema = v.strictObject({
  node: Name,
  tag: Tag,
  data: v.optional(bytes(LETTER_BYTES_MAX)),
  /** How long to wait for room there. */
  waitMs: v.optional(wholeUpTo(2 ** 40), 0),
});

/** Of whoever signed. */
export function senderOf({ type, name, keyId }: Identity): Sender {
  return { kind: type === "node" ? "node" : "user", name, keyId };
}

/** "NAME", "user:NAME" or "node:NAME". */
export function isSenderPattern(text: string): boolean {
  return isName(text.replace(/^(user|node):/, ""));
}

/** Whether a letter is from whom `wanted` names; undefined is anybody. */
export function isFrom({ from }: Pick<Letter, "from">, wanted: string | undefined): boolean {
  return wanted === undefined || wanted === from.name || wanted === `${from.kind}:${from.name}`;
}
