import assert from "node:assert/strict";
import { FirstSignal } from "../../core/first_signal.ts";

Deno.test("first signal: aborts with the first of its sources, and once", () => {
  const [a, b] = [new AbortController(), new AbortController()];
  using first = new FirstSignal(a.signal, b.signal);
  let times = 0;
  first.signal.addEventListener("abort", () => times++);
  assert.equal(first.signal.aborted, false);
  b.abort("b");
  a.abort("a");
  assert.deepEqual([first.signal.reason, times], ["b", 1]);
});

Deno.test("first signal: of a source that has aborted before it has aborted too", () => {
  const a = new AbortController();
  using first = new FirstSignal(a.signal, AbortSignal.abort("b"));
  a.abort("a");
  assert.equal(first.signal.reason, "b");
});

Deno.test("first signal: one that is disposed of hears no more", () => {
  const a = new AbortController();
  const first = new FirstSignal(a.signal);
  first[Symbol.dispose]();
  a.abort("a");
  assert.equal(first.signal.aborted, false);
});
