/**
 * What two nodes compare first: key ids fall into buckets, and for each bucket a digest says which
 * adverts lie in it. Where digests are equal so is what both have, and nothing more is said of it:
 * in a quiet mesh two tables of thousands of nodes are compared by a few kilobytes.
 *
 * A digest is 8 bytes: those of the signatures of all adverts in the bucket, one over the other by
 * exclusive or. Signatures cover whole adverts, and nobody can choose those of others.
 */

import { ByteReader, ProtocolError } from "../../core/mod.ts";
import { DIGEST_BUCKETS_MAX, DIGEST_NODES } from "./limits.ts";
import type { NodeEntry } from "./node_table.ts";

const DIGEST_BYTES = 8;
/** Hex digits that are enough for so many buckets. */
const BUCKET_DIGITS = 3;

/** A power of two, so that each bucket holds a few nodes. */
export function bucketsFor(nodes: number): number {
  const wanted = 2 ** Math.ceil(Math.log2(Math.max(1, nodes / DIGEST_NODES)));
  return Math.min(DIGEST_BUCKETS_MAX, wanted);
}

/** In which of so many buckets a node lies. */
export function bucketOf(keyId: string, buckets: number): number {
  return parseInt(keyId.slice(0, BUCKET_DIGITS), 16) % buckets;
}

/** One digest after the other. */
export function digestsOf(entries: Iterable<NodeEntry>, buckets: number): Uint8Array<ArrayBuffer> {
  const digests = new Uint8Array(buckets * DIGEST_BYTES);
  for (const { keyId, received: { signature }, forgotten } of entries) {
    const begin = bucketOf(keyId, buckets) * DIGEST_BYTES;
    // The same advert, forgotten, is another thing to know.
    const from = forgotten ? DIGEST_BYTES : 0;
    for (let i = 0; i < DIGEST_BYTES; i++) {
      digests[begin + i] = (digests[begin + i] as number) ^ (signature[from + i] as number);
    }
  }
  return digests;
}

/** The numbers of the buckets that differ, and how many there are. Throws ProtocolError. */
export function differingBuckets(
  theirs: Uint8Array,
  entries: Iterable<NodeEntry>,
): { readonly buckets: number; readonly differing: ReadonlySet<number> } {
  const buckets = theirs.length / DIGEST_BYTES;
  if (buckets < 1 || buckets > DIGEST_BUCKETS_MAX || !Number.isInteger(Math.log2(buckets))) {
    throw new ProtocolError(`Digests fill ${theirs.length} bytes, which is no number of buckets`);
  }
  const ours = digestsOf(entries, buckets);
  const differing = new Set<number>();
  for (let i = 0; i < ours.length; i++) {
    if (ours[i] !== theirs[i]) differing.add(Math.floor(i / DIGEST_BYTES));
  }
  return { buckets, differing };
}

/** Two bytes for each bucket. */
export function encodeBuckets(buckets: Iterable<number>): Uint8Array<ArrayBuffer> {
  return Uint8Array.from([...buckets].flatMap((bucket) => [bucket >> 8, bucket & 0xff]));
}

/** Throws ProtocolError. */
export function decodeBuckets(bytes: Uint8Array): Set<number> {
  const reader = new ByteReader(bytes, "List of buckets");
  const buckets = new Set<number>();
  while (reader.remaining > 0) buckets.add(reader.u16("bucket"));
  return buckets;
}
