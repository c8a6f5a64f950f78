import assert from "node:assert/strict";
import fc from "fast-check";
import { auditLine, outcomeLine } from "../../../core/security/audit.ts";
import { runs } from "../../support/fuzz.ts";
import { parseAuditLine } from "../../../modules/init_boot/audit_line.ts";

const WHO = {
  time: 1_900_000_000_000,
  node: "n1",
  requestId: "1d".repeat(16),
  verb: "exec.run",
  principal: "alice",
  keyId: "ab".repeat(32),
};

Deno.test("audit line: reads what the daemon writes", () => {
  const decision = auditLine({
    ...WHO,
    target: "n1",
    as: "alice",
    allowed: false,
    why: "No rule",
    argumentsHash: "cd".repeat(32),
  });
  const read = parseAuditLine(decision.trim());
  assert.deepEqual([read?.event, read?.allowed, read?.why], ["decision", false, "No rule"]);
  const outcome = parseAuditLine(outcomeLine({ ...WHO, outcome: "exit 3" }).trim());
  assert.deepEqual([outcome?.event, outcome?.outcome], ["outcome", "exit 3"]);
});

Deno.test("audit line: whatever else a line holds, it is left out and nothing fails", () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json()), (text) => parseAuditLine(text) === undefined),
    runs(2_000),
  );
  const whole = auditLine({
    ...WHO,
    target: "n1",
    as: "",
    allowed: true,
    argumentsHash: "",
  }).trim();
  for (let cut = 0; cut < whole.length; cut++) {
    assert.equal(parseAuditLine(whole.slice(0, cut)), undefined);
  }
});
