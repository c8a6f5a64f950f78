import assert from "node:assert/strict";
import {
  AuthenticationError,
  type AuthenticationReason,
  ProtocolError,
} from "../../../core/errors.ts";
import { defaultPolicy, type Policy } from "../../../core/security/policy.ts";
import { signPolicy, verifyPolicy } from "../../../core/security/policy_document.ts";
import { isNewer } from "../../../core/security/revocation.ts";
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
  ROOT,
  ROOT_SEED,
  seed,
} from "./documents.ts";

const POLICY: Policy = defaultPolicy("ops");
const ISSUER = certifyIssuer(50, { groups: ["policy"] });

type Signing = Parameters<typeof signPolicy>[1];
type Verifying = Parameters<typeof verifyPolicy>[1];

function document(fields: Partial<Signing> = {}): Uint8Array {
  return signPolicy(primitives, {
    meshId: MESH_ID,
    version: 3,
    issuedMs: NOW,
    policy: POLICY,
    seed: ROOT_SEED,
    ...fields,
  });
}

function verify(bytes: Uint8Array, options: Partial<Verifying> = {}) {
  return verifyPolicy(primitives, { ...MESH, ...options, bytes });
}

function refuses(
  bytes: Uint8Array,
  options: Partial<Verifying>,
  reason: AuthenticationReason,
  text: RegExp,
): void {
  assert.throws(() => verify(bytes, options), (error: unknown) => {
    assert.ok(error instanceof AuthenticationError, String(error));
    assert.equal(error.reason, reason, error.message);
    assert.match(error.message, text);
    return true;
  });
}

/** A document with any text in it, signed by the root. */
function withText(text: string): Uint8Array {
  const body = new TextEncoder().encode(text);
  const writer = new ByteWriter("test").bytes(new TextEncoder().encode("minime-policy-v1\0"))
    .bytes(MESH_ID).u32(3, "").u64(NOW, "").u32(body.length, "").bytes(body)
    .bytes(primitives.sha256(ROOT));
  return writer.bytes(primitives.sign(ROOT_SEED, writer.finish())).lp("", "").finish();
}

Deno.test("policy document: the root's is read back, and laid out as its file says", () => {
  const bytes = document();
  const signed = verify(bytes);
  assert.deepEqual(signed.policy, POLICY);
  assert.deepEqual([signed.version, signed.issuedMs], [3, NOW]);
  assert.equal(signed.signerKeyId, toHex(primitives.sha256(ROOT)));
  assert.deepEqual([...signed.bytes], [...bytes]);
  const length = new DataView(bytes.buffer).getUint32(45);
  const text = new TextDecoder().decode(bytes.subarray(49, 49 + length));
  assert.equal(toHex(withText(text)), toHex(bytes));
});

Deno.test("policy document: an issuer may sign when its certificate is in group policy", () => {
  const byIssuer = document({ seed: seed(50), issuer: ISSUER.bytes });
  assert.equal(verify(byIssuer).signerKeyId, ISSUER.keyId);
  const other = certifyIssuer(50, { groups: ["compute"] });
  refuses(
    document({ seed: seed(50), issuer: other.bytes }),
    {},
    "policy",
    /^Policy is signed by issuer "registrar50", who is not in group "policy"$/,
  );
});

Deno.test("policy document: a user or node signs none, whatever its groups", () => {
  for (const type of ["user", "node"] as const) {
    const leaf = certify(5, { type, groups: ["policy", "ops"] });
    refuses(
      document({ seed: seed(5), issuer: leaf.bytes }),
      {},
      "wrong-kind",
      new RegExp(`is of type ${type}, wanted is issuer$`),
    );
  }
});

