/**
 * What one node tells another of the adverts that it has, where their digests differ: for each key the
 * version. Bytes, since it may name ten thousands of nodes:
 *
 *   u32 count | (key id 32 | u64 incarnation | u64 sequence | instance 16 | u8 flags (1: forgotten))...
 *
 * All but the flags stand so in the advert itself.
 */

import { ByteReader, ByteWriter, KEY_ID_BYTES, toHex } from "../../core/mod.ts";
import { type AdvertVersion, versionBytesOf } from "./advert.ts";
import { NODES_MAX } from "./limits.ts";
import type { NodeEntry } from "./node_table.ts";

export interface SummaryItem extends AdvertVersion {
  readonly keyId: string;
  readonly forgotten: boolean;
}

const INSTANCE_BYTES = 16;
const ITEM_BYTES = KEY_ID_BYTES + 8 + 8 + INSTANCE_BYTES + 1;
const FLAG_FORGOTTEN = 1;

export function encodeSummary(entries: readonly NodeEntry[]): Uint8Array<ArrayBuffer> {
  const count = entries.length;
  const writer = new ByteWriter("summary", 4 + ITEM_BYTES * count).u32(count, "count");
  for (const { received, forgotten } of entries) {
    writer.bytes(versionBytesOf(received)).u8(forgotten ? FLAG_FORGOTTEN : 0, "flags");
  }
  return writer.finish();
}

/** Throws ProtocolError. */
export function decodeSummary(bytes: Uint8Array): SummaryItem[] {
  const reader = new ByteReader(bytes, "Summary");
  const count = reader.u32("count");
  if (count > NODES_MAX) throw reader.error("count", `${count} nodes, ${NODES_MAX} is the most`);
  if (count * ITEM_BYTES !== reader.remaining) {
    throw reader.error("count", `${count} nodes do not fill ${reader.remaining} bytes`);
  }
  return Array.from({ length: count }, () => ({
    keyId: toHex(reader.bytes(KEY_ID_BYTES, "key id")),
    incarnation: reader.u64Number("incarnation"),
    sequence: reader.u64Number("sequence"),
    instance: toHex(reader.bytes(INSTANCE_BYTES, "instance")),
    forgotten: reader.u8("flags") === FLAG_FORGOTTEN,
  }));
}
