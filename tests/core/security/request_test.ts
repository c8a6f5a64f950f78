import assert from "node:assert/strict";
import { ed25519 } from "@noble/curves/ed25519.js";
import fc from "fast-check";
import {
  AuthenticationError,
  type AuthenticationReason,
  ProtocolError,
} from "../../../core/errors.ts";
import {
  parseRequest,
  type RequestFields,
  SEQUENCE_VERB,
  signRequest,
  type Targets,
  targetsHash,
} from "../../../core/security/request.ts";
import { verifyRequest, type VerifyRequestOptions } from "../../../core/security/verify_request.ts";
import { ByteWriter, concatBytes, toHex } from "../../../core/wire/bytes.ts";
import {
  certify,
  certifyIssuer,
  DAY_MS,
  MESH,
  MESH_ID,
  mutate,
  NOW,
  numbers,
  primitives,
  seed,
} from "./documents.ts";

const USER = certify(5, { type: "user", name: "alice", groups: ["ops"], unixUser: "alice" });
const ID = new Uint8Array(16).fill(0x1d);
const ARGS = new Uint8Array([0x91, 0x01]);

function request(fields: Partial<RequestFields> = {}): Uint8Array {
  return signRequest(primitives, {
    meshId: MESH_ID,
    requestId: ID,
    issuedMs: NOW,
    expiresMs: NOW + 5_000,
    targets: { kind: "names", names: ["n1", "n2"] },
    verb: "exec.run",
    arguments: ARGS,
    seed: seed(5),
    chain: [USER.bytes],
    ...fields,
  });
}

const TARGET: Omit<VerifyRequestOptions, "request"> = {
  ...MESH,
  skewMs: 1_000,
  ttlMaxMs: 60_000,
  self: { name: "n1", groups: ["compute"] },
  ownNotBefore: NOW - DAY_MS,
};

function verify(fields: Partial<RequestFields>, options: Partial<VerifyRequestOptions> = {}) {
  return verifyRequest(primitives, {
    ...TARGET,
    request: parseRequest(request(fields)),
    ...options,
  });
}

function refuses(
  fields: Partial<RequestFields>,
  options: Partial<VerifyRequestOptions>,
  reason: AuthenticationReason,
  text: RegExp,
): void {
  assert.throws(() => verify(fields, options), (error: unknown) => {
    assert.ok(error instanceof AuthenticationError, String(error));
    assert.equal(error.reason, reason, error.message);
    assert.match(error.message, text);
    return true;
  });
}

/** A request written field by field as SECURITY.md 4 lays it out, up to its signature. */
function raw(
  fields: {
    kind?: number;
    targets?: (string | Uint8Array)[];
    verb?: string;
    as?: string;
    expires?: bigint;
  } = {},
): ByteWriter {
  return new ByteWriter("test").bytes(new TextEncoder().encode("minime-req-v1\0"))
    .bytes(MESH_ID).bytes(ID).u64(NOW, "").u64(fields.expires ?? BigInt(NOW + 5_000), "")
    .bytes(new Uint8Array(32)).u8(fields.kind ?? 1, "")
    .list16(fields.targets ?? ["n1", "n2"], "", (out, target) => out.lp(target, ""))
    .lp(fields.verb ?? "exec.run", "").lp(fields.as ?? "", "").u32(ARGS.length, "").bytes(ARGS)
    .bytes(primitives.sha256(primitives.signPublicKey(seed(5))));
}

function malformed(writer: ByteWriter, text: RegExp): void {
  const bytes = writer.bytes(new Uint8Array(64)).lp(USER.bytes, "").lp("", "").finish();
  assert.throws(() => parseRequest(bytes), (error: unknown) => {
    assert.ok(error instanceof ProtocolError, String(error));
    assert.match(error.message, text);
    return true;
  });
}

Deno.test("request: the bytes are those of SECURITY.md 4", () => {
  const bytes = request();
  const head = raw().finish();
  const signature = bytes.subarray(head.length, head.length + 64);
  assert.ok(ed25519.verify(signature, head, USER.signPublicKey));
  const tail = new ByteWriter("test").lp(USER.bytes, "").lp("", "").finish();
  assert.equal(toHex(bytes), toHex(concatBytes(head, signature, tail)));
});

