import assert from "node:assert/strict";
import { RealFiles } from "../../../core/environment/real_files.ts";
import {
  auditLine,
  AuditLog,
  type AuditLogOptions,
  type AuditRecord,
  outcomeLine,
} from "../../../core/security/audit.ts";
import { NOW } from "./documents.ts";

const RECORD: AuditRecord = {
  time: NOW,
  node: "n1",
  requestId: "1d".repeat(16),
  verb: "exec.run",
  principal: "alice",
  keyId: "ab".repeat(32),
  target: "n1,n2",
  as: "root",
  allowed: true,
  rule: "allow[0]",
  argumentsHash: "cd".repeat(32),
};

async function inFolder(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await run(`${folder}/audit`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function open(folder: string, options: Partial<AuditLogOptions> = {}): Promise<AuditLog> {
  return AuditLog.open({ files: new RealFiles(), folder, ...options });
}

function names(folder: string): string[] {
  return [...Deno.readDirSync(folder)].map((entry) => entry.name).sort();
}

Deno.test("audit: one decision is one JSON line with all its fields", () => {
  const line = auditLine(RECORD);
  assert.ok(line.endsWith("}\n"));
  assert.deepEqual(JSON.parse(line), {
    time: NOW,
    event: "decision",
    node: "n1",
    request: "1d".repeat(16),
    verb: "exec.run",
    principal: "alice",
    key: "ab".repeat(32),
    target: "n1,n2",
    as: "root",
    allowed: true,
    rule: "allow[0]",
    arguments_sha256: "cd".repeat(32),
  });
});

Deno.test("audit: an outcome is a line of its own, among those that were allowed", async () => {
  const { time, node, requestId, verb, principal, keyId } = RECORD;
  const outcome = { time, node, requestId, verb, principal, keyId, outcome: "exit 3" };
  assert.deepEqual(JSON.parse(outcomeLine(outcome)), {
    time: NOW,
    event: "outcome",
    node: "n1",
    request: "1d".repeat(16),
    verb: "exec.run",
    principal: "alice",
    key: "ab".repeat(32),
    outcome: "exit 3",
  });
  await inFolder(async (folder) => {
    const log = await open(folder);
    await log.append(RECORD);
    await log.appendOutcome(outcome);
    const text = Deno.readTextFileSync(`${folder}/audit-00000001.jsonl`);
    assert.equal(text, auditLine(RECORD) + outcomeLine(outcome));
  });
});

Deno.test("audit: a refusal says why", () => {
  const { rule: _, ...refused } = RECORD;
  const refusal = JSON.parse(auditLine({ ...refused, allowed: false, why: "No rule" }));
  assert.deepEqual([refusal.allowed, refusal.why, "rule" in refusal], [false, "No rule", false]);
});

Deno.test("audit: no text makes a second line or a long one", () => {
  const line = auditLine({ ...RECORD, why: `a\n{"allowed":true}\r${"x".repeat(9_000)}` });
  assert.equal(line.split(/[\r\n]/).length, 2);
  assert.equal(JSON.parse(line).why.length, 513);
  assert.equal(JSON.parse(auditLine({ ...RECORD, target: "n".repeat(9_000) })).target.length, 513);
});

Deno.test("audit: lines are appended in order, readable by the owner alone", async () => {
  await inFolder(async (folder) => {
    const log = await open(folder);
    await Promise.all([1, 2, 3].map((time) => log.append({ ...RECORD, time })));
    const again = await open(folder);
    await again.append({ ...RECORD, time: 4 });
    assert.deepEqual(names(folder), ["audit-00000001.jsonl"]);
    const path = `${folder}/audit-00000001.jsonl`;
    const times = Deno.readTextFileSync(path).trim().split("\n").map((line) =>
      JSON.parse(line).time
    );
    assert.deepEqual(times, [1, 2, 3, 4]);
    assert.equal(Deno.statSync(path).mode! & 0o777, 0o600);
    assert.equal(Deno.statSync(folder).mode! & 0o777, 0o700);
  });
});

Deno.test("audit: a full file is followed by the next, and the oldest are removed", async () => {
  await inFolder(async (folder) => {
    const size = auditLine(RECORD).length;
    const limits = { fileBytesMax: 2 * size, filesMax: 3 };
    const log = await open(folder, limits);
    for (let count = 0; count < 7; count++) await log.append(RECORD);
    assert.deepEqual(names(folder), [
      "audit-00000002.jsonl",
      "audit-00000003.jsonl",
      "audit-00000004.jsonl",
    ]);
    const again = await open(folder, limits);
    await again.append(RECORD);
    assert.equal(Deno.statSync(`${folder}/audit-00000004.jsonl`).size, 2 * size);
    await again.append(RECORD);
    assert.equal(names(folder).at(-1), "audit-00000005.jsonl");
  });
});

Deno.test("audit: somebody who is refused again and again does not push out what was allowed", async () => {
  await inFolder(async (folder) => {
    const log = await open(folder, { fileBytesMax: 1, filesMax: 2 });
    await log.append(RECORD);
    for (let count = 0; count < 5; count++) await log.append({ ...RECORD, allowed: false });
    assert.deepEqual(names(folder), [
      "audit-00000001.jsonl",
      "refused-00000004.jsonl",
      "refused-00000005.jsonl",
    ]);
  });
});

Deno.test("audit: foreign files in the folder are left alone", async () => {
  await inFolder(async (folder) => {
    await Deno.mkdir(folder);
    for (const name of ["notes.txt", "audit-9.jsonl", "audit-00000001.jsonl.gz"]) {
      await Deno.writeTextFile(`${folder}/${name}`, "mine");
    }
    const log = await open(folder, { fileBytesMax: 1, filesMax: 1 });
    for (let count = 0; count < 3; count++) await log.append(RECORD);
    assert.deepEqual(names(folder), [
      "audit-00000001.jsonl.gz",
      "audit-00000003.jsonl",
      "audit-9.jsonl",
      "notes.txt",
    ]);
  });
});

Deno.test("audit: who appends hears of the failure, and the next tries for itself", async () => {
  await inFolder(async (folder) => {
    const log = await open(folder);
    await Deno.mkdir(`${folder}/audit-00000001.jsonl`);
    await assert.rejects(log.append(RECORD), /audit-00000001\.jsonl|directory/);
    await Deno.remove(`${folder}/audit-00000001.jsonl`);
    await log.append(RECORD);
    assert.equal(Deno.readTextFileSync(`${folder}/audit-00000001.jsonl`), auditLine(RECORD));
  });
});

Deno.test("audit: a line that was cut short does not spoil the next one, in this life or another", async () => {
  await inFolder(async (folder) => {
    const real = new RealFiles();
    const disk = { isFull: false };
    const files: AuditLogOptions["files"] = Object.create(real, {
      append: {
        value: async (path: string, data: Uint8Array, options: { mode?: number }) => {
          if (!disk.isFull) return await real.append(path, data, options);
          await real.append(path, data.subarray(0, 40), options);
          throw new Error("No space left on device");
        },
      },
    });
    const lines = () => {
      const text = Deno.readTextFileSync(`${folder}/audit-00000001.jsonl`);
      return text.trimEnd().split("\n").map((line) => line.endsWith("}") && JSON.parse(line).time);
    };
    const log = await open(folder, { files });
    await log.append({ ...RECORD, time: 1 });
    disk.isFull = true;
    await assert.rejects(log.append({ ...RECORD, time: 2 }), /No space left/);
    disk.isFull = false;
    await log.append({ ...RECORD, time: 3 });
    assert.deepEqual(lines(), [1, false, 3]);
    disk.isFull = true;
    await assert.rejects(log.append({ ...RECORD, time: 4 }), /No space left/);
    disk.isFull = false;
    await (await open(folder)).append({ ...RECORD, time: 5 });
    assert.deepEqual(lines(), [1, false, 3, false, 5]);
  });
});
