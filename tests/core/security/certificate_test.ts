import assert from "node:assert/strict";
import { ed25519 } from "@noble/curves/ed25519.js";
import fc from "fast-check";
import { ProtocolError } from "../../../core/errors.ts";
import {
  CERTIFICATE_TYPES,
  isSignedBy,
  keyIdOf,
  parseCertificate,
} from "../../../core/security/certificate.ts";
import { ByteWriter, concatBytes, fromHex, toHex } from "../../../core/wire/bytes.ts";
import {
  certify,
  certifyIssuer,
  MESH_ID,
  mutate,
  NOW,
  numbers,
  primitives,
  ROOT,
  seed,
} from "./documents.ts";

type Pair = [string, Uint8Array | string];

/** A certificate written field by field as SECURITY.md 4 lays it out; parsing asks for no signature. */
function raw(
  fields: {
    magic?: string;
    type?: number;
    name?: string;
    signKey?: Uint8Array;
    dhKey?: Uint8Array;
    notBefore?: bigint;
    notAfter?: bigint;
    groups?: string[];
    critical?: Pair[];
    extensions?: Pair[];
  } = {},
): Uint8Array {
  const pairs = (out: ByteWriter, [key, value]: Pair) => out.lp(key, "").lp(value, "");
  return new ByteWriter("test")
    .bytes(new TextEncoder().encode(fields.magic ?? "minime-cert-v1\0"))
    .u8(fields.type ?? 1, "")
    .u64(7n, "")
    .bytes(MESH_ID)
    .lp(fields.name ?? "n7", "")
    .bytes(fields.signKey ?? primitives.signPublicKey(seed(7)))
    .bytes(fields.dhKey ?? primitives.dhPublicKey(seed(7)))
    .u64(fields.notBefore ?? 1n, "")
    .u64(fields.notAfter ?? 2n, "")
    .list(fields.groups ?? ["compute"], "", (out, group) => out.lp(group, ""))
    .list(fields.critical ?? [], "", pairs)
    .list(fields.extensions ?? [], "", pairs)
    .bytes(primitives.sha256(ROOT))
    .bytes(new Uint8Array(64))
    .finish();
}

function refuses(bytes: Uint8Array, text: RegExp): void {
  assert.throws(() => parseCertificate(primitives, bytes), (error: unknown) => {
    assert.ok(error instanceof ProtocolError, String(error));
    assert.match(error.message, text);
    return true;
  });
}

function issue(types: number[], patterns: string[], groups: string[]): Uint8Array {
  return new ByteWriter("test").list(types, "", (out, type) => out.u8(type, ""))
    .list(patterns, "", (out, pattern) => out.lp(pattern, ""))
    .list(groups, "", (out, group) => out.lp(group, ""))
    .u64(1000n, "").finish();
}

Deno.test("certificate: the bytes are those of SECURITY.md 4", () => {
  const certificate = certify(7, {
    notBefore: 1,
    notAfter: 2,
    unixUser: "alice",
    type: "user",
    name: "alice",
    groups: ["ops", "users"],
  });
  const wanted = raw({
    type: 2,
    name: "alice",
    groups: ["ops", "users"],
    extensions: [["unix-user", "alice"]],
  });
  assert.equal(toHex(certificate.signed), toHex(wanted.subarray(0, -64)));
  assert.equal(
    toHex(certificate.bytes),
    toHex(concatBytes(certificate.signed, certificate.signature)),
  );
  assert.ok(ed25519.verify(certificate.signature, certificate.signed, ROOT));
});

Deno.test("certificate: what was signed is read back", () => {
  const name = fc.stringMatching(/^[a-z0-9][a-z0-9._-]{0,20}$/);
  const fields = fc.record({
    type: fc.constantFrom("node" as const, "user" as const),
    serial: fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
    name,
    groups: fc.array(name, { maxLength: 12 }),
    notBefore: fc.integer({ min: 0, max: NOW }),
    notAfter: fc.integer({ min: NOW, max: 2 * NOW }),
    extensions: fc.dictionary(name, fc.uint8Array({ maxLength: 60 }), {
      maxKeys: 5,
      noNullPrototype: true,
    }),
  });
  fc.assert(
    fc.property(fields, ({ extensions, ...fields }) => {
      const pairs = new Map(Object.entries(extensions));
      const certificate = certify(9, { ...fields, extensions: pairs });
      const back = parseCertificate(primitives, certificate.bytes);
      assert.deepEqual(back, certificate);
      const { type, serial, name, groups, notBefore, notAfter } = back;
      assert.deepEqual({ type, serial, name, groups, notBefore, notAfter }, fields);
      assert.deepEqual([...back.extensions], [...pairs]);
      assert.equal(back.keyId, toHex(primitives.sha256(primitives.signPublicKey(seed(9)))));
      assert.equal(back.issuerKeyId, keyIdOf(primitives, ROOT));
      assert.ok(isSignedBy(primitives, { certificate: back, publicKey: ROOT }));
    }),
    { seed: 5, numRuns: 200 },
  );
});