Deno.test("request: what was signed is read back", () => {
  const name = fc.stringMatching(/^[a-z0-9][a-z0-9._-]{0,15}$/);
  const targets: fc.Arbitrary<Targets> = fc.oneof(
    fc.record({ kind: fc.constant("names" as const), names: fc.array(name, { maxLength: 300 }) }),
    fc.record({ kind: fc.constant("groups" as const), groups: fc.array(name) }),
    fc.constant({ kind: "all" as const }),
    fc.record({
      kind: fc.constant("listed" as const),
      hash: fc.uint8Array({ minLength: 32, maxLength: 32 }),
    }),
  );
  const fields = fc.record({
    targets,
    verb: name,
    as: fc.constantFrom("", "root", "alice"),
    arguments: fc.uint8Array({ maxLength: 3_000 }),
    bind: fc.option(fc.uint8Array({ min: 1, minLength: 32, maxLength: 32 }), { nil: undefined }),
    requestId: fc.uint8Array({ minLength: 16, maxLength: 16 }),
  });
  fc.assert(
    fc.property(fields, ({ bind, requestId, ...fields }) => {
      const bytes = request({ ...fields, requestId, ...bind && { bind } });
      const back = parseRequest(bytes);
      assert.equal(JSON.stringify(back.targets), JSON.stringify(fields.targets));
      assert.deepEqual([back.verb, back.as], [fields.verb, fields.as]);
      assert.deepEqual([...back.arguments], [...fields.arguments]);
      assert.equal(back.bind && toHex(back.bind), bind && toHex(bind));
      assert.equal(back.requestId, toHex(requestId));
      assert.deepEqual([back.issuedMs, back.expiresMs], [NOW, NOW + 5_000]);
      assert.equal(back.signerKeyId, USER.keyId);
      assert.deepEqual([...back.bytes], [...bytes]);
    }),
    { seed: 10, numRuns: 200 },
  );
});

Deno.test("request: a target verifies who asks", () => {
  const { identity, rememberUntilMs } = verify({ as: "root" });
  assert.equal(identity.name, "alice");
  assert.equal(identity.keyId, USER.keyId);
  assert.equal(rememberUntilMs, NOW + 6_000);
});

Deno.test("request: a user certified by an issuer is as good", () => {
  const issuer = certifyIssuer(50);
  const user = certify(6, { type: "user", name: "u6", groups: ["users"], issuerSeed: seed(50) });
  const signed = { seed: seed(6), chain: [user.bytes, issuer.bytes] };
  assert.equal(verify(signed).identity.issuer?.name, "registrar50");
  refuses(
    signed,
    { revocations: { isRevoked: (keyId) => keyId === issuer.keyId } },
    "revoked",
    /^Key/,
  );
});

Deno.test("request: several verbs travel as one, with opaque arguments", () => {
  const { request } = verify({ verb: SEQUENCE_VERB });
  assert.equal(request.verb, "core.sequence");
  assert.deepEqual([...request.arguments], [...ARGS]);
});

Deno.test("request: another mesh's is refused", () => {
  refuses(
    { meshId: new Uint8Array(16) },
    {},
    "wrong-mesh",
    new RegExp(
      `^Request ${"1d".repeat(16)} is for mesh ${"00".repeat(16)}, this is ${toHex(MESH_ID)}$`,
    ),
  );
});

Deno.test("request: time from issue to expiry, with skew both ways", () => {
  const fields = { issuedMs: NOW, expiresMs: NOW + 5_000 };
  verify(fields, { now: NOW - 1_000 });
  verify(fields, { now: NOW + 6_000 });
  refuses(
    fields,
    { now: NOW - 1_001 },
    "not-yet-valid",
    /was issued 1001 ms in the future, 1000 ms is allowed: is a clock wrong$/,
  );
  refuses(
    fields,
    { now: NOW + 6_001 },
    "expired",
    /expired 1001 ms ago, 1000 ms is allowed: is a clock wrong$/,
  );
});

