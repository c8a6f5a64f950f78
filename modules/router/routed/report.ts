/**
 * What a receiver tells the sender of a routed conduit, sealed like everything else:
 *
 *   u8 flags | u64 next | u32 room | u8 count | count x (u16 from, u16 length)
 *
 * `next` is the number expected next: all below it have arrived. `room` is how many bytes from there
 * on the receiver will take. Each range has arrived too: `length` numbers from `next + from`, rising.
 * Flag 1 asks for a report in return. Pure functions.
 */

import { ByteReader, ByteWriter } from "../../../core/mod.ts";
import { REPORT_RANGES_MAX, WINDOW_BYTES_MAX } from "./limits.ts";

const FLAG_ASK = 1;
const RANGE_BYTES = 4;
const FIXED_BYTES = 14;

/** `length` numbers from `from` on, both counted from the report's `next`. */
export interface Range {
  readonly from: number;
  readonly length: number;
}

export interface Report {
  /** The other end wants to know what has arrived here. */
  readonly asks: boolean;
  readonly next: number;
  readonly room: number;
  readonly ranges: readonly Range[];
}

export function encodeReport(report: Report): Uint8Array<ArrayBuffer> {
  const writer = new ByteWriter("Report", FIXED_BYTES + RANGE_BYTES * report.ranges.length)
    .u8(report.asks ? FLAG_ASK : 0, "flags")
    .u64(report.next, "next")
    .u32(report.room, "room")
    .u8(report.ranges.length, "ranges");
  for (const { from, length } of report.ranges) writer.u16(from, "from").u16(length, "length");
  return writer.finish();
}

/** Throws ProtocolError. */
export function decodeReport(bytes: Uint8Array): Report {
  const reader = new ByteReader(bytes, "Report");
  const flags = reader.u8("flags");
  if (flags > FLAG_ASK) throw reader.error("flags", `are ${flags}`);
  const next = reader.u64Number("next");
  // Nobody has more, so what claims more has no more than that.
  const room = Math.min(WINDOW_BYTES_MAX, reader.u32("room"));
  const count = reader.u8("ranges");
  if (count > REPORT_RANGES_MAX) throw reader.error("ranges", `are ${count}`);
  const ranges: Range[] = [];
  let above = 0;
  for (let i = 0; i < count; i++) {
    const from = reader.u16("from");
    const length = reader.u16("length");
    // The number expected next is missing, and there is a hole between two ranges.
    if (from <= above || length === 0) throw reader.error("range", `is ${length} from ${from}`);
    above = from + length;
    ranges.push({ from, length });
  }
  reader.end();
  return { asks: flags === FLAG_ASK, next, room, ranges };
}
