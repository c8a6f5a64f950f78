/**
 * Sends one letter part by part, from a command or from the daemon: each part is a signed request of
 * its own, and the next one goes when the mailbox has said that it has the last. Also how such a
 * request goes through the mesh, hop by hop, as a group operation on one node.
 */

import * as v from "valibot";
import { type Caller, CallError, type Clock } from "../../core/mod.ts";
import { callGroup } from "../shared/group_client.ts";
import type { NodeFailure } from "../shared/group_result.ts";
import { plural } from "../shared/plural.ts";
import { formatSize } from "../shared/size.ts";
import { type Fullness, type Put, type PutReply, PutReplySchema } from "./letter.ts";
import { PART_BYTES_MAX, PUT_MS_MAX, ROOM_MS_MAX, ROOM_RETRY_MS } from "./limits.ts";

export interface Sending {
  readonly tag: string;
  /** 32 random hex digits. */
  readonly id: string;
  readonly body: Uint8Array;
  /** How long to wait for room, in all. */
  readonly waitMs: number;
  readonly clock: Pick<Clock, "monotonic" | "sleep">;
  readonly signal: AbortSignal;
  /** Has one part signed and carried to the mailbox. */
  readonly deliver: (part: Put) => Promise<PutReply>;
}

/** Resolves when the letter is in the mailbox, or there was no room for it; see {@link PutReply}. */
export async function sendLetter(sending: Sending): Promise<PutReply> {
  const { tag, id, body, clock, signal, deliver } = sending;
  const total = body.length;
  const end = clock.monotonic() + sending.waitMs;
  let offset = 0;
  for (;;) {
    const data = body.subarray(offset, offset + PART_BYTES_MAX);
    const patience = offset > 0 ? 0 : Math.max(0, end - clock.monotonic());
    const waitMs = Math.floor(Math.min(patience, ROOM_MS_MAX));
    signal.throwIfAborted();
    const askedAt = clock.monotonic();
    const reply = await deliver({ tag, id, total, offset, data, waitMs });
    if (!reply.kept) {
      if (waitMs === 0 || clock.monotonic() >= end) return reply;
      if (clock.monotonic() - askedAt < ROOM_RETRY_MS) await clock.sleep(ROOM_RETRY_MS, { signal });
      continue;
    }
    offset += data.length;
    if (offset >= total) return reply;
  }
}

/** Carries one signed part along standing links. Rejects with CallError as the target or the way did. */
export async function deliverByGroup(
  caller: Caller,
  options: {
    readonly node: string;
    readonly signed: Uint8Array;
    readonly waitMs: number;
    readonly signal?: AbortSignal;
  },
): Promise<PutReply> {
  const { node, signed, waitMs, ...rest } = options;
  const result = await callGroup(caller, {
    targets: node,
    signed,
    reduce: { kind: "list" },
    deadlineMs: waitMs + PUT_MS_MAX,
    ...rest,
  });
  const failure = result.failures.get(node);
  if (failure !== undefined) throw errorOf(failure);
  return parsePutReply(result.values.get(node));
}

/** @throws CallError */
export function parsePutReply(value: unknown): PutReply {
  const parsed = v.safeParse(PutReplySchema, value, { abortEarly: true });
  if (parsed.success) return parsed.output;
  throw new CallError("failed", `Answer of the mailbox is malformed: ${parsed.issues[0].message}`);
}

/** `Mailbox "jobs" of "n2" is full: 31.9 MB of 33.6 MB, 12 of 1024 messages are unread`. */
export function fullText(full: Fullness, { node, tag }: { node: string; tag: string }): string {
  const what = full.of === "tag" ? `Mailbox "${tag}" of "${node}"` : `Mailboxes of "${node}"`;
  const verb = full.of === "tag" ? "is" : "are";
  let state = full.own === undefined ? `${verb} full` : `${verb} full for you`;
  if (full.ahead !== undefined) {
    state = `has room, but there is a line for it of ${plural(full.ahead, "message")}`;
  }
  const text = `${what} ${state}: ${formatSize(full.bytes)} of ` +
    `${formatSize(full.bytesMax)}, ${full.messages} of ${full.messagesMax} messages are unread`;
  if (full.own === undefined) return text;
  const { bytes, messages } = full.own;
  return `${text}; ${formatSize(bytes)} and ${messages} of them are yours, the rest is for others`;
}

function errorOf({ name, set, reason, ran }: NodeFailure): CallError {
  const doubt = ran === "maybe" ? "; the message may be in the mailbox all the same" : "";
  const text = `Node "${name}" ${WORDS[set]}: ${reason}${doubt}`;
  return new CallError(CLASSES[set], text, { detail: { ran: ran ?? null } });
}

const WORDS = {
  refused: "refused",
  failed: "failed",
  unreachable: "cannot be reached",
  timedOut: "did not answer",
} as const;
const CLASSES = {
  refused: "refused",
  failed: "failed",
  unreachable: "unreachable",
  timedOut: "timeout",
} as const;
