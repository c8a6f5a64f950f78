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
