import assert from "node:assert/strict";
import { RealFiles } from "../../../core/environment/real_files.ts";
import type { JournalRecord } from "../../../core/security/journal.ts";
import { JournalFile } from "../../../core/security/journal_file.ts";
import { NOW } from "./documents.ts";

const RECORD_BYTES = 56;
const clock = { time: NOW, now: () => clock.time };

function record(number: number, untilMs = NOW + 1_000): JournalRecord {
  const requestId = number.toString(16).padStart(32, "0");
  return { keyId: "ab".repeat(32), requestId, untilMs };
}

async function inFolder(run: (path: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  clock.time = NOW;
  try {
    await run(`${folder}/journal`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function open(path: string, files: Partial<RealFiles> = {}): Promise<JournalFile> {
  const real = new RealFiles();
  return JournalFile.open({
    clock,
    path,
    files: {
      read: files.read ?? ((path) => real.read(path)),
      write: files.write ?? ((path, data, options) => real.write(path, data, options)),
      append: files.append ?? ((path, data, options) => real.append(path, data, options)),
    },
  });
}

Deno.test("journal file: the next life knows what this one ran, and forgets the expired", async () => {
  await inFolder(async (path) => {
    const first = await open(path);
    assert.deepEqual(first.records, []);
    await Promise.all([first.append(record(1)), first.append(record(2, NOW + 5_000))]);
    assert.deepEqual((await open(path)).records, [record(1), record(2, NOW + 5_000)]);
    clock.time = NOW + 1_001;
    assert.deepEqual((await open(path)).records, [record(2, NOW + 5_000)]);
    assert.equal((await Deno.stat(path)).size, RECORD_BYTES);
  });
});

Deno.test("journal file: only its owner can read it", async () => {
  await inFolder(async (path) => {
    await (await open(path)).append(record(1));
    assert.equal((await Deno.stat(path)).mode! & 0o777, 0o600);
  });
});

Deno.test("journal file: a record torn by a crash is dropped, and the next is whole", async () => {
  await inFolder(async (path) => {
    const first = await open(path);
    await first.append(record(1));
    await first.append(record(2));
    await Deno.truncate(path, 2 * RECORD_BYTES - 7);
    const second = await open(path);
    assert.deepEqual(second.records, [record(1)]);
    await second.append(record(3));
    assert.deepEqual((await open(path)).records, [record(1), record(3)]);
  });
});

Deno.test("journal file: above its limit it is rewritten without the expired", async () => {
  await inFolder(async (path) => {
    const most = Math.floor(1024 * 1024 / RECORD_BYTES);
    const bytes = new Uint8Array(most * RECORD_BYTES);
    const view = new DataView(bytes.buffer);
    for (let at = 0; at < most; at++) view.setBigUint64(at * RECORD_BYTES + 48, BigInt(NOW + 5));
    await Deno.writeFile(path, bytes);
    const journal = await open(path);
    assert.equal(journal.records.length, most);
    clock.time = NOW + 6;
    await journal.append(record(1));
    assert.equal((await Deno.stat(path)).size, RECORD_BYTES);
    assert.deepEqual((await open(path)).records, [record(1)]);
  });
});

Deno.test("journal file: who appends hears of the failure, and the next tries for itself", async () => {
  await inFolder(async (path) => {
    const real = new RealFiles();
    let full = true;
    const journal = await open(path, {
      append: (path, data, options) =>
        full ? Promise.reject(new Error("Disk is full")) : real.append(path, data, options),
    });
    await assert.rejects(journal.append(record(1)), /^Error: Disk is full$/);
    full = false;
    await journal.append(record(2));
    assert.deepEqual((await open(path)).records, [record(2)]);
  });
});

Deno.test("journal file: an error other than a missing file is told", async () => {
  await inFolder(async (path) => {
    const read = () => Promise.reject(new Error("Input/output error"));
    await assert.rejects(open(path, { read }), /^Error: Input\/output error$/);
  });
});
