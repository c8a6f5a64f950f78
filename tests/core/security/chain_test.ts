import assert from "node:assert/strict";
import { AuthenticationError, type AuthenticationReason } from "../../../core/errors.ts";
import type { CertificateFields } from "../../../core/security/certificate.ts";
import { type ChainOptions, meshIdOf, pskIdOf, verifyChain } from "../../../core/security/chain.ts";
import { VerifiedCertificates } from "../../../core/security/verified_certificates.ts";
import { concatBytes, toHex } from "../../../core/wire/bytes.ts";
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
  seed,
} from "./documents.ts";

function refuses(
  options: Partial<ChainOptions> & Pick<ChainOptions, "chain">,
  reason: AuthenticationReason,
  text: RegExp,
): void {
  assert.throws(() => verifyChain(primitives, { ...MESH, ...options }), (error: unknown) => {
    assert.ok(error instanceof AuthenticationError, String(error));
    assert.equal(error.reason, reason, error.message);
    assert.match(error.message, text);
    return true;
  });
}

const ISSUER = certifyIssuer(50);

/** A leaf signed by the issuer above. */
function issued(key: number, fields: Partial<CertificateFields> = {}): Uint8Array {
  return certify(key, { issuerSeed: seed(50), ...fields }).bytes;
}

Deno.test("chain: ids of mesh and PSK are the hashes that SECURITY.md names", () => {
  const text = new TextEncoder();
  const mesh = primitives.sha256(concatBytes(text.encode("minime-mesh-v1"), ROOT));
  assert.equal(toHex(meshIdOf(primitives, ROOT)), toHex(mesh.subarray(0, 16)));
  const psk = primitives.sha256(concatBytes(text.encode("minime-psk-id-v1"), seed(1)));
  assert.equal(toHex(pskIdOf(primitives, seed(1))), toHex(psk.subarray(0, 8)));
});

Deno.test("chain: root signs a leaf", () => {
  const leaf = certify(1, { groups: ["compute", "gateway"] });
  const identity = verifyChain(primitives, { ...MESH, chain: [leaf.bytes] });
  assert.equal(identity.keyId, toHex(primitives.sha256(primitives.signPublicKey(seed(1)))));
  assert.equal(identity.name, "n1");
  assert.equal(identity.type, "node");
  assert.deepEqual(identity.groups, ["compute", "gateway"]);
  assert.equal(identity.issuer, undefined);
  assert.equal(identity.issuerKeyId, toHex(primitives.sha256(ROOT)));
  assert.deepEqual(identity.chain, [leaf.bytes]);
  assert.deepEqual(identity.dhPublicKey, primitives.dhPublicKey(seed(1)));
});

Deno.test("chain: an issuer signs a leaf, and both must be valid", () => {
  const issuer = certifyIssuer(50, { notBefore: NOW - 10, notAfter: NOW + 10 });
  const leaf = issued(2, { type: "user", name: "u2", groups: ["users"], unixUser: "u2" });
  const identity = verifyChain(primitives, { ...MESH, chain: [leaf, issuer.bytes] });
  assert.equal(identity.type, "user");
  assert.equal(identity.unixUser, "u2");
  assert.equal(identity.issuer?.name, "registrar50");
  assert.equal(identity.issuerKeyId, issuer.keyId);
  assert.equal(identity.notBefore, NOW - 10);
  assert.equal(identity.notAfter, NOW + 10);
  assert.deepEqual(identity.chain, [leaf, issuer.bytes]);
});

Deno.test("chain: never longer than root, issuer, leaf", () => {
  const leaf = issued(2);
  refuses({ chain: [] }, "chain", /^Chain has 0 certificates, wanted are 1 to 2$/);
  refuses(
    { chain: [leaf, ISSUER.bytes, ISSUER.bytes] },
    "chain",
    /^Chain has 3 certificates, wanted are 1 to 2$/,
  );
});