Deno.test("certificate: an issuer's constraint is read back", () => {
  const issuer = certifyIssuer(50);
  assert.deepEqual(parseCertificate(primitives, issuer.bytes).constraint, {
    types: ["node", "user"],
    namePatterns: ["n*", "u*"],
    groups: ["compute", "users"],
    longestValidityMs: 90 * 86_400_000,
  });
  assert.equal(certify(1).constraint, undefined);
});

Deno.test("certificate: a request is signed by its own key and needs no mesh", () => {
  const request = certify(8, {
    type: "request",
    meshId: new Uint8Array(16),
    groups: [],
    issuerSeed: seed(8),
  });
  assert.equal(request.issuerKeyId, request.keyId);
  assert.ok(isSignedBy(primitives, { certificate: request, publicKey: request.signPublicKey }));
  assert.ok(!isSignedBy(primitives, { certificate: request, publicKey: ROOT }));
});

Deno.test("certificate: keeps the bytes it came as, whatever happens to the buffer", () => {
  const received = certify(1).bytes.slice();
  const certificate = parseCertificate(primitives, received);
  received.fill(0);
  assert.deepEqual(certificate.bytes, certify(1).bytes);
  assert.ok(isSignedBy(primitives, { certificate, publicKey: ROOT }));
});

Deno.test("certificate: the plain one of these tests is accepted", () => {
  assert.equal(parseCertificate(primitives, raw()).name, "n7");
});

Deno.test("certificate: trailing bytes, missing bytes and other formats are refused", () => {
  const bytes = certify(1).bytes;
  refuses(
    concatBytes(bytes, new Uint8Array(1)),
    /^Certificate is malformed at byte \d+ \(end\): 1 bytes too many$/,
  );
  for (let length = 0; length < bytes.length; length++) {
    refuses(bytes.subarray(0, length), /^Certificate is malformed at byte \d+ \([a-z A-Z_]+\): /);
  }
  refuses(raw({ magic: "minime-cert-v2\0" }), /\(magic\): other bytes than expected$/);
  refuses(raw({ type: 4 }), /\(type\): unknown type 4$/);
  refuses(raw({ notBefore: 3n }), /\(not_after\): ends before it begins$/);
  refuses(raw({ notAfter: 1n << 60n }), /\(not_after\): number 1152921504606846976 is too large$/);
});

Deno.test("certificate: one larger than 2,048 bytes is refused before it is read", () => {
  const fits = raw({ extensions: [["x", new Uint8Array(1_700)]] });
  const size = fits.length;
  parseCertificate(primitives, raw({ extensions: [["x", new Uint8Array(1_700 + 2_048 - size)]] }));
  refuses(
    raw({ extensions: [["x", new Uint8Array(1_701 + 2_048 - size)]] }),
    /^Certificate of 2049 bytes is larger than 2048$/,
  );
});

Deno.test("certificate: an unknown critical option is refused, an unknown extension is not", () => {
  refuses(raw({ critical: [["colour", "red"]] }), /unknown critical option "colour"$/);
  const certificate = parseCertificate(primitives, raw({ extensions: [["colour", "red"]] }));
  assert.equal(new TextDecoder().decode(certificate.extensions.get("colour")), "red");
});

Deno.test("certificate: no option or extension comes twice, none is called __proto__", () => {
  refuses(raw({ extensions: [["a", "1"], ["a", "2"]] }), /\(extension\): "a" comes twice$/);
  refuses(
    raw({ type: 3, critical: [["issue", issue([], [], [])], ["issue", issue([], [], [])]] }),
    /"issue" comes twice$/,
  );
  refuses(raw({ extensions: [["__proto__", ""]] }), /is no name: "__proto__"/);
});

Deno.test("certificate: names and groups follow rule R3 and are never joined or cut", () => {
  for (const name of ["", "A", "a b", "a,b", "-a", "a\0", "\u212a", "a".repeat(64), "*"]) {
    refuses(raw({ name }), /^Name of the certificate is no name: /);
    refuses(raw({ groups: ["ok", name] }), /^Group of a certificate is no name: /);
  }
  assert.deepEqual(parseCertificate(primitives, raw({ groups: [] })).groups, []);
});

