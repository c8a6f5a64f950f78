/** What comes through a pipe, in memory that is used again. */

import assert from "node:assert/strict";
import { LentChunks } from "../../../modules/shared/lent_chunks.ts";

/** A program's stdout, as it is. */
function outputOf(line: string): { stream: ReadableStream<Uint8Array>; end: () => Promise<void> } {
  const child = new Deno.Command("/bin/sh", { args: ["-c", line], stdout: "piped" }).spawn();
  return {
    stream: child.stdout,
    async end() {
      try {
        child.kill("SIGKILL");
      } catch (error) {
        // It has ended.
        if (!(error instanceof TypeError)) throw error;
      }
      await child.status;
    },
  };
}

Deno.test("lent chunks: all of it comes, in its order, never more than asked for at once", async () => {
  const { stream, end } = outputOf("seq 100000; printf '\\377\\000'");
  const parts: Uint8Array[] = [];
  for await (const chunk of new LentChunks(stream, { bytesMax: 1_000 })) {
    assert.ok(chunk.length > 0 && chunk.length <= 1_000);
    parts.push(chunk.slice());
  }
  await end();
  const whole = new Uint8Array(await new Blob(parts as BlobPart[]).arrayBuffer());
  const lines = Array.from({ length: 100_000 }, (_, index) => `${index + 1}\n`).join("");
  assert.deepEqual(whole, new Uint8Array([...new TextEncoder().encode(lines), 255, 0]));
});

Deno.test("lent chunks: a chunk is gone when the next one is asked for", async () => {
  const { stream, end } = outputOf("printf one; sleep 0.1; printf two; exec sleep 60");
  const chunks = new LentChunks(stream, { bytesMax: 1_000 });
  const one = await chunks.next() as Uint8Array;
  assert.equal(new TextDecoder().decode(one), "one");
  await chunks.next();
  assert.equal(one.length, 0);
  await chunks.cancel();
  await end();
});

Deno.test("lent chunks: who waits for more is told when nobody wants it any more", async () => {
  const { stream, end } = outputOf("exec sleep 60");
  const chunks = new LentChunks(stream, { bytesMax: 1_000 });
  const waiting = chunks.next();
  await chunks.cancel();
  assert.equal(await waiting, undefined);
  await end();
});