Deno.test("chain: an issuer's issuer is not accepted", () => {
  const below = certifyIssuer(51, { name: "n51" });
  const forged = certify(51, {
    type: "issuer",
    name: "n51",
    groups: [],
    constraint: below.constraint!,
    issuerSeed: seed(50),
  });
  const leaf = certify(3, { issuerSeed: seed(51) });
  refuses(
    { chain: [leaf.bytes, forged.bytes] },
    "chain",
    /^Certificate of "n51" names key .* not the mesh's root$/,
  );
  refuses(
    { chain: [forged.bytes, ISSUER.bytes], types: ["issuer"] },
    "chain",
    /^Issuer "registrar50" may not sign the certificate of "n51": type issuer is not among "node", "user"$/,
  );
});

Deno.test("chain: a node or user cannot issue", () => {
  for (const type of ["node", "user"] as const) {
    const parent = certify(4, { type, name: "n4" });
    const leaf = certify(5, { issuerSeed: seed(4) });
    refuses(
      { chain: [leaf.bytes, parent.bytes] },
      "chain",
      new RegExp(`^Certificate of "n5" is signed by "n4", which is a ${type} and no issuer$`),
    );
  }
});

Deno.test("chain: somebody else's root, issuer or signature is refused", () => {
  const foreign = certify(1, { issuerSeed: seed(99) });
  refuses(
    { chain: [foreign.bytes] },
    "chain",
    /^Certificate of "n1" names key [0-9a-f]{64} as its issuer, which is not the mesh's root$/,
  );
  refuses({ chain: [issued(2)] }, "chain", /which is not the mesh's root$/);
  const other = certifyIssuer(52);
  refuses({ chain: [issued(2), other.bytes] }, "chain", /which is not issuer "registrar52"$/);
  const bytes = certify(1).bytes.slice();
  bytes[bytes.length - 40]! ^= 1;
  refuses(
    { chain: [bytes] },
    "signature",
    /^Certificate of "n1" has a signature which is not by the mesh's root$/,
  );
  const leaf = issued(2).slice();
  leaf[leaf.length - 1]! ^= 1;
  refuses({ chain: [leaf, ISSUER.bytes] }, "signature", /not by issuer "registrar50"$/);
});

Deno.test("chain: certificates of another mesh are refused, also when the same root signed them", () => {
  const meshId = new Uint8Array(16).fill(7);
  const leaf = certify(1, { meshId });
  refuses(
    { chain: [leaf.bytes] },
    "wrong-mesh",
    new RegExp(`^Certificate of "n1" is of mesh ${"07".repeat(16)}, not of ${toHex(MESH_ID)}$`),
  );
  const issuer = certifyIssuer(50, { meshId });
  refuses({ chain: [issued(2), issuer.bytes] }, "wrong-mesh", /^Certificate of "registrar50"/);
});

Deno.test("chain: a leaf outside its issuer's constraint is refused", () => {
  const cases: [Partial<CertificateFields>, RegExp][] = [
    [{ name: "x1" }, /: the name fits none of its patterns "n\*", "u\*"$/],
    [{ groups: ["compute", "ops"] }, /: group "ops" is not among "compute", "users"$/],
    [{ type: "user", unixUser: "root" }, /: unix user "root" fits none of its patterns/],
    [
      { notBefore: NOW - 1, notAfter: NOW + 90 * DAY_MS },
      /: it is valid for 7776000001 ms, 7776000000 ms is the longest$/,
    ],
  ];
  for (const [fields, text] of cases) {
    refuses({ chain: [issued(2, fields), ISSUER.bytes] }, "chain", text);
  }
  const nodesOnly = certifyIssuer(50, { constraint: { ...ISSUER.constraint!, types: ["node"] } });
  refuses(
    { chain: [issued(2, { type: "user" }), nodesOnly.bytes] },
    "chain",
    /type user is not among "node"$/,
  );
});

Deno.test("chain: an empty list in a constraint means none", () => {
  const none = (part: object) =>
    certifyIssuer(50, { constraint: { ...ISSUER.constraint!, ...part } }).bytes;
  refuses({ chain: [issued(2), none({ types: [] })] }, "chain", /type node is not among none$/);
  refuses(
    { chain: [issued(2), none({ namePatterns: [] })] },
    "chain",
    /none of its patterns none$/,
  );
  refuses(
    { chain: [issued(2), none({ groups: [] })] },
    "chain",
    /group "compute" is not among none$/,
  );
  verifyChain(primitives, { ...MESH, chain: [issued(2, { groups: [] }), none({ groups: [] })] });
});

Deno.test("chain: a request for a certificate is none", () => {
  const request = certify(1, { type: "request" });
  refuses(
    { chain: [request.bytes] },
    "wrong-kind",
    /^Certificate of "n1" is only a request for one$/,
  );
});

Deno.test("chain: the kind of leaf must be wanted", () => {
  refuses(
    { chain: [ISSUER.bytes] },
    "wrong-kind",
    /^Certificate of "registrar50" is of type issuer, wanted is node or user$/,
  );
  refuses(
    { chain: [certify(1).bytes], types: ["user"] },
    "wrong-kind",
    /is of type node, wanted is user$/,
  );
  assert.equal(
    verifyChain(primitives, { ...MESH, chain: [ISSUER.bytes], types: ["issuer"] }).type,
    "issuer",
  );
});

Deno.test("chain: validity begins and ends at its milliseconds", () => {
  const chain = [certify(1, { notBefore: NOW, notAfter: NOW + 1_000 }).bytes];
  verifyChain(primitives, { ...MESH, chain });
  verifyChain(primitives, { ...MESH, chain, now: NOW + 1_000 });
  verifyChain(primitives, { ...MESH, chain, now: NOW - 500, skewMs: 500 });
  refuses(
    { chain, now: NOW - 1 },
    "not-yet-valid",
    /^Certificate of "n1" becomes valid in 1 s: is a clock wrong$/,
  );
  refuses({ chain, now: NOW - 501, skewMs: 500 }, "not-yet-valid", /becomes valid/);
  refuses({ chain, now: NOW + 1_001 }, "expired", /^Certificate of "n1" expired 1 s ago$/);
  refuses({ chain, now: NOW + 1_001, skewMs: 500 }, "expired", /expired/);
});

Deno.test("chain: an issuer's validity counts too", () => {
  const issuer = certifyIssuer(50, { notAfter: NOW - 1 });
  refuses(
    { chain: [issued(2), issuer.bytes] },
    "expired",
    /^Certificate of issuer "registrar50" expired/,
  );
});

Deno.test("chain: an expired node may come back where that is asked for, a revoked one never", () => {
  const leaf = certify(1, { notAfter: NOW - 300 * DAY_MS, notBefore: NOW - 301 * DAY_MS });
  const identity = verifyChain(primitives, { ...MESH, chain: [leaf.bytes], allowExpired: true });
  assert.equal(identity.notAfter, NOW - 300 * DAY_MS);
  const revocations = { isRevoked: (keyId: string) => keyId === leaf.keyId };
  refuses({ chain: [leaf.bytes], allowExpired: true, revocations }, "revoked", /is revoked$/);
});

// With the key of one out of an old backup somebody made nodes that came back for ever.
Deno.test("chain: an issuer that has ended brings nobody back", () => {
  const issuer = certifyIssuer(50, { notAfter: NOW - 1 });
  const chain = [issued(2), issuer.bytes];
  refuses({ chain, allowExpired: true }, "expired", /^Certificate of issuer "registrar50" expired/);
});

Deno.test("chain: revocation is asked about leaf and issuer, by key and begin", () => {
  const asked: [string, number][] = [];
  const leaf = certify(2, { issuerSeed: seed(50) });
  const chain = [leaf.bytes, ISSUER.bytes];
  const revocations = {
    isRevoked(keyId: string, issuedMs: number) {
      asked.push([keyId, issuedMs]);
      return false;
    },
  };
  verifyChain(primitives, { ...MESH, chain, revocations });
  assert.deepEqual(asked, [[ISSUER.keyId, ISSUER.notBefore], [leaf.keyId, leaf.notBefore]]);
  for (const [keyId, name] of [[ISSUER.keyId, "registrar50"], [leaf.keyId, "n2"]]) {
    refuses(
      { chain, revocations: { isRevoked: (asked) => asked === keyId } },
      "revoked",
      new RegExp(`^Key ${keyId} of "${name}" is revoked$`),
    );
  }
});

Deno.test("chain: bytes that are no certificate are malformed", () => {
  refuses(
    { chain: [new Uint8Array(3)] },
    "malformed",
    /^Certificate is malformed at byte 0 \(magic\)/,
  );
  refuses({ chain: [issued(2), new Uint8Array(3)] }, "malformed", /^Certificate is malformed/);
});

Deno.test("chain: the cache saves curve operations and nothing else", () => {
  let verified = 0;
  const counting = {
    sha256: primitives.sha256.bind(primitives),
    verify(...args: Parameters<typeof primitives.verify>) {
      verified++;
      return primitives.verify(...args);
    },
  };
  const cache = new VerifiedCertificates(primitives);
  const chain = [issued(2), ISSUER.bytes];
  for (let count = 0; count < 10; count++) verifyChain(counting, { ...MESH, chain, cache });
  assert.equal(verified, 2);
  assert.equal(cache.size, 2);
  refuses({ chain, cache, now: NOW + 400 * DAY_MS }, "expired", /expired/);
  refuses({ chain, cache, revocations: { isRevoked: () => true } }, "revoked", /revoked/);
  const root = primitives.signPublicKey(seed(99));
  refuses({ chain, cache, rootPublicKey: root }, "chain", /not the mesh's root$/);
  const changed = issued(2).slice();
  changed[changed.length - 1]! ^= 1;
  refuses({ chain: [changed, ISSUER.bytes], cache }, "signature", /not by issuer/);
  refuses({ chain: [changed, ISSUER.bytes], cache }, "signature", /not by issuer/);
});

Deno.test("chain: the cache is bounded and drops the oldest", () => {
  const cache = new VerifiedCertificates(primitives, { max: 3 });
  for (let key = 1; key <= 5; key++) {
    verifyChain(primitives, { ...MESH, chain: [certify(key).bytes], cache });
  }
  assert.equal(cache.size, 3);
  let asked = 0;
  const verify = () => {
    asked++;
    return true;
  };
  const by = toHex(primitives.sha256(ROOT));
  cache.check(certify(5), { by, verify });
  assert.equal(asked, 0);
  cache.check(certify(1), { by, verify });
  assert.equal(asked, 1);
});

Deno.test("chain: 20,000 mutated chains are refused with a reason, cache or not", () => {
  const next = numbers(7);
  const chain = [issued(2), ISSUER.bytes];
  const cache = new VerifiedCertificates(primitives);
  verifyChain(primitives, { ...MESH, chain, cache });
  const reasons = new Map<string, number>();
  for (let count = 0; count < 20_000; count++) {
    const at = count % 2;
    const mutant = chain.map((bytes, index) => index === at ? mutate(bytes, next) : bytes);
    assert.throws(
      () => verifyChain(primitives, { ...MESH, chain: mutant, cache }),
      (error: unknown) => {
        assert.ok(error instanceof AuthenticationError, String(error));
        reasons.set(error.reason, (reasons.get(error.reason) ?? 0) + 1);
        return true;
      },
    );
  }
  assert.equal(cache.size, 2);
  for (const reason of ["malformed", "chain", "signature", "wrong-mesh"]) {
    assert.ok((reasons.get(reason) ?? 0) > 50, `${reason}: ${reasons.get(reason)}`);
  }
});
