import assert from "node:assert/strict";
import { HopWindow } from "../../../modules/router/hop_window.ts";
import {
  HOP_BYTES_PER_MS,
  HOP_WINDOW_BYTES_MAX,
  HOP_WINDOW_BYTES_MIN,
} from "../../../modules/router/limits.ts";

Deno.test("hop window: is full by what was handed over and not taken", () => {
  const window = new HopWindow();
  window.handed(HOP_WINDOW_BYTES_MIN - 1, 0);
  assert.ok(!window.full);
  window.handed(1, 0);
  assert.ok(window.full);
  window.taken(1, 0);
  assert.ok(!window.full);
  window.handed(HOP_WINDOW_BYTES_MIN, 0);
  window.clear();
  assert.ok(!window.full);
});

Deno.test("hop window: grows with the shortest way there and back, not with a queue on it", () => {
  const window = new HopWindow();
  for (const [handed, taken] of [[0, 9], [10, 510], [600, 1_600]] as const) {
    window.handed(1_000, handed);
    window.taken(1_000, taken);
  }
  assert.equal(window.size, 9 * HOP_BYTES_PER_MS);
  window.handed(1_000, 2_000);
  window.taken(1_000, 2_000.2);
  assert.equal(window.size, HOP_WINDOW_BYTES_MIN);
});

Deno.test("hop window: a report counts for the time only when it covers what was timed", () => {
  const window = new HopWindow();
  window.handed(1_000, 0);
  window.handed(1_000, 1);
  window.taken(400, 2);
  assert.equal(window.size, HOP_WINDOW_BYTES_MIN);
  window.taken(700, 12);
  assert.equal(window.size, 12 * HOP_BYTES_PER_MS);
});

Deno.test("hop window: what the conduit gave back is neither under way nor timed", () => {
  const window = new HopWindow();
  window.handed(HOP_WINDOW_BYTES_MIN, 0);
  assert.ok(window.full);
  window.returned(HOP_WINDOW_BYTES_MIN);
  assert.ok(!window.full);
  window.handed(1_000, 100);
  window.taken(1_000, 104);
  assert.equal(window.size, 4 * HOP_BYTES_PER_MS);
});

Deno.test("hop window: is bounded, whatever the hop reports", () => {
  const window = new HopWindow();
  window.handed(1_000, 0);
  window.taken(0xffff_ffff, 1e9);
  assert.equal(window.size, HOP_WINDOW_BYTES_MAX);
  window.handed(HOP_WINDOW_BYTES_MAX, 0);
  assert.ok(window.full);
});