Deno.test("policy document: any other signer is refused", () => {
  refuses(document({ seed: seed(1) }), {}, "key-mismatch", /names signer .* not the mesh's root$/);
  refuses(
    document({ seed: seed(51), issuer: ISSUER.bytes }),
    {},
    "key-mismatch",
    /^Policy version 3 names signer [0-9a-f]{64}, which is not issuer "registrar50"$/,
  );
  const forged = document().slice();
  forged[60]! ^= 1;
  refuses(forged, {}, "signature", /^Policy version 3 is not signed by the mesh's root$/);
});

Deno.test("policy document: another mesh's and one from the future are refused", () => {
  refuses(
    document({ meshId: new Uint8Array(16) }),
    {},
    "wrong-mesh",
    /^Policy is of mesh 00+, not of/,
  );
  refuses(
    document({ issuedMs: NOW + 1_001 }),
    { skewMs: 1_000 },
    "not-yet-valid",
    /^Policy version 3 was issued 1001 ms in the future, 1000 ms is allowed: is a clock wrong$/,
  );
  verify(document({ issuedMs: NOW + 1_000 }), { skewMs: 1_000 });
});

Deno.test("policy document: its issuer must have been valid when it was issued, and not be revoked", () => {
  const bytes = document({ seed: seed(50), issuer: ISSUER.bytes });
  verify(bytes, { now: NOW + 400 * DAY_MS });
  const late = document({ seed: seed(50), issuer: ISSUER.bytes, issuedMs: NOW + 31 * DAY_MS });
  refuses(
    late,
    { now: NOW + 400 * DAY_MS },
    "expired",
    /^Certificate of issuer "registrar50" expired/,
  );
  const revocations = { isRevoked: (keyId: string) => keyId === ISSUER.keyId };
  refuses(bytes, { revocations }, "revoked", /is revoked$/);
});

Deno.test("policy document: only a signed text is read, and strictly", () => {
  assert.throws(
    () => verify(withText('{"allow":[{"who":["*"],"verbs":[],"on":[]}]}')),
    /^ProtocolError: Policy document holds no policy: allow\[0\]\.who\[0\]: is "\*": wanted/,
  );
  assert.throws(() => verify(withText("{")), /^ProtocolError: Policy document holds no policy: /);
  assert.throws(() => verify(withText("[".repeat(100_000))), ProtocolError);
  assert.throws(() => verify(withText('{"__proto__":{}}')), /policy\.__proto__: is unknown/);
  const broken = withText("{").slice();
  broken[49]! ^= 1;
  refuses(broken, {}, "signature", /not signed/);
});

Deno.test("policy document: trailing bytes and too many bytes are refused", () => {
  assert.throws(
    () => verify(concatBytes(document(), new Uint8Array(1))),
    /\(end\): 1 bytes too many$/,
  );
  assert.throws(
    () => verify(new Uint8Array(256 * 1024 + 1)),
    new ProtocolError("Policy document of 262145 bytes is larger than 262144"),
  );
  const rule = {
    ...POLICY.rules[0]!,
    commands: Array.from({ length: 1_000 }, () => "x".repeat(500)),
  };
  assert.throws(() => document({ policy: { ...POLICY, rules: [rule] } }), /is larger than 262144$/);
});

Deno.test("policy document: two halves of a partition agree on one by version, then hash", () => {
  const [a, b] = ["ops", "admins"].map((group) =>
    verify(document({ policy: defaultPolicy(group) }))
  );
  assert.ok(a && b);
  assert.notEqual(isNewer(a, b), isNewer(b, a));
  const newer = verify(document({ version: 4 }));
  assert.ok(isNewer(newer, a) && isNewer(newer, b) && !isNewer(a, newer));
  assert.ok(!isNewer(a, verify(a.bytes)));
});

Deno.test("policy document: 10,000 mutants never crash and never verify", () => {
  const next = numbers(16);
  const originals = [document(), document({ seed: seed(50), issuer: ISSUER.bytes })];
  const reasons = new Set<string>();
  for (let count = 0; count < 10_000; count++) {
    const mutant = mutate(originals[count % 2]!, next);
    assert.throws(() => verify(mutant), (error: unknown) => {
      const known = error instanceof AuthenticationError || error instanceof ProtocolError;
      assert.ok(known, String(error));
      reasons.add(error instanceof AuthenticationError ? error.reason : "bytes");
      return true;
    });
  }
  for (const reason of ["bytes", "signature", "wrong-mesh", "key-mismatch", "malformed"]) {
    assert.ok(reasons.has(reason), reason);
  }
});
