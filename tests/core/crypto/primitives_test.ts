/** What all engines promise alike, and how one set is chosen. */

import assert from "node:assert/strict";
import { ed25519 } from "@noble/curves/ed25519.js";
import { sha512 } from "@noble/hashes/sha2.js";
import fc from "fast-check";
import { choosePrimitives, chooseSigning } from "../../../core/crypto/choose_primitives.ts";
import type { Primitives } from "../../../core/crypto/primitives.ts";
import { ENGINES, FFI, hex, NATIVE, NOBLE, primitivesOf } from "./engines.ts";

const ALL = ENGINES.map((engine) => ({ name: engine.source, primitives: primitivesOf(engine) }));
const REFERENCE = primitivesOf(NOBLE);
const SEED = { seed: 20261122 };
const EMPTY = new Uint8Array(0);

const key = fc.uint8Array({ minLength: 32, maxLength: 32 });
const text = fc.uint8Array({ maxLength: 300 });
const nonce = fc.oneof(fc.nat(), fc.maxSafeNat());

function onEach(what: string, run: (primitives: Primitives) => void): void {
  for (const { name, primitives } of ALL) {
    Deno.test(`primitives: ${what} on ${name}`, () => run(primitives));
  }
}

Deno.test("primitives: every engine agrees with the reference on curves", () => {
  fc.assert(
    fc.property(key, key, text, (ours, theirs, message) => {
      const publicKey = REFERENCE.dhPublicKey(theirs);
      const signer = REFERENCE.signPublicKey(ours);
      const signature = REFERENCE.sign(ours, message);
      const shared = REFERENCE.dh(ours, publicKey);
      for (const { name, primitives } of ALL) {
        assert.deepEqual(primitives.dhPublicKey(theirs), publicKey, name);
        assert.deepEqual(primitives.dh(ours, publicKey), shared, name);
        assert.deepEqual(primitives.signPublicKey(ours), signer, name);
        assert.deepEqual(primitives.sign(ours, message), signature, name);
        assert.equal(primitives.verify(signer, message, signature), true, name);
      }
    }),
    { ...SEED, numRuns: 15 },
  );
});

Deno.test("primitives: every engine agrees with the reference on random keys and signatures", () => {
  // One bit flipped somewhere in the key, the message or the signature: nobody may still accept it.
  fc.assert(
    fc.property(key, text, fc.nat(), (seed, message, where) => {
      const parts = [
        REFERENCE.signPublicKey(seed),
        message,
        REFERENCE.sign(seed, message),
      ] as const;
      const bits = parts.reduce((sum, part) => sum + part.length * 8, 0);
      let bit = where % bits;
      const changed = parts.map((part) => {
        const copy = new Uint8Array(part);
        if (bit >= 0 && bit < part.length * 8) copy[bit >> 3]! ^= 1 << (bit & 7);
        bit -= part.length * 8;
        return copy;
      });
      for (const { name, primitives } of ALL) {
        assert.equal(primitives.verify(changed[0]!, changed[1]!, changed[2]!), false, name);
      }
    }),
    { ...SEED, numRuns: 20 },
  );
});

Deno.test("primitives: every engine agrees with the reference on hashes", () => {
  fc.assert(
    fc.property(fc.array(text, { maxLength: 4 }), text, (parts, secret) => {
      const whole = Uint8Array.from(parts.flatMap((part) => [...part]));
      const hash = REFERENCE.sha256(whole);
      const mac = REFERENCE.hmac(secret, whole);
      const derived = REFERENCE.hkdf(secret, whole, { bytes: 96 });
      for (const { name, primitives } of ALL) {
        assert.deepEqual(primitives.sha256(...parts), hash, name);
        assert.deepEqual(primitives.hmac(secret, ...parts), mac, name);
        assert.deepEqual(primitives.hkdf(secret, whole, { bytes: 96 }), derived, name);
        const running = primitives.startSha256();
        for (const part of parts) running.update(part);
        assert.deepEqual(running.digest(), hash, name);
      }
    }),
    { ...SEED, numRuns: 100 },
  );
});

