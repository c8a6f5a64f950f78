import assert from "node:assert/strict";
import { certificateWarnings } from "../../../modules/shared/renewal.ts";
import type { KeysStatus } from "../../../modules/shared/renewal_verbs.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

Deno.test("certificate warnings: what ends soon, what has ended, and what could not be renewed", () => {
  const now = 1_000 * DAY_MS;
  const warnings = (change: Partial<KeysStatus>) =>
    certificateWarnings({
      keyId: "",
      notBefore: now - 60 * DAY_MS,
      notAfter: now + 30 * DAY_MS,
      issuer: null,
      renewalAt: now,
      trouble: null,
      registrar: null,
      ...change,
    }, now);
  assert.deepEqual(warnings({}), []);
  assert.deepEqual(warnings({ notAfter: now + 2 * HOUR_MS, trouble: "nobody is up" }), [
    "Its certificate ends in 2 h",
    "It could not renew its certificate: nobody is up",
  ]);
  // It said that it ends in 0 ms.
  const how = '"minime mesh rotate issuer" makes another one';
  assert.deepEqual(warnings({ notAfter: now - 1, registrar: { keyId: "", notAfter: now - 1 } }), [
    "Its certificate has ended",
    `Its issuer has ended: ${how}`,
  ]);
});
