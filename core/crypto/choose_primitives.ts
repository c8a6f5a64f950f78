/**
 * Chooses an implementation of each operation on this host and puts one {@link Primitives} together.
 * libcrypto by FFI comes first: by bench/crypto_bench.ts it seals 64 B in 1 us (node:crypto 8, noble
 * 18) and 64 KiB at 2 GB/s (1.0, 0.1). Ed25519 alone is faster in node:crypto (a verification 60 us
 * against 130), which is not worth the 20 ms and 5 MB that loading it costs on Deno 2.9. noble is
 * always there. What is not needed is not loaded.
 *
 * Every engine proves itself by known answers before it is used: a host whose libcrypto lacks an
 * algorithm (FIPS mode) gets the next engine for it, with a note in `chosen`.
 */

import { errorText, MinimeError } from "../errors.ts";
import {
  type AeadPrimitives,
  checkedAead,
  checkedCurves,
  checkedHashes,
  type CurvePrimitives,
  type HashPrimitives,
} from "./checked_engine.ts";
import type { Engine } from "./engines.ts";
import type { Primitives, PrimitivesSource } from "./primitives.ts";
import { openFfi } from "./primitives_ffi.ts";
import { openNative } from "./primitives_native.ts";
import { testAead, testCurves, testHashes } from "./self_test.ts";

export interface ChooseOptions {
  /** Tried in this order, for each group of operations. @default ["ffi", "native", "noble"] */
  readonly sources?: readonly PrimitivesSource[];
}

/** Rejects when `sources` together lack an operation. The caller disposes the result. */
export async function choosePrimitives(options: ChooseOptions = {}): Promise<Primitives> {
  const { sources = ["ffi", "native", "noble"] } = options;
  const notes: string[] = [];
  const opened: Engine[] = [];
  let curves: Proven<CurvePrimitives> | undefined;
  let hashes: Proven<HashPrimitives> | undefined;
  let aead: Proven<AeadPrimitives> | undefined;

  /** Undefined, with a note, when the engine lacks these operations or does them wrong. */
  function prove<T>(
    source: PrimitivesSource,
    what: string,
    operations: T | undefined,
    test: (it: T) => void,
  ) {
    try {
      if (!operations) throw new MinimeError("Not in this runtime");
      test(operations);
      return { source, operations };
    } catch (error) {
      notes.push(`${source} ${what}: ${errorText(error)}`);
      return undefined;
    }
  }
  for (const source of sources) {
    if (curves && hashes && aead) break;
    let engine: Engine;
    try {
      engine = await openEngine(source);
    } catch (error) {
      notes.push(`${source}: ${errorText(error)}`);
      continue;
    }
    opened.push(engine);
    curves ??= prove(source, "curves", engine.curves && checkedCurves(engine.curves), testCurves);
    hashes ??= prove(source, "hashes", engine.hashes && checkedHashes(engine.hashes), testHashes);
    aead ??= prove(source, "aead", engine.aead && checkedAead(engine.aead), testAead);
  }

  function close(): void {
    for (const engine of opened) engine[Symbol.dispose]();
  }
  if (!curves || !hashes || !aead) {
    close();
    throw new MinimeError(
      `No cryptography works on this host: ${notes.join("; ") || "nothing was tried"}`,
    );
  }
  const chosen = { curves: curves.source, hashes: hashes.source, aead: aead.source, notes };
  return {
    ...curves.operations,
    ...hashes.operations,
    ...aead.operations,
    chosen,
    [Symbol.dispose]: close,
  };
}

interface Proven<Operations> {
  readonly source: PrimitivesSource;
  readonly operations: Operations;
}

async function openEngine(source: PrimitivesSource): Promise<Engine> {
  if (source === "ffi") return openFfi();
  if (source === "native") return openNative();
  return (await import("./primitives_noble.ts")).NOBLE;
}
