/** The last lines of a log: which ones are shown, and what becomes of readers that are slow. */

import assert from "node:assert/strict";
import { LOG_KEPT_CHARACTERS_MAX } from "../../../modules/log/limits.ts";
import type { LogItem } from "../../../modules/log/log_line.ts";
import { LogRing, type ReadOptions } from "../../../modules/log/log_ring.ts";

type Given = Partial<ReadOptions>;

function options(given: Given): ReadOptions {
  const { signal } = new AbortController();
  return { level: "debug", since: 0, lines: 100_000, follow: false, signal, ...given };
}

async function texts(ring: LogRing, given: Given = {}): Promise<string[]> {
  const found: string[] = [];
  for await (const { lines } of ring.read(options(given))) {
    found.push(...lines.map(({ text }) => text));
  }
  return found;
}

/** Lines 0 to 4, a second apart, in rising importance. */
function filled(): LogRing {
  const ring = new LogRing();
  for (const [i, level] of (["debug", "info", "info", "warning", "error"] as const).entries()) {
    ring.push({ time: i * 1_000, level, component: "mesh", text: `line ${i}` });
  }
  return ring;
}

Deno.test("log ring: lines are chosen by level, age and number", async () => {
  const ring = filled();
  assert.equal((await texts(ring)).length, 5);
  assert.deepEqual(await texts(ring, { level: "warning" }), ["line 3", "line 4"]);
  assert.deepEqual(await texts(ring, { since: 3_000 }), ["line 3", "line 4"]);
  assert.deepEqual(await texts(ring, { lines: 1 }), ["line 4"]);
  // Of those that fit, not of all.
  assert.deepEqual(await texts(ring, { level: "info", since: 0, lines: 3 }), [
    "line 2",
    "line 3",
    "line 4",
  ]);
  assert.deepEqual(await texts(ring, { lines: 0 }), []);
});

Deno.test("log ring: who follows gets what comes, and ends when it is told to", async () => {
  const ring = filled();
  const over = new AbortController();
  const reading = ring.read(
    options({ follow: true, lines: 1, level: "info", signal: over.signal }),
  );
  const next = async () => {
    const { value } = await reading.next();
    return (value as LogItem).lines.map(({ text }) => text);
  };
  assert.deepEqual(await next(), ["line 4"]);
  const waiting = next();
  ring.push({ time: 9, level: "debug", component: "mesh", text: "too little" });
  ring.push({ time: 9, level: "info", component: "mesh", text: "more" }, { count: 1 });
  assert.deepEqual(await waiting, ["more"]);
  const end = reading.next();
  over.abort();
  assert.equal((await end).done, true);
});

Deno.test("log ring: its size is bounded, and who is too slow is told how much is missing", async () => {
  const ring = new LogRing();
  const text = "x".repeat(1_000);
  const push = (count: number) => {
    for (let i = 0; i < count; i++) ring.push({ time: i, level: "info", component: "mesh", text });
  };
  const over = new AbortController();
  const reading = ring.read(options({ follow: true, signal: over.signal }));
  push(1);
  const first = await reading.next();
  assert.equal((first.value as LogItem).lines.length, 1);
  push(10_000);
  const kept = (await texts(ring)).length;
  assert.ok(kept * 1_000 <= LOG_KEPT_CHARACTERS_MAX && kept > 900);
  const second = (await reading.next()).value as LogItem;
  assert.equal(second.missed, 10_000 - kept);
  // In items of a bounded size.
  assert.ok(second.lines.length < 100);
  over.abort();
  await reading.next();
});

Deno.test("log ring: a line is cut, fields that are no data are left out", async () => {
  const ring = new LogRing();
  ring.push({ time: 0, level: "info", component: "a", text: "y".repeat(100_000) }, { big: 1n });
  ring.push({ time: 0, level: "info", component: "a", text: "z" }, { big: "b".repeat(100_000) });
  const items: LogItem[] = [];
  for await (const item of ring.read(options({}))) items.push(item);
  const [first, second] = items.flatMap(({ lines }) => lines);
  assert.equal(first?.text.length, 4_096);
  assert.equal(first?.fields, undefined);
  assert.equal(second?.fields, undefined);
});
