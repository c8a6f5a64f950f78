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
  type AgreementPrimitives,
  checkedAead,
  checkedAgreement,
  checkedHashes,
  checkedSignatures,
  type HashPrimitives,
  type SignaturePrimitives,
} from "./checked_engine.ts";
import type { Engine } from "./engines.ts";
import type { Primitives, PrimitivesSource } from "./primitives.ts";
import { openFfi } from "./primitives_ffi.ts";
import { openNative } from "./primitives_native.ts";
import { testAead, testAgreement, testHashes, testSignatures } from "./self_test.ts";

export interface ChooseOptions {
  /** Tried in this order, for each group of operations. @default ["ffi", "native", "noble"] */
  readonly sources?: readonly PrimitivesSource[];
}

/** What it takes to sign and to verify, and nothing to talk over a network. */
export type SigningPrimitives = SignaturePrimitives & HashPrimitives & Disposable;

/** Rejects when `sources` together lack an operation. The caller disposes the result. */
export async function choosePrimitives(options: ChooseOptions = {}): Promise<Primitives> {
  using choice = new Choice();
  const signatures = choice.of("signatures", signaturesOf);
  const hashes = choice.of("hashes", hashesOf);
  const agreement = choice.of("agreement", agreementOf);
  const aead = choice.of("aead", aeadOf);
  await choice.make(options);
  return {
    ...signatures().operations,
    ...hashes().operations,
    ...agreement().operations,
    ...aead().operations,
    chosen: {
      signatures: signatures().source,
      agreement: agreement().source,
      hashes: hashes().source,
      aead: aead().source,
      notes: choice.notes,
    },
    [Symbol.dispose]: choice.take(),
  };
}

/** The same for a part of them, in half the time. */
export async function chooseSigning(options: ChooseOptions = {}): Promise<SigningPrimitives> {
  using choice = new Choice();
  const signatures = choice.of("signatures", signaturesOf);
  const hashes = choice.of("hashes", hashesOf);
  await choice.make(options);
  return {
    ...signatures().operations,
    ...hashes().operations,
    [Symbol.dispose]: choice.take(),
  };
}

interface Proven<Operations> {
  readonly source: PrimitivesSource;
  readonly operations: Operations;
}

/** Takes each group of operations from the first engine that has it and passes its test. */
class Choice implements Disposable {
  readonly notes: string[] = [];
  readonly #groups: { isChosen(): boolean; tryEngine(engine: Engine): void }[] = [];
  #opened: Engine[] = [];

  /** `prove` throws when the operations do not what they must; undefined: the engine has none. */
  of<T>(what: string, prove: (engine: Engine) => T | undefined): () => Proven<T> {
    let proven: Proven<T> | undefined;
    this.#groups.push({
      isChosen: () => proven !== undefined,
      tryEngine: (engine) => {
        const { source } = engine;
        try {
          const operations = prove(engine);
          if (operations === undefined) throw new MinimeError("Not in this runtime");
          proven = { source, operations };
        } catch (error) {
          this.notes.push(`${source} ${what}: ${errorText(error)}`);
        }
      },
    });
    return () => {
      if (proven === undefined) throw new TypeError(`Nothing was chosen for ${what}`);
      return proven;
    };
  }

  async make({ sources = ["ffi", "native", "noble"] }: ChooseOptions): Promise<void> {
    for (const source of sources) {
      const missing = this.#groups.filter((group) => !group.isChosen());
      if (missing.length === 0) return;
      try {
        const engine = await openEngine(source);
        this.#opened.push(engine);
        for (const group of missing) group.tryEngine(engine);
      } catch (error) {
        this.notes.push(`${source}: ${errorText(error)}`);
      }
    }
    if (this.#groups.every((group) => group.isChosen())) return;
    const why = this.notes.join("; ") || "nothing was tried";
    throw new MinimeError(`No cryptography works on this host: ${why}`);
  }

  /** Whoever takes them closes the engines. */
  take(): () => void {
    const opened = this.#opened;
    this.#opened = [];
    return () => {
      for (const engine of opened) engine[Symbol.dispose]();
    };
  }

  [Symbol.dispose](): void {
    this.take()();
  }
}

function signaturesOf({ signatures }: Engine): SignaturePrimitives | undefined {
  return tested(signatures && checkedSignatures(signatures), testSignatures);
}

function hashesOf({ hashes }: Engine): HashPrimitives | undefined {
  return tested(hashes && checkedHashes(hashes), testHashes);
}

function agreementOf({ agreement }: Engine): AgreementPrimitives | undefined {
  return tested(agreement && checkedAgreement(agreement), testAgreement);
}

function aeadOf({ aead }: Engine): AeadPrimitives | undefined {
  return tested(aead && checkedAead(aead), testAead);
}

function tested<T>(operations: T | undefined, test: (operations: T) => void): T | undefined {
  if (operations !== undefined) test(operations);
  return operations;
}

async function openEngine(source: PrimitivesSource): Promise<Engine> {
  if (source === "ffi") return openFfi();
  if (source === "native") return openNative();
  return (await import("./primitives_noble.ts")).NOBLE;
}
