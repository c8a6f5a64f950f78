import assert from "node:assert/strict";
import fc from "fast-check";
import { ProtocolError } from "../../../core/mod.ts";
import {
  bucketOf,
  bucketsFor,
  decodeBuckets,
  differingBuckets,
  digestsOf,
  encodeBuckets,
} from "../../../modules/mesh/digests.ts";
import { DIGEST_BUCKETS_MAX, DIGEST_NODES } from "../../../modules/mesh/limits.ts";
import { type NodeEntry, NodeTable } from "../../../modules/mesh/node_table.ts";
import { advertOf, keyIdOf, seededKeys } from "./adverts.ts";

const keys = await seededKeys("digests");
const people = Array.from({ length: 20 }, (_, index) => keys.person({ name: `n${index}` }));

/** Those with a sequence above 0, each with that one. */
function entriesOf(sequences: readonly number[], forgotten: readonly number[] = []): NodeEntry[] {
  const table = new NodeTable();
  sequences.forEach((sequence, index) => {
    const self = people[index];
    if (self === undefined || sequence === 0) return;
    table.put({
      received: advertOf(keys, self, { sequence }),
      identity: self.identity,
      trustedAt: 0,
      forgotten: forgotten.includes(index),
      now: 0,
    });
  });
  return [...table.entries()];
}

Deno.test("digests: differ in the buckets of those that differ, and nowhere else", () => {
  const sequences = fc.array(fc.nat(2), { minLength: people.length, maxLength: people.length });
  fc.assert(
    fc.property(sequences, sequences, fc.constantFrom(1, 2, 16, 64), (ours, theirs, buckets) => {
      const digests = digestsOf(entriesOf(theirs), buckets);
      const found = differingBuckets(digests, entriesOf(ours));
      const wanted = new Set(
        people.flatMap(({ identity }, index) =>
          ours[index] === theirs[index] ? [] : [bucketOf(identity.keyId, buckets)]
        ),
      );
      assert.equal(found.buckets, buckets);
      assert.deepEqual(new Set(found.differing), wanted);
      assert.deepEqual(decodeBuckets(encodeBuckets(found.differing)), wanted);
    }),
    { seed: 3, numRuns: 60 },
  );
});

Deno.test("digests: the order of a table does not matter, that a node is forgotten does", () => {
  const entries = entriesOf([1, 1, 1]);
  assert.deepEqual(digestsOf(entries.toReversed(), 4), digestsOf(entries, 4));
  const { differing } = differingBuckets(digestsOf(entries, 64), entriesOf([1, 1, 1], [1]));
  assert.deepEqual([...differing], [bucketOf(people[1]?.identity.keyId as string, 64)]);
});

Deno.test("digests: buckets grow with the nodes, and lie in what a key id can tell apart", () => {
  assert.deepEqual([0, 1, DIGEST_NODES, 100, 1_000, 1e6].map(bucketsFor), [
    1,
    1,
    1,
    32,
    256,
    DIGEST_BUCKETS_MAX,
  ]);
  for (const name of ["a", "b", "c"]) {
    const bucket = bucketOf(keyIdOf(name), DIGEST_BUCKETS_MAX);
    assert(bucket >= 0 && bucket < DIGEST_BUCKETS_MAX);
  }
});

Deno.test("digests: bytes that are no power of two of them are refused", () => {
  for (const length of [0, 7, 9, 24, 8 * 2 * DIGEST_BUCKETS_MAX]) {
    assert.throws(
      () => differingBuckets(new Uint8Array(length), []),
      (error: unknown) =>
        error instanceof ProtocolError &&
        error.message === `Digests fill ${length} bytes, which is no number of buckets`,
    );
  }
  assert.throws(() => decodeBuckets(new Uint8Array(3)), ProtocolError);
});