Deno.test("request: one that lives longer than policy allows is refused", () => {
  verify({ expiresMs: NOW + 60_000 });
  refuses(
    { expiresMs: NOW + 60_001 },
    {},
    "policy",
    /is valid for 60001 ms, policy allows 60000 ms \(request_ttl_max\)$/,
  );
});

Deno.test("request: one from before this node's certificate is refused", () => {
  verify({}, { ownNotBefore: NOW });
  refuses(
    {},
    { ownNotBefore: NOW + 1 },
    "replay",
    /was issued 1 ms before the time from which this node knows what it ran$/,
  );
});

Deno.test("request: the signer's chain is verified", () => {
  const expired = certify(5, { type: "user", notAfter: NOW - 1 });
  refuses({ chain: [expired.bytes] }, {}, "expired", /^Certificate of "n5" expired/);
  const foreign = certify(5, { type: "user", issuerSeed: seed(99) });
  refuses({ chain: [foreign.bytes] }, {}, "chain", /not the mesh's root$/);
  refuses(
    {},
    { revocations: { isRevoked: (keyId) => keyId === USER.keyId } },
    "revoked",
    /is revoked$/,
  );
  refuses({ chain: [new Uint8Array(5)] }, {}, "malformed", /^Certificate is malformed/);
});

Deno.test("request: a node's certificate carries no authority unless a verb asks for it", () => {
  const node = certify(5, { groups: ["ops"] });
  refuses(
    { chain: [node.bytes] },
    {},
    "wrong-kind",
    /^Certificate of "n5" is of type node, wanted is user$/,
  );
  assert.equal(verify({ chain: [node.bytes] }, { signers: ["node"] }).identity.type, "node");
});

Deno.test("request: signed by another key than the certificate's is refused", () => {
  refuses(
    { seed: seed(6) },
    {},
    "key-mismatch",
    /names signer [0-9a-f]{64}, its certificate is of key [0-9a-f]{64}$/,
  );
  const parsed = parseRequest(request());
  const forged = { ...parsed, signature: primitives.sign(seed(6), parsed.signed) };
  assert.throws(
    () => verifyRequest(primitives, { ...TARGET, request: forged }),
    new AuthenticationError(
      "signature",
      `Request ${"1d".repeat(16)} is not signed by user "alice"`,
    ),
  );
});

Deno.test("request: only its targets take it", () => {
  const names: Targets = { kind: "names", names: ["n2", "n3"] };
  refuses({ targets: names }, {}, "not-a-target", /is for "n2", "n3", this is "n1"$/);
  verify({ targets: names }, { self: { name: "n3", groups: [] } });
  const groups: Targets = { kind: "groups", groups: ["storage", "login"] };
  refuses(
    { targets: groups },
    {},
    "not-a-target",
    /is for groups "storage", "login", "n1" is in "compute"$/,
  );
  verify({ targets: groups }, { self: { name: "n1", groups: ["login"] } });
  verify({ targets: { kind: "all" } });
});

Deno.test("request: an empty list of targets means nobody", () => {
  refuses(
    { targets: { kind: "names", names: [] } },
    {},
    "not-a-target",
    /is for none, this is "n1"$/,
  );
  refuses({ targets: { kind: "groups", groups: [] } }, {}, "not-a-target", /is for groups none/);
  const hash = targetsHash(primitives, []);
  refuses(
    { targets: { kind: "listed", hash } },
    { listedNames: [] },
    "not-a-target",
    /is for none/,
  );
});

Deno.test("request: a long list travels beside it and is bound by its hash", () => {
  const names = Array.from({ length: 5_000 }, (_, index) => `n${index}`);
  const targets: Targets = { kind: "listed", hash: targetsHash(primitives, names) };
  assert.ok(request({ targets }).length < 1_000);
  verify({ targets }, { listedNames: names });
  refuses(
    { targets },
    {},
    "not-a-target",
    /came without its list of targets$/,
  );
  refuses(
    { targets },
    { listedNames: [...names, "n5000"] },
    "not-a-target",
    /came with another list of targets than was signed$/,
  );
  refuses(
    { targets },
    { listedNames: names, self: { name: "x", groups: [] } },
    "not-a-target",
    /and 4992 more, this is "x"$/,
  );
  assert.notDeepEqual(targetsHash(primitives, ["a.b"]), targetsHash(primitives, ["a", "b"]));
});

Deno.test("request: one bound to a session is refused in any other", () => {
  const bind = seed(1);
  verify({ bind }, { bind: seed(1) });
  verify({}, { bind: seed(1) });
  refuses({ bind }, {}, "handshake", /is bound to another session than the one that brought it$/);
  refuses({ bind }, { bind: seed(2) }, "handshake", /is bound to another session/);
});

Deno.test("request: strict about kinds, names, users and the end", () => {
  malformed(raw({ kind: 0 }), /\(target kind\): unknown kind 0$/);
  malformed(raw({ kind: 5 }), /\(target kind\): unknown kind 5$/);
  malformed(raw({ kind: 3 }), /\(targets\): 2 targets for kind "all"$/);
  malformed(raw({ kind: 4 }), /\(targets\): 2 targets for kind "listed"$/);
  malformed(raw({ kind: 4, targets: ["short"] }), /\(hash of targets\): wrong length$/);
  malformed(raw({ targets: ["n1,n2"] }), /^Target of the request is no name: "n1,n2"/);
  malformed(raw({ verb: "Exec" }), /^Verb of the request is no name: "Exec"/);
  malformed(raw({ as: "0" }), /\(as\): "0" is no name of a user$/);
  malformed(raw({ as: "$user" }), /\(as\): "\$user" is no name of a user$/);
  malformed(raw({ expires: BigInt(NOW - 1) }), /\(expires_ms\): expires before it is issued$/);
  assert.throws(
    () => parseRequest(concatBytes(request(), new Uint8Array(1))),
    /\(end\): 1 bytes too many$/,
  );
  assert.throws(
    () => parseRequest(new Uint8Array(4 * 1024 * 1024 + 1)),
    new ProtocolError("Request of 4194305 bytes is larger than 4194304"),
  );
  const long = new Uint8Array(2_049);
  assert.throws(() => request({ chain: [long] }), /\(certificate\): 2049 bytes, 2048 is the most$/);
  assert.throws(
    () => request({ chain: [] }),
    new ProtocolError("Cannot encode request: its chain has 0 certificates, wanted are 1 or 2"),
  );
});

Deno.test("request: keeps the bytes it came as, whatever happens to the buffer", () => {
  const received = request().slice();
  const parsed = parseRequest(received);
  received.fill(0);
  verifyRequest(primitives, { ...TARGET, request: parsed });
});

Deno.test("request: 20,000 mutants never crash and never verify", () => {
  const next = numbers(11);
  const issuer = certifyIssuer(50);
  const user = certify(6, { type: "user", name: "u6", groups: ["users"], issuerSeed: seed(50) });
  const originals = [
    request({ targets: { kind: "all" } }),
    request({ seed: seed(6), chain: [user.bytes, issuer.bytes] }),
  ];
  const reasons = new Map<string, number>();
  for (let count = 0; count < 20_000; count++) {
    const mutant = mutate(originals[count % 2]!, next);
    assert.throws(
      () => verifyRequest(primitives, { ...TARGET, request: parseRequest(mutant) }),
      (error: unknown) => {
        const known = error instanceof AuthenticationError || error instanceof ProtocolError;
        assert.ok(known, String(error));
        const reason = error instanceof AuthenticationError ? error.reason : "bytes";
        reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
        return true;
      },
    );
  }
  for (const reason of ["bytes", "malformed", "signature", "chain", "wrong-mesh", "key-mismatch"]) {
    assert.ok((reasons.get(reason) ?? 0) > 20, `${reason}: ${reasons.get(reason)}`);
  }
});