Deno.test("primitives: every engine agrees with the reference on sealed bytes", () => {
  const plaintexts = fc.oneof(text, fc.nat({ max: 70_000 }).map((n) => new Uint8Array(n).fill(n)));
  fc.assert(
    fc.property(key, nonce, text, plaintexts, (secret, n, ad, plaintext) => {
      using reference = REFERENCE.createAead(secret);
      const expected = new Uint8Array(plaintext.length + 16);
      reference.seal(n, ad, plaintext, expected);
      for (const { name, primitives } of ALL) {
        using aead = primitives.createAead(secret);
        const sealed = new Uint8Array(expected.length);
        assert.equal(aead.seal(n, ad, plaintext, sealed), expected.length, name);
        assert.ok(equal(sealed, expected), name);
        const opened = new Uint8Array(plaintext.length);
        assert.equal(aead.open(n, ad, sealed, opened), plaintext.length, name);
        assert.ok(equal(opened, plaintext), name);
      }
    }),
    { ...SEED, numRuns: 60 },
  );
});

Deno.test("primitives: signatures that only the cofactor saves are refused by every engine", () => {
  // A signer may add a point of order 8 to his key. [8][S]B = [8]R + [8][k]A then always holds, and
  // [S]B = R + [k]A for one message in eight: verifiers that choose differently would split a mesh.
  const { Point } = ed25519;
  const order8 = Point.fromHex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05");
  const [a, r] = [123_456_789n, 987_654_321n];
  const publicKey = Point.BASE.multiply(a).add(order8).toBytes();
  const R = Point.BASE.multiply(r).toBytes();
  const seen = { accepted: 0, refused: 0 };
  for (let i = 0; i < 40; i++) {
    const message = Uint8Array.of(i);
    const digest = sha512(Uint8Array.of(...R, ...publicKey, ...message));
    const k = BigInt(`0x${digest.toReversed().toHex()}`) % Point.Fn.ORDER;
    const s = Point.Fn.create(r + k * a);
    const signature = new Uint8Array(64);
    signature.set(R);
    signature.set(hex(s.toString(16).padStart(64, "0")).reverse(), 32);
    assert.ok(ed25519.verify(signature, message, publicKey, { zip215: false }), "built as meant");
    const expected = k % 8n === 0n;
    for (const { name, primitives } of ALL) {
      assert.equal(primitives.verify(publicKey, message, signature), expected, `${name} ${i}`);
    }
    expected ? seen.accepted++ : seen.refused++;
  }
  assert.ok(seen.accepted > 0 && seen.refused > 0);
});

onEach("a signature by a small-order key is refused", ({ verify }) => {
  const forged = new Uint8Array(64);
  forged[0] = 1; // R is the identity, S is 0.
  for (const y of ["01", "ee"]) {
    const publicKey = hex(y === "01" ? `01${"00".repeat(31)}` : `ee${"ff".repeat(30)}7f`);
    assert.equal(verify(publicKey, hex("6d73"), forged), false);
  }
});

onEach("malformed keys and signatures are refused without an exception", ({ verify }) => {
  const good = new Uint8Array(32).fill(9);
  for (const bytes of [0, 31, 33]) {
    assert.equal(verify(new Uint8Array(bytes), good, new Uint8Array(64)), false);
  }
  for (const bytes of [0, 63, 65]) assert.equal(verify(good, good, new Uint8Array(bytes)), false);
  // y = 2 is on no point of the curve; y = p + 3 is a second encoding of y = 3.
  assert.equal(verify(hex(`02${"00".repeat(31)}`), good, new Uint8Array(64)), false);
  assert.equal(verify(hex(`f0${"ff".repeat(30)}7f`), good, new Uint8Array(64)), false);
});

