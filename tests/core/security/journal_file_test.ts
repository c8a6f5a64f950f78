import assert from "node:assert/strict";
import { RealFiles } from "../../../core/environment/real_files.ts";
import type { JournalRecord } from "../../../core/security/journal.ts";
import { JournalFile, type JournalFileOptions } from "../../../core/security/journal_file.ts";
import { NOW } from "./documents.ts";

const RECORD_BYTES = 56;

async function inFolder(run: (path: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await run(`${folder}/journal`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function open(path: string, options: Partial<JournalFileOptions> = {}): Promise<JournalFile> {
  return JournalFile.open({ files: new RealFiles(), path, now: () => NOW, ...options });
}

function record(number: number, untilMs = NOW + 60_000): JournalRecord {
  return {
    keyId: "ab".repeat(32),
    requestId: number.toString(16).padStart(32, "0"),
    untilMs,
  };
}

Deno.test("journal file: what was appended is there after a restart, unless it has expired", async () => {
  await inFolder(async (path) => {
    const journal = await open(path);
    assert.deepEqual(journal.records, []);
    await Promise.all(
      [record(1), record(2, NOW + 5), record(3)].map((each) => journal.append(each)),
    );
    assert.equal((Deno.statSync(path).mode ?? 0) & 0o777, 0o600);
    const again = await open(path, { now: () => NOW + 6 });
    assert.deepEqual(again.records, [record(1), record(3)]);
    assert.equal(Deno.statSync(path).size, 2 * RECORD_BYTES);
  });
});

Deno.test("journal file: a record that was cut short is left out, and the next ones are whole", async () => {
  await inFolder(async (path) => {
    await (await open(path)).append(record(1));
    Deno.writeFileSync(path, new Uint8Array(RECORD_BYTES - 1), { append: true });
    const journal = await open(path);
    assert.deepEqual(journal.records, [record(1)]);
    await journal.append(record(2));
    assert.deepEqual((await open(path)).records, [record(1), record(2)]);
  });
});

Deno.test("journal file: is written anew when it has grown, with what lives", async () => {
  await inFolder(async (path) => {
    let now = NOW;
    const journal = await open(path, { now: () => now, recordsMax: 4 });
    for (let i = 0; i < 4; i++) await journal.append(record(i, NOW + i));
    now = NOW + 3;
    await journal.append(record(4));
    assert.equal(Deno.statSync(path).size, 2 * RECORD_BYTES);
    assert.deepEqual((await open(path)).records, [record(3, NOW + 3), record(4)]);
    // Those that live never keep others out, however many they are.
    for (let i = 5; i < 30; i++) await journal.append(record(i));
    assert.equal((await open(path)).records.length, 27);
  });
});

Deno.test("journal file: what half of a full disk took is repaired by the next record", async () => {
  await inFolder(async (path) => {
    const files = new RealFiles();
    let full = false;
    const journal = await open(path, {
      files: {
        read: (name) => files.read(name),
        write: (name, data, options) => files.write(name, data, options),
        async append(name, data, options) {
          const bytes = data as Uint8Array;
          await files.append(name, full ? bytes.subarray(0, 10) : bytes, options);
          if (full) throw new Error("No space");
        },
      },
    });
    await journal.append(record(1));
    full = true;
    await assert.rejects(journal.append(record(2)), /^Error: No space$/);
    full = false;
    await journal.append(record(3));
    assert.deepEqual((await open(path)).records, [record(1), record(3)]);
  });
});

Deno.test("journal file: one that cannot be read stops the start, with its name", async () => {
  await inFolder(async (path) => {
    Deno.writeFileSync(path, new Uint8Array(RECORD_BYTES).fill(0xff));
    await assert.rejects(open(path), /Journal ".*journal".*until/);
  });
});
