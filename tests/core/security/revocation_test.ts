import assert from "node:assert/strict";
import fc from "fast-check";
import { AuthenticationError, ProtocolError } from "../../../core/errors.ts";
import { verifyChain } from "../../../core/security/chain.ts";
import {
  isNewer,
  NO_REVOCATIONS,
  type Revocation,
  REVOKED_FOR_EVER,
  signRevocations,
  verifyRevocations,
} from "../../../core/security/revocation.ts";
import { ByteWriter, concatBytes, toHex } from "../../../core/wire/bytes.ts";
import {
  certify,
  MESH,
  MESH_ID,
  mutate,
  NOW,
  numbers,
  primitives,
  ROOT,
  ROOT_SEED,
  seed,
} from "./documents.ts";

const A = "aa".repeat(32);
const B = "bb".repeat(32);

function signed(entries: readonly Revocation[], version = 1): Uint8Array {
  return signRevocations(primitives, {
    meshId: MESH_ID,
    version,
    issuedMs: NOW,
    entries,
    rootSeed: ROOT_SEED,
  });
}

function read(bytes: Uint8Array) {
  return verifyRevocations(primitives, { bytes, rootPublicKey: ROOT, meshId: MESH_ID });
}

Deno.test("revocation: by key and time, and a later certificate lets the key in again", () => {
  const list = read(signed([{ keyId: A, time: NOW }, { keyId: B, time: REVOKED_FOR_EVER }], 4));
  assert.ok(list.isRevoked(A, NOW));
  assert.ok(list.isRevoked(A, 0));
  assert.ok(!list.isRevoked(A, NOW + 1));
  assert.ok(list.isRevoked(B, Number.MAX_SAFE_INTEGER));
  assert.ok(!list.isRevoked("cc".repeat(32), 0));
  assert.equal(list.version, 4);
  assert.equal(list.issuedMs, NOW);
  assert.ok(!NO_REVOCATIONS.isRevoked(A, 0));
});

Deno.test("revocation: no other certificate for the key escapes", () => {
  const { keyId } = certify(1);
  const revocations = read(signed([{ keyId, time: NOW }]));
  for (const [serial, name] of [[1n, "n1"], [2n, "n1"], [3n, "renamed"]] as const) {
    const chain = [certify(1, { serial, name }).bytes];
    assert.throws(
      () => verifyChain(primitives, { ...MESH, chain, revocations }),
      new AuthenticationError("revoked", `Key ${keyId} of "${name}" is revoked`),
    );
  }
  const renewed = certify(1, { notBefore: NOW + 1 });
  verifyChain(primitives, { ...MESH, chain: [renewed.bytes], revocations, now: NOW + 1 });
});

Deno.test("revocation: entries are sorted, and of two for one key the later counts", () => {
  const list = read(signed([{ keyId: B, time: 1 }, { keyId: A, time: 9 }, { keyId: B, time: 5 }]));
  assert.deepEqual(list.entries, [{ keyId: A, time: 9 }, { keyId: B, time: 5 }]);
});

Deno.test("revocation: a list is read back as it was signed", () => {
  const id = fc.uint8Array({ minLength: 32, maxLength: 32 }).map(toHex);
  const entry = fc.record(
    { keyId: id, time: fc.integer({ min: 0, max: 2 * NOW }) },
    { noNullPrototype: true },
  );
  fc.assert(
    fc.property(fc.uniqueArray(entry, { selector: (one) => one.keyId }), (entries) => {
      const bytes = signed(entries);
      const list = read(bytes);
      const sorted = entries.toSorted((a, b) => a.keyId < b.keyId ? -1 : 1);
      assert.deepEqual(list.entries, sorted);
      assert.deepEqual([...list.bytes], [...bytes]);
      for (const { keyId, time } of entries) {
        assert.ok(list.isRevoked(keyId, time) && !list.isRevoked(keyId, time + 1));
      }
    }),
    { seed: 8, numRuns: 100 },
  );
});

Deno.test("revocation: only the root of this mesh signs", () => {
  const options = { meshId: MESH_ID, version: 1, issuedMs: NOW, entries: [] };
  const byOther = signRevocations(primitives, { ...options, rootSeed: seed(1) });
  assert.throws(
    () => read(byOther),
    new AuthenticationError("signature", "Revocation list is not signed by the mesh's root"),
  );
  const foreign = signRevocations(primitives, {
    ...options,
    meshId: new Uint8Array(16),
    rootSeed: ROOT_SEED,
  });
  assert.throws(
    () => read(foreign),
    new AuthenticationError(
      "wrong-mesh",
      `Revocation list is of mesh ${"00".repeat(16)}, not of ${toHex(MESH_ID)}`,
    ),
  );
});

Deno.test("revocation: strict about order, count and the end", () => {
  const forged = (count: number, ids: readonly number[], tail = 0) => {
    const writer = new ByteWriter("test").bytes(new TextEncoder().encode("minime-revoke-v1\0"))
      .bytes(MESH_ID).u64(1n, "").u64(1n, "").u32(count, "");
    for (const id of ids) writer.bytes(new Uint8Array(32).fill(id)).u64(1n, "");
    const signature = primitives.sign(ROOT_SEED, writer.finish());
    return writer.bytes(signature).bytes(new Uint8Array(tail)).finish();
  };
  assert.equal(read(forged(2, [1, 2])).entries.length, 2);
  assert.throws(
    () => read(forged(2, [2, 1])),
    /^ProtocolError: .* \(key id\): entries are not in order$/,
  );
  assert.throws(() => read(forged(2, [1, 1])), /^ProtocolError: .* entries are not in order$/);
  assert.throws(() => read(forged(1, [1], 1)), /^ProtocolError: .* \(end\): 1 bytes too many$/);
  assert.throws(() => read(forged(3, [1, 2])), ProtocolError);
  assert.throws(
    () => read(forged(10_001, [])),
    /^ProtocolError: .* 10001 entries, 10000 is the most$/,
  );
  assert.throws(() => read(forged(0xffff_ffff, [])), /4294967295 entries, 10000 is the most$/);
});

Deno.test("revocation: too many are refused when signing", () => {
  const entries = Array.from(
    { length: 10_001 },
    (_, index) => ({ keyId: index.toString(16).padStart(64, "0"), time: 1 }),
  );
  assert.throws(
    () => signed(entries),
    new ProtocolError("Cannot revoke 10001 keys: 10000 is the most"),
  );
  assert.equal(read(signed(entries.slice(1))).entries.length, 10_000);
});

Deno.test("revocation: documents are ordered by version, then hash", () => {
  const low = { version: 1, hash: new Uint8Array([9]) };
  const high = { version: 2, hash: new Uint8Array([1]) };
  const tie = { version: 2, hash: new Uint8Array([2]) };
  assert.ok(isNewer(high, low) && !isNewer(low, high));
  assert.ok(isNewer(tie, high) && !isNewer(high, tie));
  assert.ok(!isNewer(tie, tie));
});

Deno.test("revocation: 10,000 mutated lists are refused", () => {
  const next = numbers(9);
  const bytes = signed([{ keyId: A, time: 1 }, { keyId: B, time: 2 }]);
  for (let count = 0; count < 10_000; count++) {
    const mutant = mutate(bytes, next);
    assert.throws(
      () => read(mutant),
      (error) => error instanceof ProtocolError || error instanceof AuthenticationError,
    );
  }
  assert.throws(() => read(concatBytes(bytes, bytes)), ProtocolError);
});