Deno.test("certificate: keys of small order are refused", () => {
  const { Point } = ed25519;
  const small = [
    "00".repeat(32),
    "01" + "00".repeat(31),
    "ec" + "ff".repeat(30) + "7f",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
  ];
  for (const hex of small) {
    assert.ok(Point.fromHex(hex).isSmallOrder(), hex);
    for (const top of [0, 0x80]) {
      const signKey = fromHex(hex);
      signKey[31]! |= top;
      refuses(raw({ signKey }), /\(signing key\): Ed25519 key of small order$/);
    }
  }
  for (
    const hex of [
      "00".repeat(32),
      "01" + "00".repeat(31),
      "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    ]
  ) {
    const dhKey = fromHex(hex);
    assert.throws(() => primitives.dh(seed(1), dhKey));
    refuses(raw({ dhKey }), /\(DH key\): X25519 key of small order$/);
  }
});

Deno.test("certificate: an issuer says what it may issue, and nobody else does", () => {
  const critical: Pair[] = [["issue", issue([1, 2], ["*"], [])]];
  assert.deepEqual(parseCertificate(primitives, raw({ type: 3, critical })).constraint?.types, [
    "node",
    "user",
  ]);
  refuses(raw({ type: 3 }), /issuer without the critical option "issue"$/);
  for (const type of [0, 1, 2]) {
    refuses(raw({ type, critical }), /only an issuer may have the critical option "issue"$/);
  }
});

Deno.test("certificate: a constraint is parsed as strictly", () => {
  const constraint = (bytes: Uint8Array) => raw({ type: 3, critical: [["issue", bytes]] });
  refuses(constraint(issue([3], [], [])), /an issuer cannot issue type "issuer"$/);
  refuses(constraint(issue([0], [], [])), /an issuer cannot issue type "request"$/);
  refuses(constraint(issue([9], [], [])), /unknown type 9$/);
  refuses(constraint(issue([1], ["n?"], [])), /\(name pattern\): "n\?" is none$/);
  refuses(constraint(issue([1], [], ["a b"])), /^Group of a certificate is no name: "a b"/);
  refuses(
    constraint(concatBytes(issue([1], [], []), new Uint8Array(1))),
    /^Issuer's constraint .* 1 bytes too many$/,
  );
  refuses(constraint(new Uint8Array(0)), /^Issuer's constraint is malformed at byte 0 \(types\)/);
});

Deno.test("certificate: a unix user is a user's name and no number", () => {
  const withUser = (user: Uint8Array | string) =>
    raw({ type: 2, extensions: [["unix-user", user]] });
  assert.equal(parseCertificate(primitives, withUser("alice")).unixUser, "alice");
  for (const user of ["", "0", "a b", "-x", "é", new Uint8Array([0xff])]) {
    refuses(withUser(user), /^Certificate's unix user ".*" is no name of a user$/);
  }
});

Deno.test("certificate: fields that break a rule are refused when signing", () => {
  assert.throws(() => certify(1, { name: "N1" }), ProtocolError);
  assert.throws(() => certify(1, { type: "issuer" }), ProtocolError);
  assert.throws(() => certify(1, { meshId: new Uint8Array(3) }), ProtocolError);
  assert.throws(
    () => certify(1, { extensions: new Map([["x", new Uint8Array(2_048)]]) }),
    /^ProtocolError: Certificate of \d+ bytes is larger than 2048$/,
  );
  assert.deepEqual(CERTIFICATE_TYPES, ["request", "node", "user", "issuer"]);
});

Deno.test("certificate: 30,000 mutants neither crash the parser nor keep a good signature", () => {
  const next = numbers(6);
  const originals = [
    { bytes: certify(1, { type: "user", unixUser: "alice" }).bytes },
    { bytes: certifyIssuer(2).bytes },
  ];
  let parsed = 0;
  for (let count = 0; count < 30_000; count++) {
    const { bytes } = originals[count % originals.length]!;
    const mutant = mutate(bytes, next);
    try {
      const certificate = parseCertificate(primitives, mutant);
      parsed++;
      assert.ok(!isSignedBy(primitives, { certificate, publicKey: ROOT }), toHex(mutant));
    } catch (error) {
      assert.ok(error instanceof ProtocolError, String(error));
    }
  }
  assert.ok(parsed > 1_000, `only ${parsed} mutants came as far as the signature`);
});
