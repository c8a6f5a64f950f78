/** What a stream holds on to. */

import assert from "node:assert/strict";
import { StreamReceiver } from "../../../core/daemon/stream.ts";

const MIB = 1024 * 1024;

Deno.test("stream: a reader that always has more to read holds nothing of what it has read", async () => {
  const receiver = new StreamReceiver(() => {});
  const items = receiver[Symbol.asyncIterator]();
  const push = () => receiver.push(new Uint8Array(MIB), 1);
  const before = Deno.memoryUsage().external;
  push();
  for (let i = 0; i < 1_000; i++) {
    push();
    await items.next();
  }
  const held = (Deno.memoryUsage().external - before) / MIB;
  assert.ok(held < 500, `${held} of 1000 MiB`);
});
