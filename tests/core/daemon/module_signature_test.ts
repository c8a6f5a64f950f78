import assert from "node:assert/strict";
import { signForModule, verifyForModule } from "../../../core/daemon/module_signature.ts";
import { testPrimitives } from "../../support/mesh_keys.ts";

const primitives = await testPrimitives();
const seed = new Uint8Array(32).fill(7);
const publicKey = primitives.signPublicKey(seed);
const bytes = new TextEncoder().encode("what a module says");

Deno.test("module signature: verifies in its own domain alone", () => {
  const signature = signForModule(primitives, { domain: "minime-advert-v1", bytes, seed });
  const signed = { publicKey, bytes, signature };
  assert.ok(verifyForModule(primitives, { domain: "minime-advert-v1", ...signed }));
  assert.ok(!verifyForModule(primitives, { domain: "minime-advert-v2", ...signed }));
  assert.ok(!primitives.verify(publicKey, bytes, signature));
});

Deno.test("module signature: of content that follows, the hash is signed, behind the bytes", () => {
  const domain = "minime-input-v2";
  const content = new TextEncoder().encode("much of it");
  const signature = signForModule(primitives, { domain, bytes, content, seed });
  const verifies = (signed: { bytes: Uint8Array; content?: Uint8Array }) =>
    verifyForModule(primitives, { domain, publicKey, ...signed, signature });
  assert.ok(verifies({ bytes, content }));
  assert.ok(!verifies({ bytes }));
  assert.ok(!verifies({ bytes, content: bytes }));
  assert.ok(!verifies({ bytes: content, content: bytes }));
  const whole = new TextEncoder().encode(`${domain}\0what a module says`);
  const message = new Uint8Array([...whole, ...primitives.sha256(content)]);
  assert.ok(primitives.verify(publicKey, message, signature));
});

const REFUSED = [
  "minime-cert-v1",
  "minime-req-v1",
  "minime-targets-v1",
  "minime-policy-v1",
  "minime-revoke-v1",
  "minime-mesh-v1",
  "minime-noise-v1",
  "minime-cert-v1\0",
  "minime-advert",
  "advert-v1",
  "",
];
for (const domain of REFUSED) {
  Deno.test(`module signature: no module signs in the domain ${JSON.stringify(domain)}`, () => {
    assert.throws(
      () => signForModule(primitives, { domain, bytes, seed }),
      { name: "UsageError", message: `Modules cannot sign in the domain "${domain}"` },
    );
  });
}
