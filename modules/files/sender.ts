/**
 * Sends files, whoever gets them: lists a batch, hears what is needed of it, sends that. The same
 * stream may go to many; then it holds what any of them needs.
 */

import { equalBytes, MinimeError } from "../../core/mod.ts";
import type { Sha256 } from "../../core/mod.ts";
import { formatSize } from "../shared/size.ts";
import { PART_LENGTHS_MAX, PIECE_BYTES } from "./limits.ts";
import { fromRanges, type NeedRecord, Packer, type SentRecord } from "./records.ts";
import { readInto, type SourceFile, sumOf, walk, type WalkOptions } from "./walk.ts";

interface Readable {
  seek(at: number): void;
  read(into: Uint8Array): number | null;
}

export interface SendOptions extends WalkOptions {
  readonly startSha256: () => Sha256;
  /**
   * Resolves with what each receiver needs of that batch, when all have said so: undefined for one of
   * whom it will never be known. No receiver: the stream ends.
   */
  readonly needs: (batch: number) => Promise<readonly (NeedRecord | undefined)[]>;
  /** Told of content that went, and of content that need not go. */
  readonly onBytes?: (bytes: number) => void;
  /** Told of each file that went whole. */
  readonly onFile?: () => void;
}

export async function* sendFiles(
  options: SendOptions,
): AsyncGenerator<Uint8Array, void, void> {
  const packer = new Packer();
  let number = 0;
  for (const { entries, files } of walk(options)) {
    for (const record of [...entries, ["ask", number]] as SentRecord[]) {
      const piece = packer.add(record);
      if (piece !== undefined) yield piece;
    }
    const rest = packer.flush();
    if (rest !== undefined) yield rest;
    const needs = await options.needs(number++);
    if (needs.length === 0) return;
    const wanted = wantedOf(needs, files.length);
    for (const [index, file] of files.entries()) {
      const parts = wanted.get(index);
      if (parts === undefined) options.onBytes?.(file.size);
      else yield* sendFile(file, { index, parts, packer, options });
    }
  }
  packer.add(["end"]);
  yield packer.flush() as Uint8Array;
}

/** What is left of a file at those who need it, by length; empty when somebody has nothing of it. */
type PartSums = ReadonlyMap<number, readonly Uint8Array[]>;

function wantedOf(
  needs: readonly (NeedRecord | undefined)[],
  count: number,
): ReadonlyMap<number, PartSums> {
  const wanted = new Map<number, Map<number, Uint8Array[]>>();
  const fromStart = new Set<number>();
  for (const need of needs) {
    const indices = need === undefined
      ? Array.from({ length: count }, (_, index) => index)
      : fromRanges(need[2], count);
    const parts = new Map(need?.[3].map((part) => [part[0], part]));
    for (const index of indices) {
      const sums = wanted.get(index) ?? new Map<number, Uint8Array[]>();
      wanted.set(index, sums);
      const part = parts.get(index);
      if (part === undefined) fromStart.add(index);
      else sums.set(part[1], [...sums.get(part[1]) ?? [], part[2]]);
    }
  }
  return new Map(
    [...wanted].map(([index, sums]) => [index, fromStart.has(index) ? new Map() : sums]),
  );
}

async function* sendFile(
  source: SourceFile,
  { index, parts, packer, options }: {
    readonly index: number;
    readonly parts: PartSums;
    readonly packer: Packer;
    readonly options: SendOptions;
  },
): AsyncGenerator<Uint8Array, void, void> {
  const { ground, problems, startSha256, onBytes } = options;
  const pieces: Uint8Array[] = [];
  /** False while the record waits for others, and its bytes with it. */
  const put = (record: SentRecord) => {
    const piece = packer.add(record);
    if (piece !== undefined) pieces.push(piece);
    return piece !== undefined;
  };
  let memory = new Uint8Array(0);
  let at = 0;
  try {
    ground.enter(source.folder);
    const { file } = ground.open(source.name, "read");
    using _ = file;
    at = commonStart(file, { source, parts, startSha256 });
    file.seek(0);
    const sum = readInto(file, startSha256(), at);
    onBytes?.(at);
    put(["go", index, at]);
    while (at < source.size) {
      const wanted = Math.min(PIECE_BYTES, source.size - at);
      if (memory.length < wanted) memory = new Uint8Array(wanted);
      const count = file.read(memory.subarray(0, wanted));
      if (count === null) break;
      const bytes = memory.subarray(0, count);
      sum.update(bytes);
      if (!put(bytes)) memory = new Uint8Array(0);
      at += count;
      onBytes?.(count);
      yield* pieces.splice(0);
    }
    const { size, modified, id } = file.facts();
    const own = sum.digest();
    const hasGrown = size > source.size && id === source.id &&
      isStill(file, source, { own, startSha256 });
    const isSame = size === source.size && modified === source.modified;
    if (at === source.size && (isSame || hasGrown)) {
      put(["sum", own]);
      options.onFile?.();
      if (hasGrown) problems.note(grownText(source));
    } else {
      problems.add(`"${source.folder}/${source.name}" has changed while it was read`);
      put(["skip"]);
    }
  } catch (error) {
    if (!(error instanceof MinimeError)) throw error;
    problems.addError(ground.explain(error, source.name));
    put(["skip"]);
  }
  yield* pieces;
}

/** Whether what was read of it is there as it was: a file may grow and be written inside as well. */
function isStill(
  file: Readable,
  { size }: SourceFile,
  { own, startSha256 }: { readonly own: Uint8Array; readonly startSha256: () => Sha256 },
): boolean {
  file.seek(0);
  return equalBytes(sumOf(file, startSha256(), size), own);
}

/** A log, for example. */
function grownText({ folder, name, size }: SourceFile): string {
  return `"${folder}/${name}" has grown while it was read: what is copied are its first ${
    formatSize(size)
  }`;
}

/** The length that all of them have, and that is the same as ours. */
function commonStart(
  file: Readable,
  { source, parts, startSha256 }: {
    readonly source: SourceFile;
    readonly parts: PartSums;
    readonly startSha256: () => Sha256;
  },
): number {
  const lengths = [...parts.keys()];
  if (lengths.length === 0 || lengths.length > PART_LENGTHS_MAX) return 0;
  for (const [length, sums] of parts) {
    if (length > source.size) return 0;
    file.seek(0);
    const own = sumOf(file, startSha256(), length);
    if (!sums.every((sum) => equalBytes(sum, own))) return 0;
  }
  return Math.min(...lengths);
}
