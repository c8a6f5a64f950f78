import assert from "node:assert/strict";
import fc from "fast-check";
import { RING_BYTES_MAX } from "../../../modules/exec/limits.ts";
import { runs } from "../../support/fuzz.ts";
import { Ring } from "../../../modules/exec/ring.ts";

const signal = new AbortController().signal;

/** All that a reader gets, and what it missed. */
async function readAll(ring: Ring, follow = false): Promise<{ bytes: number[]; missed: number }> {
  const bytes: number[] = [];
  const reading = ring.read({ follow, signal });
  for (;;) {
    const { done, value } = await reading.next();
    if (done) return { bytes, missed: value };
    bytes.push(...value[1]);
  }
}

Deno.test("ring: keeps the last bytes, and a reader learns how many it missed", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 1, max: Math.floor(RING_BYTES_MAX / 3) }), { maxLength: 12 }),
      async (sizes) => {
        const ring = new Ring();
        sizes.forEach((size, i) => ring.push([1, new Uint8Array(size).fill(i)]));
        const { bytes, missed } = await readAll(ring);
        const written = sizes.reduce((sum, size) => sum + size, 0);
        assert.deepEqual([bytes.length + missed, ring.written], [written, written]);
        assert.ok(bytes.length <= RING_BYTES_MAX);
        const all = sizes.flatMap((size, i) => Array<number>(size).fill(i));
        assert.deepEqual(bytes, all.slice(missed));
      },
    ),
    runs(20),
  );
});

Deno.test("ring: who follows gets what comes, until the end", async () => {
  const ring = new Ring();
  ring.push([1, Uint8Array.of(1)]);
  const following = readAll(ring, true);
  await new Promise((resolve) => setTimeout(resolve, 0));
  ring.push([2, Uint8Array.of(2, 3)]);
  ring.finish();
  assert.deepEqual(await following, { bytes: [1, 2, 3], missed: 0 });
  assert.deepEqual(await readAll(ring), { bytes: [1, 2, 3], missed: 0 });
});

Deno.test("ring: who follows and is gone stops waiting", async () => {
  const ring = new Ring();
  const gone = new AbortController();
  const next = ring.read({ follow: true, signal: gone.signal }).next();
  gone.abort();
  assert.deepEqual(await next, { done: true, value: 0 });
});

Deno.test("ring: many small chunks do not cost more than their bound", () => {
  const ring = new Ring();
  for (let i = 0; i < 100_000; i++) ring.push([1, Uint8Array.of(i)]);
  assert.equal(ring.written, 100_000);
});