onEach("keys of a wrong length are named", (primitives) => {
  const [short, good] = [new Uint8Array(31), new Uint8Array(32)];
  const cases: [() => unknown, string][] = [
    [() => primitives.dhPublicKey(short), "Secret must have 32 bytes, not 31"],
    [() => primitives.dh(short, good), "Secret must have 32 bytes, not 31"],
    [() => primitives.dh(good, short), "Public key must have 32 bytes, not 31"],
    [() => primitives.signPublicKey(short), "Seed must have 32 bytes, not 31"],
    [() => primitives.sign(short, good), "Seed must have 32 bytes, not 31"],
    [() => primitives.createAead(short), "Key must have 32 bytes, not 31"],
  ];
  for (const [run, message] of cases) assert.throws(run, { name: "RangeError", message });
});

onEach("sealing and opening in place, inside a larger buffer", ({ createAead }) => {
  using aead = createAead(new Uint8Array(32).fill(1));
  const plaintext = new TextEncoder().encode("in place");
  const buffer = new Uint8Array(64).fill(0xaa);
  const apart = new Uint8Array(24);
  aead.seal(7, EMPTY, plaintext, apart);
  buffer.set(plaintext, 2);
  assert.equal(aead.seal(7, EMPTY, buffer.subarray(2, 10), buffer.subarray(2)), 24);
  assert.deepEqual(buffer.subarray(2, 26), apart);
  assert.deepEqual(buffer.subarray(26), new Uint8Array(38).fill(0xaa));
  assert.equal(aead.open(7, EMPTY, buffer.subarray(2, 26), buffer.subarray(2)), 8);
  assert.deepEqual(buffer.subarray(2, 10), plaintext);
});

onEach("whatever is changed, nothing opens and no plaintext is left", ({ createAead }) => {
  using aead = createAead(new Uint8Array(32).fill(1));
  const [plaintext, ad] = [new Uint8Array(40).fill(0x55), hex("0102")];
  const sealed = new Uint8Array(56);
  aead.seal(3, ad, plaintext, sealed);
  const refused = {
    name: "AuthenticationError",
    message: /^Sealed bytes were changed \(\d+ bytes\)$/,
  };
  function refuse(n: number, data: Uint8Array, bytes: Uint8Array): void {
    const out = new Uint8Array(56);
    assert.throws(() => aead.open(n, data, bytes, out), { ...refused, reason: "tag" });
    assert.ok(out.every((byte) => byte === 0));
  }
  for (let bit = 0; bit < sealed.length * 8; bit++) {
    const changed = new Uint8Array(sealed);
    changed[bit >> 3]! ^= 1 << (bit & 7);
    refuse(3, ad, changed);
  }
  refuse(4, ad, sealed);
  refuse(3, EMPTY, sealed);
  refuse(3, ad, sealed.subarray(1));
  for (const bytes of [0, 15, 16, 55]) refuse(3, ad, sealed.subarray(0, bytes));
  const out = new Uint8Array(40);
  assert.equal(aead.open(3, ad, sealed, out), 40, "a failure does no harm to the key");
  assert.deepEqual(out, plaintext);
});

onEach("lengths and counters out of range are named", ({ createAead }) => {
  using aead = createAead(new Uint8Array(32));
  const out = new Uint8Array(20);
  for (const n of [-1, 0.5, NaN, 2 ** 53]) {
    const message = `Nonce must be a whole number from 0 to 2^53 - 1, not ${n}`;
    assert.throws(() => aead.seal(n, EMPTY, EMPTY, out), { name: "RangeError", message });
    assert.throws(() => aead.open(n, EMPTY, out, out), { name: "RangeError", message });
  }
  assert.throws(() => aead.seal(0, EMPTY, new Uint8Array(5), out), {
    name: "RangeError",
    message: "out must have 21 bytes at least, not 20",
  });
  assert.throws(() => aead.open(0, EMPTY, new Uint8Array(37), out), {
    name: "RangeError",
    message: "out must have 21 bytes at least, not 20",
  });
});

onEach("a disposed key refuses everything", ({ createAead }) => {
  const aead = createAead(new Uint8Array(32));
  const out = new Uint8Array(16);
  aead.seal(0, EMPTY, EMPTY, out);
  aead[Symbol.dispose]();
  aead[Symbol.dispose]();
  const error = { name: "MinimeError", message: "Key cannot be used: it is disposed" };
  assert.throws(() => aead.seal(1, EMPTY, EMPTY, out), error);
  assert.throws(() => aead.open(0, EMPTY, out, EMPTY), error);
  assert.throws(() => aead.rekey(), error);
});

