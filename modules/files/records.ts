/**
 * What goes over the wire between who sends files and who gets them. The sender lists what there is, a
 * batch at a time; the receiver answers which of the files it needs; then comes their content, each
 * with its hash behind it. Records are put together into pieces, so that ten thousand small files do
 * not become ten thousand messages.
 *
 *   sender    in PATH | d PATH MODE MODIFIED [STICKY] | f NAME SIZE MODE MODIFIED [SHA-256] | l NAME TARGET
 *             ask BATCH | go INDEX FROM | bytes … | sum SHA-256 (or skip) | end
 *   receiver  need BATCH RANGES PARTS
 */

import { decodeValue, encodeCanonical, ProtocolError } from "../../core/mod.ts";
import {
  BATCH_ENTRIES_MAX,
  ENTRY_BYTES,
  PATH_BYTES_MAX,
  PIECE_BYTES,
  PIECE_BYTES_MAX,
} from "./limits.ts";
import { checkedPath, isFileName } from "./names.ts";

/** From here on names are meant in this folder, which was listed before. */
export type InRecord = readonly ["in", path: string];
/** Without the last one, by those who do not know of it, that bit stays as it is. */
export type FolderRecord = readonly [
  "d",
  path: string,
  mode: number,
  modified: number,
  isSticky?: boolean,
];
export type FileRecord = readonly [
  "f",
  name: string,
  size: number,
  mode: number,
  modified: number,
  sum?: Uint8Array,
];
export type LinkRecord = readonly ["l", name: string, target: string];
export type Entry = InRecord | FolderRecord | FileRecord | LinkRecord;

/** Of a file that was needed: index among the files of the batch, and where its content begins. */
export type GoRecord = readonly ["go", index: number, from: number];
export type SentRecord =
  | Entry
  | readonly ["ask", batch: number]
  | GoRecord
  | Uint8Array
  | readonly ["sum", sum: Uint8Array]
  /** It could not be read to its end. */
  | readonly ["skip"]
  | readonly ["end"];

/** What is left of a file from before: its length, and the hash of that. */
export type Part = readonly [index: number, size: number, sum: Uint8Array];
/** Indices of needed files as ranges: first, last, first, last, … */
export type NeedRecord = readonly [
  "need",
  batch: number,
  ranges: readonly number[],
  parts: readonly Part[],
];

/** Of a folder: what is in it can be removed by its owner only. */
export const STICKY = 0o1000;

const HASH_BYTES = 32;
/** Permission bits only: nobody gets a program that runs as somebody else. */
const MODE_MAX = 0o777;

/** Puts records together. */
export class Packer {
  #records: SentRecord[] = [];
  #bytes = 0;

  /** A piece, when there is enough for one. */
  add(record: SentRecord): Uint8Array | undefined {
    this.#records.push(record);
    this.#bytes += record instanceof Uint8Array ? record.length : weightOf(record);
    return this.#bytes >= PIECE_BYTES ? this.flush() : undefined;
  }

  /** What there is. */
  flush(): Uint8Array | undefined {
    if (this.#records.length === 0) return undefined;
    const piece = encodeCanonical(this.#records);
    this.#records = [];
    this.#bytes = 0;
    return piece;
  }
}

/** What a record weighs in a batch. */
export function weightOf(record: Exclude<SentRecord, Uint8Array>): number {
  return record.reduce<number>(
    (sum, each) => sum + (typeof each === "string" ? 3 * each.length : 0),
    ENTRY_BYTES,
  );
}

/** Views of the piece, which nobody changes. Throws ProtocolError for what no sender of ours says. */
export function readPiece(piece: Uint8Array): SentRecord[] {
  if (piece.length > PIECE_BYTES_MAX) throw wrong();
  const records = decodeValue(piece, { owned: true });
  if (!Array.isArray(records)) throw wrong();
  return records.map(readRecord);
}

/** Throws ProtocolError. */
export function readNeed(value: unknown): NeedRecord {
  if (!Array.isArray(value) || value.length !== 4 || value[0] !== "need") throw wrong();
  const [, batch, ranges, parts]: unknown[] = value;
  if (!isCount(batch) || !Array.isArray(ranges) || !Array.isArray(parts)) throw wrong();
  if (ranges.length > 2 * BATCH_ENTRIES_MAX || parts.length > BATCH_ENTRIES_MAX) throw wrong();
  if (!ranges.every(isCount) || !parts.every(isPart)) throw wrong();
  return ["need", batch, ranges, parts];
}

/** As bytes of their own, as a receiver sends them in a session. */
export function encodeNeed(need: NeedRecord): Uint8Array {
  return encodeCanonical(need);
}

/** Of rising indices. */
export function toRanges(indices: readonly number[]): number[] {
  const ranges: number[] = [];
  for (const index of indices) {
    if (ranges.length > 0 && ranges.at(-1) === index - 1) ranges[ranges.length - 1] = index;
    else ranges.push(index, index);
  }
  return ranges;
}

/** Throws ProtocolError when they do not rise, or there are more than `count`. */
export function fromRanges(ranges: readonly number[], count: number): number[] {
  const indices: number[] = [];
  for (let at = 0; at < ranges.length; at += 2) {
    const [first = 0, last = -1] = ranges.slice(at, at + 2);
    if (first > last || last >= count || first <= (indices.at(-1) ?? -1)) throw wrong();
    for (let index = first; index <= last; index++) indices.push(index);
  }
  return indices;
}

function readRecord(value: unknown): SentRecord {
  if (value instanceof Uint8Array) return value;
  if (!Array.isArray(value)) throw wrong();
  const [kind, a, b, c, d, e]: unknown[] = value;
  switch (kind) {
    case "in":
      return [kind, checkedPath(a)];
    case "d":
      if (a === "" || !isMode(b) || !isTime(c)) throw wrong();
      if (d === undefined) return [kind, checkedPath(a), b, c];
      if (typeof d !== "boolean") throw wrong();
      return [kind, checkedPath(a), b, c, d];
    case "f":
      if (!isFileName(a) || !isCount(b) || !isMode(c) || !isTime(d)) throw wrong();
      if (e === undefined) return [kind, a, b, c, d];
      if (!isSum(e)) throw wrong();
      return [kind, a, b, c, d, e];
    case "l":
      if (!isFileName(a) || !isTarget(b)) throw wrong();
      return [kind, a, b];
    case "ask":
      if (!isCount(a)) throw wrong();
      return [kind, a];
    case "go":
      if (!isCount(a) || !isCount(b)) throw wrong();
      return [kind, a, b];
    case "sum":
      if (!isSum(a)) throw wrong();
      return [kind, a];
    case "skip":
    case "end":
      return [kind];
    default:
      throw wrong();
  }
}

function isPart(value: unknown): value is Part {
  return Array.isArray(value) && value.length === 3 && isCount(value[0]) && isCount(value[1]) &&
    isSum(value[2]);
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

/** A link may lead anywhere, for nobody follows it here. */
function isTarget(value: unknown): value is string {
  return typeof value === "string" && value !== "" && !value.includes("\0") &&
    value.length <= PATH_BYTES_MAX;
}

function isMode(value: unknown): value is number {
  return isCount(value) && value <= MODE_MAX;
}

/** Unix ms, also before 1970. */
function isTime(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && Math.abs(value) <= 8.64e15;
}

function isSum(value: unknown): value is Uint8Array {
  return value instanceof Uint8Array && value.length === HASH_BYTES;
}

function wrong(): ProtocolError {
  return new ProtocolError("What was sent is no files");
}
