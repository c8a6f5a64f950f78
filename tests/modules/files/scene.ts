/** Files from one folder into another, without a daemon between: sender and receiver alone. */

import { RealDisk } from "../../../core/environment/real_disk.ts";
import type { Disk } from "../../../core/mod.ts";
import { findDestination } from "../../../modules/files/destination.ts";
import { Ground } from "../../../modules/files/ground.ts";
import { nameOf } from "../../../modules/files/location.ts";
import { Problems } from "../../../modules/files/problems.ts";
import { receiveFiles } from "../../../modules/files/receiver.ts";
import {
  type NeedRecord,
  Packer,
  readPiece,
  type SentRecord,
} from "../../../modules/files/records.ts";
import { sendFiles } from "../../../modules/files/sender.ts";
import type { Summary } from "../../../modules/files/summary.ts";
import { testPrimitives } from "../../support/mesh_keys.ts";

export interface CopyOptions {
  readonly sources: readonly string[];
  readonly to: string;
  readonly checksum?: boolean;
  /** What happens to pieces on the way. @default nothing */
  readonly way?: (pieces: AsyncIterable<Uint8Array>) => AsyncIterable<Uint8Array>;
  /** Of the receiver. @default the host's */
  readonly disk?: Disk;
  /** Of the receiver. @default never */
  readonly signal?: AbortSignal;
  /** Unix ms. @default now */
  readonly now?: number;
  readonly onNeed?: (need: NeedRecord) => void;
}

export interface Copied extends Summary {
  /** Of the sender. */
  readonly left: readonly string[];
  readonly notes: string[];
  /** Of content that was sent. */
  readonly sent: number;
}

/** Rejects with what the receiver throws. */
export async function copy(options: CopyOptions): Promise<Copied> {
  const primitives = await testPrimitives();
  const startSha256 = () => primitives.startSha256();
  const disk = new RealDisk();
  const problems = new Problems();
  const needs = new Mail<NeedRecord>();
  let sent = 0;
  const pieces = sendFiles({
    ground: new Ground(disk, { stands: false }),
    roots: options.sources.map((path) => ({ path, name: nameOf(path) })),
    problems,
    startSha256,
    ...(options.checksum ? { startSum: startSha256 } : {}),
    needs: async () => [await needs.next()],
  });
  const counted = async function* () {
    for await (const piece of pieces) {
      sent += piece.length;
      yield piece;
    }
  };
  const receiving = receiveFiles(options.way?.(counted()) ?? counted(), {
    ...await receiverOptions(options.to, options.sources.length === 1, options.disk),
    ...(options.signal === undefined ? {} : { signal: options.signal }),
    ...(options.now === undefined ? {} : { now: () => options.now as number }),
    startSha256,
  });
  for (;;) {
    const { done, value } = await receiving.next();
    if (done) return { ...value, left: problems.shown, notes: problems.notes, sent };
    options.onNeed?.(value);
    needs.put(value);
  }
}

/** For who receives into that folder or file. */
export async function receiverOptions(
  to: string,
  single: boolean,
  disk: Disk = new RealDisk(),
): Promise<Parameters<typeof receiveFiles>[1]> {
  const primitives = await testPrimitives();
  return {
    ground: new Ground(disk, { stands: false }),
    destination: findDestination(disk, to, { single }),
    key: "n1 alice",
    uid: Deno.uid() as number,
    now: () => Date.now(),
    startSha256: () => primitives.startSha256(),
  };
}

/** A way on which each record becomes others. */
export async function* changed(
  pieces: AsyncIterable<Uint8Array>,
  change: (record: SentRecord) => SentRecord[],
): AsyncGenerator<Uint8Array> {
  for await (const piece of pieces) yield* packed(readPiece(piece).flatMap(change));
}

export function packed(records: readonly SentRecord[]): Uint8Array[] {
  const packer = new Packer();
  const pieces = records.flatMap((record) => packer.add(record) ?? []);
  const rest = packer.flush();
  return rest === undefined ? pieces : [...pieces, rest];
}

/** A folder that is removed when disposed of. */
export function temporaryFolder(): { readonly path: string } & Disposable {
  const path = Deno.realPathSync(Deno.makeTempDirSync({ prefix: "minime-files-" }));
  return { path, [Symbol.dispose]: () => Deno.removeSync(path, { recursive: true }) };
}

/** What is exact about modes in a program that copies is for itself, and not for the tests after us. */
export function keptUmask(): Disposable {
  const umask = Deno.umask();
  return { [Symbol.dispose]: () => void Deno.umask(umask) };
}

/** Everything below a folder, in words: kind, mode, time, content or target. */
export function listing(folder: string, below = ""): string[] {
  return [...Deno.readDirSync(folder)].map(({ name }) => name).sort().flatMap((name) => {
    const path = `${folder}/${name}`;
    const info = Deno.lstatSync(path);
    if (info.isSymlink) return [`${below}${name} -> ${Deno.readLinkSync(path)}`];
    const facts = `${((info.mode ?? 0) & 0o7777).toString(8)} ${info.mtime?.getTime()}`;
    if (info.isDirectory) {
      return [`${below}${name}/ ${facts}`, ...listing(path, `${below}${name}/`)];
    }
    return [`${below}${name} ${facts} ${Deno.readTextFileSync(path)}`];
  });
}

/** One puts, one takes. */
export class Mail<T> {
  readonly #items: T[] = [];
  #wake: (() => void) | undefined;

  put(item: T): void {
    this.#items.push(item);
    this.#wake?.();
  }

  async next(): Promise<T> {
    for (;;) {
      const item = this.#items.shift();
      if (item !== undefined) return item;
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
  }
}
