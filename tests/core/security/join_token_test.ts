import assert from "node:assert/strict";
import fc from "fast-check";
import { ProtocolError } from "../../../core/errors.ts";
import {
  formatJoinToken,
  joinSecretOf,
  type JoinToken,
  parseJoinToken,
} from "../../../core/security/join_token.ts";
import { runs } from "../../support/fuzz.ts";
import { testPrimitives } from "../../support/mesh_keys.ts";

const TOKEN: JoinToken = {
  secret: new Uint8Array(16).fill(1),
  rootPublicKey: new Uint8Array(32).fill(2),
  registrarKeyId: "ab".repeat(32),
  expiresMs: 1_900_000_000_000,
  mesh: "lab",
  name: "n17",
  endpoints: ["tcp:10.0.0.7:7117", "tcp:[fd00::7]:7117"],
};

const name = fc.stringMatching(/^[a-z0-9][a-z0-9._-]{0,62}$/);
const token = fc.record({
  secret: fc.uint8Array({ minLength: 16, maxLength: 16 }),
  rootPublicKey: fc.uint8Array({ minLength: 32, maxLength: 32 }),
  registrarKeyId: fc.stringMatching(/^[0-9a-f]{64}$/),
  expiresMs: fc.maxSafeNat(),
  mesh: name,
  name,
  endpoints: fc.array(fc.string(), { maxLength: 16 }),
}, { noNullPrototype: true });

Deno.test("join token: reads back as it was written, with blanks around it", () => {
  fc.assert(
    fc.property(token, (one) => {
      const text = formatJoinToken(one);
      assert.match(text, /^minime-token-v1\.[A-Za-z0-9_-]+$/);
      assert.deepEqual(parseJoinToken(`  ${text}\n`), one);
    }),
    runs(100),
  );
});

Deno.test("join token: whatever is cut, longer or changed is refused or reads as another one", () => {
  const text = formatJoinToken(TOKEN);
  for (let cut = 0; cut < text.length; cut++) {
    assert.throws(() => parseJoinToken(text.slice(0, cut)), ProtocolError);
  }
  assert.throws(() => parseJoinToken(`${text}AAAA`), ProtocolError);
  fc.assert(
    fc.property(fc.string(), (junk) => {
      // No text of an error may hold what might be a secret.
      try {
        parseJoinToken(`minime-token-v1.${junk}`);
      } catch (error) {
        if (!(error instanceof ProtocolError)) throw error;
        if (junk.length > 20) assert.ok(!error.message.includes(junk));
      }
    }),
    runs(100),
  );
});

Deno.test("join token: its id tells nothing of its key", async () => {
  const { id, psk } = joinSecretOf(await testPrimitives(), TOKEN.secret);
  assert.deepEqual([id.length, psk.length], [8, 32]);
  assert.notDeepEqual(psk.slice(0, 8), id);
});