onEach("the caller's key may be wiped after the key is made", ({ createAead }) => {
  const secret = new Uint8Array(32).fill(8);
  using aead = createAead(secret);
  secret.fill(0);
  using same = createAead(new Uint8Array(32).fill(8));
  const [a, b] = [new Uint8Array(16), new Uint8Array(16)];
  aead.seal(0, EMPTY, EMPTY, a);
  same.seal(0, EMPTY, EMPTY, b);
  assert.deepEqual(a, b);
});

Deno.test(
  "choice: without wishes the fastest engine does everything",
  { ignore: !FFI },
  async () => {
    using primitives = await choosePrimitives();
    assert.deepEqual(primitives.chosen, {
      signatures: "ffi",
      agreement: "ffi",
      hashes: "ffi",
      aead: "ffi",
      notes: [],
    });
  },
);

Deno.test("choice: an engine that lacks an operation gives way to the next, with a note", async () => {
  using primitives = await choosePrimitives({ sources: ["native", "noble"] });
  assert.deepEqual(
    primitives.chosen,
    NATIVE.aead
      ? {
        signatures: "native",
        agreement: "native",
        hashes: "native",
        aead: "native",
        notes: [],
      }
      : {
        signatures: "native",
        agreement: "native",
        hashes: "native",
        aead: "noble",
        notes: ["native aead: Not in this runtime"],
      },
  );
});

Deno.test("choice: what is chosen for signing signs as everything does", async () => {
  for (const source of ["ffi", "native", "noble"] as const) {
    if (source === "ffi" && !FFI) continue;
    using signing = await chooseSigning({ sources: [source] });
    using all = await choosePrimitives({ sources: [source, "noble"] });
    const seed = new Uint8Array(32).fill(9);
    const signature = signing.sign(seed, seed);
    assert.deepEqual(signature, all.sign(seed, seed), source);
    assert.ok(signing.verify(all.signPublicKey(seed), seed, signature), source);
    assert.deepEqual(signing.sha256(seed), all.sha256(seed), source);
  }
  await assert.rejects(chooseSigning({ sources: [] }), { name: "MinimeError" });
});

Deno.test("choice: nothing left to choose from is an error that says why", async () => {
  await assert.rejects(choosePrimitives({ sources: [] }), {
    name: "MinimeError",
    message: "No cryptography works on this host: nothing was tried",
  });
});

Deno.test(
  "choice: disposing frees living keys, which refuse from then on",
  { ignore: !FFI },
  async () => {
    const primitives = await choosePrimitives({ sources: ["ffi"] });
    const out = new Uint8Array(16);
    const [used, unused] = [new Uint8Array(32), new Uint8Array(32)].map(primitives.createAead);
    used!.seal(0, EMPTY, EMPTY, out);
    const hash = primitives.startSha256();
    primitives[Symbol.dispose]();
    primitives[Symbol.dispose]();
    const disposed = { message: "Cryptography cannot be used: its engine is disposed" };
    const gone = { message: "Cipher cannot be used: it went with its engine" };
    const finished = { message: "Hash cannot be used: it is finished or its engine is disposed" };
    assert.throws(() => used!.seal(1, EMPTY, EMPTY, out), gone);
    assert.throws(() => unused!.seal(1, EMPTY, EMPTY, out), disposed);
    assert.throws(() => hash.digest(), finished);
    assert.throws(() => primitives.sha256(out), finished);
    assert.throws(() => primitives.startSha256(), disposed);
    assert.throws(() => primitives.hmac(out, out), disposed);
    assert.throws(() => primitives.dhPublicKey(new Uint8Array(32)), disposed);
    assert.throws(() => primitives.sign(new Uint8Array(32), out), disposed);
    assert.throws(() => primitives.verify(hex("03".repeat(32)), out, new Uint8Array(64)), disposed);
    used![Symbol.dispose]();
  },
);

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}
