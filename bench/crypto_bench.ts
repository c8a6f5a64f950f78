/**
 * ChaCha20-Poly1305 as a link uses it (one key, counting nonces, caller's buffers) and the curve and
 * hash operations of a handshake, for each engine, with ratios to the reference. Best of several
 * rounds, engines taking turns, because other programs share the machine.
 *
 *   deno run -A bench/crypto_bench.ts
 */

import {
  type AeadPrimitives,
  checkedAead,
  checkedAgreement,
  checkedHashes,
  checkedSignatures,
} from "../core/crypto/checked_engine.ts";
import type { Engine } from "../core/crypto/engines.ts";
import { openFfi } from "../core/crypto/primitives_ffi.ts";
import { openNative } from "../core/crypto/primitives_native.ts";
import { NOBLE } from "../core/crypto/primitives_noble.ts";

const ROUNDS = 5;
const ROUND_MS = 30;
const EMPTY = new Uint8Array(0);
const KEY = new Uint8Array(32).fill(7);

const engines: Engine[] = [NOBLE];
for (const open of [openNative, openFfi]) {
  const start = performance.now();
  try {
    engines.push(open());
    const ms = (performance.now() - start).toFixed(1);
    print(`${engines.at(-1)!.source}: opened in ${ms} ms`);
  } catch (error) {
    print(`Not here: ${error instanceof Error ? error.message : error}`);
  }
}
print(`Deno ${Deno.version.deno}\n`);

function print(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}

type Run = () => unknown;

/** Microseconds a call. */
function measure(run: Run): number {
  let calls = 0;
  const start = performance.now();
  let now = start;
  while (now - start < ROUND_MS) {
    for (let i = 0; i < 8; i++) run();
    calls += 8;
    now = performance.now();
  }
  return (now - start) / calls * 1000;
}

function row(
  what: string,
  bytes: number | undefined,
  make: (engine: Engine) => Run | undefined,
): void {
  const runs = engines.map(make);
  const best = runs.map(() => Infinity);
  for (let round = 0; round < ROUNDS; round++) {
    runs.forEach((run, index) => {
      if (run) best[index] = Math.min(best[index]!, measure(run));
    });
  }
  const cells = best.map((us, index) => {
    if (!runs[index]) return "-".padStart(28);
    const speed = bytes && bytes >= 1024 ? ` ${(bytes / us).toFixed(0)} MB/s` : "";
    return `${us.toFixed(1)} us${speed} ${(best[0]! / us).toFixed(1)}x`.padStart(28);
  });
  print(what.padEnd(16) + cells.join(""));
}

print("".padEnd(16) + engines.map(({ source }) => source.padStart(28)).join(""));
for (const bytes of [64, 1024, 16_384, 65_519]) {
  const plaintext = new Uint8Array(bytes).fill(1);
  const sealed = new Uint8Array(bytes + 16);
  const size = bytes < 1024 ? `${bytes} B` : `${Math.ceil(bytes / 1024)} KiB`;
  const withAead = (engine: Engine, use: (aead: ReturnType<AeadPrimitives["createAead"]>) => Run) =>
    engine.aead && use(checkedAead(engine.aead).createAead(KEY));
  row(`seal ${size}`, bytes, (engine) =>
    withAead(engine, (aead) => {
      let nonce = 0;
      return () => aead.seal(nonce++, EMPTY, plaintext, sealed);
    }));
  checkedAead(NOBLE.aead!).createAead(KEY).seal(0, EMPTY, plaintext, sealed);
  const frame = sealed.slice();
  row(
    `open ${size}`,
    bytes,
    (engine) => withAead(engine, (aead) => () => aead.open(0, EMPTY, frame, plaintext)),
  );
}

const message = new Uint8Array(300).fill(3);
const reference = checkedSignatures(NOBLE.signatures!);
const publicKey = checkedAgreement(NOBLE.agreement!).dhPublicKey(KEY);
const signer = reference.signPublicKey(KEY);
const signature = reference.sign(KEY, message);
const withAgreement = (engine: Engine) => checkedAgreement(engine.agreement!);
const withSignatures = (engine: Engine) => checkedSignatures(engine.signatures!);
const withHashes = (engine: Engine) => checkedHashes(engine.hashes!);
row("X25519 key", undefined, (engine) => () => withAgreement(engine).dhPublicKey(KEY));
row("X25519", undefined, (engine) => () => withAgreement(engine).dh(KEY, publicKey));
row("Ed25519 sign", undefined, (engine) => () => withSignatures(engine).sign(KEY, message));
row(
  "Ed25519 verify",
  undefined,
  (engine) => () => withSignatures(engine).verify(signer, message, signature),
);
row("SHA-256 64 B", 64, (engine) => () => withHashes(engine).sha256(KEY, KEY));
row("HKDF 64 B", 64, (engine) => () => withHashes(engine).hkdf(KEY, KEY, { bytes: 64 }));
const large = new Uint8Array(1 << 20);
row("SHA-256 1 MiB", large.length, (engine) => () => withHashes(engine).sha256(large));
for (const engine of engines) engine[Symbol.dispose]();
