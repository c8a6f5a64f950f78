/** Every engine that opens here, for tests that must hold on each of them. Shared, so never closed. */

import {
  checkedAead,
  checkedAgreement,
  checkedHashes,
  checkedSignatures,
} from "../../../core/crypto/checked_engine.ts";
import type { Engine } from "../../../core/crypto/engines.ts";
import type { Primitives } from "../../../core/crypto/primitives.ts";
import { openFfi } from "../../../core/crypto/primitives_ffi.ts";
import { openNative } from "../../../core/crypto/primitives_native.ts";
import { NOBLE } from "../../../core/crypto/primitives_noble.ts";
import { selfTest } from "../../../core/crypto/self_test.ts";

export const NATIVE: Engine = openNative();
export { NOBLE };

/** Undefined on a host without libcrypto.so.3; its tests then count as ignored. */
export const FFI: Engine | undefined = openOrUndefined(() => {
  const engine = openFfi();
  // What it opens when it first needs it would else count as left open by some test.
  selfTest(primitivesOf(engine));
  return engine;
});

/** Those that open, the reference first. */
export const ENGINES: readonly Engine[] = [NOBLE, NATIVE, ...(FFI ? [FFI] : [])];

/** All operations by this engine, the reference's where it has none. */
export function primitivesOf(engine: Engine): Primitives {
  const { source } = engine;
  return {
    ...checkedAgreement(engine.agreement ?? NOBLE.agreement!),
    ...checkedSignatures(engine.signatures ?? NOBLE.signatures!),
    ...checkedHashes(engine.hashes ?? NOBLE.hashes!),
    ...checkedAead(engine.aead ?? NOBLE.aead!),
    chosen: { agreement: source, signatures: source, hashes: source, aead: source, notes: [] },
    [Symbol.dispose]() {},
  };
}

export function hex(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.fromHex(text);
}

export function readVectors(path: string): string {
  return Deno.readTextFileSync(new URL(`../../vectors/${path}`, import.meta.url));
}

function openOrUndefined(open: () => Engine): Engine | undefined {
  try {
    return open();
  } catch (error) {
    if (error instanceof Error && error.message.includes("libcrypto.so.3")) return undefined;
    throw error;
  }
}
