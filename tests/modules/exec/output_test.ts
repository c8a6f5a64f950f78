/** Lines, folds and differences: what a user sees of many outputs. */

import assert from "node:assert/strict";
import fc from "fast-check";
import { diffTexts } from "../../../modules/exec/diff.ts";
import { printDifferences } from "../../../modules/exec/fold_output.ts";
import { LineOutput } from "../../../modules/exec/line_output.ts";
import { LineSplitter } from "../../../modules/exec/line_splitter.ts";
import { LINE_BYTES_MAX } from "../../../modules/exec/limits.ts";
import type { RunEnd } from "../../../modules/exec/order.ts";
import { Outcome } from "../../../modules/exec/outcome.ts";
import { runs } from "../../support/fuzz.ts";
import { GroupResult } from "../../../modules/shared/group_result.ts";

const encoder = new TextEncoder();

function joined(parts: readonly Uint8Array[]): string {
  return parts.map((part) => new TextDecoder("latin1").decode(part)).join("");
}

/** Bytes that are cut anywhere, with many line feeds. */
const PIECES = fc.array(fc.uint8Array({ maxLength: 30 }).map((bytes) => bytes.map((b) => b % 13)));

Deno.test("lines: however bytes are cut, whole lines come out, and all of them", () => {
  fc.assert(
    fc.property(PIECES, (pieces) => {
      const splitter = new LineSplitter();
      const lines = pieces.flatMap((piece) => splitter.push(piece));
      for (const line of lines) assert.equal(line.indexOf(10), line.length - 1);
      const rest = splitter.finish();
      assert.equal(rest?.includes(10) ?? false, false);
      assert.equal(joined([...lines, ...rest === undefined ? [] : [rest]]), joined(pieces));
      assert.equal(splitter.finish(), undefined);
    }),
    runs(100),
  );
});

Deno.test("lines: one without an end does not gather for ever", () => {
  const splitter = new LineSplitter();
  const half = new Uint8Array(LINE_BYTES_MAX / 2);
  assert.deepEqual(splitter.push(half), []);
  assert.equal(splitter.push(half)[0]?.length, LINE_BYTES_MAX);
  assert.equal(splitter.finish(), undefined);
});

function sink(labelled: boolean, single = false) {
  const written: Uint8Array[] = [];
  const errors: Uint8Array[] = [];
  const bytesOf = (data: Uint8Array | string) =>
    typeof data === "string" ? encoder.encode(data) : data;
  const out = {
    write: (data: Uint8Array | string) => void written.push(bytesOf(data)),
    writeError: (data: Uint8Array | string) => void errors.push(bytesOf(data)),
    paint: (_style: string, text: string) => text,
    ready: () => Promise.resolve(),
    written: () => Promise.resolve(),
  };
  return { out, lines: new LineOutput({ out, labelled, single }), written, errors };
}

Deno.test("line output: lines of two nodes never mix, and streams stay apart", async () => {
  const { lines, written, errors } = sink(true);
  await lines.take("n1", [1, encoder.encode("a")]);
  await lines.take("n2", [1, encoder.encode("b\nc")]);
  await lines.take("n1", [2, encoder.encode("oh\n")]);
  await lines.take("n1", [1, encoder.encode("d\n")]);
  lines.finish();
  assert.equal(joined(written), "n2: b\nn1: ad\nn2: c\n");
  assert.equal(joined(errors), "n1: oh\n");
});

Deno.test("line output: bare output of one node is what it wrote, at once", async () => {
  const { lines, written } = sink(false, true);
  await lines.take("n1", [1, Uint8Array.of(0, 255, 10, 7)]);
  assert.deepEqual(written, [Uint8Array.of(0, 255, 10, 7)]);
  lines.finish();
  assert.equal(written.length, 1);
});

/** Applies a difference as patch(1) does. */
function patched(a: readonly string[], difference: string): string {
  const result: string[] = [];
  let at = 0;
  const whole = difference.replaceAll("\n\\ No newline at end of file\n", "\0");
  for (const end of whole.match(/[^\n\0]*[\n\0]/g) ?? []) {
    const line = end.replace("\0", "");
    const range = /^@@ -(\d+),(\d+) \+\d+,\d+ @@\n$/.exec(line);
    if (range !== null) {
      const start = Number(range[2]) === 0 ? Number(range[1]) : Number(range[1]) - 1;
      while (at < start) result.push(a[at++] as string);
    } else if (line.startsWith("+")) result.push(line.slice(1));
    else {
      assert.equal(a[at], line.slice(1));
      if (line.startsWith(" ")) result.push(a[at] as string);
      at++;
    }
  }
  return [...result, ...a.slice(at)].join("");
}

Deno.test("diff: applied to the one text it gives the other", () => {
  const lines = fc.tuple(
    fc.array(fc.constantFrom("a\n", "b\n", "\n", "d\n"), { maxLength: 40 }),
    fc.constantFrom([], [], ["a"], ["e"]),
  ).map(([whole, last]) => [...whole, ...last]);
  fc.assert(
    fc.property(lines, lines, (a, b) => {
      const difference = diffTexts(a.join(""), b.join(""));
      assert.equal(difference === "", a.join("") === b.join(""));
      assert.equal(patched(a, difference), b.join(""));
    }),
    { ...runs(100), examples: [[["a"], ["a\n"]], [[], ["a"]]] },
  );
});

/** What is printed for these ends. */
function differences(ends: Record<string, Partial<RunEnd>>): { out: string; errors: string } {
  const outcome = new Outcome();
  for (const [name, end] of Object.entries(ends)) outcome.ends.set(name, { code: 0, ...end });
  const { out, written, errors } = sink(true);
  printDifferences({ ...out, warn: () => {} }, outcome);
  return { out: joined(written), errors: joined(errors) };
}

Deno.test("differences: are those of stdout, whatever else is different", () => {
  const [same, other] = [encoder.encode("a\n"), encoder.encode("b\n")];
  assert.deepEqual(
    differences({
      n1: { stdout: same, stderr: encoder.encode("one\n\n") },
      n2: { stdout: same, stderr: Uint8Array.of(0xff, 10), code: 3 },
      n3: { stdout: other },
      n4: { stdout: other, code: 1 },
      n5: { stdout: same },
    }),
    {
      out: "--- n[1-2,5] (3)\n+++ n[3-4] (2)\n@@ -1,1 +1,1 @@\n-a\n+b\n",
      errors: "n1: one\nn2: ÿ\n",
    },
  );
});

Deno.test("differences: of bytes that are no UTF-8 are seen, and shown as they are", () => {
  assert.equal(
    differences({
      n1: { stdout: Uint8Array.of(0x61, 0xfe, 10) },
      n2: { stdout: Uint8Array.of(0x61, 0xff, 10) },
    }).out,
    "--- n1\n+++ n2\n@@ -1,1 +1,1 @@\n-aþ\n+aÿ\n",
  );
});

Deno.test("outcome: the exit code is the largest, and what never ran counts", () => {
  const outcome = new Outcome();
  assert.equal(outcome.exitCode, 0);
  const result = new GroupResult();
  const account = { answered: "n[1-3]", failed: [], refused: [], unreachable: [], timedOut: [] };
  result.add({
    account,
    values: [["n1", { code: 3 }], ["n2", { code: 143, signal: "SIGTERM", timedOut: true }], [
      "n3",
      "nonsense",
    ]],
  });
  assert.deepEqual([...outcome.add(result).keys()], ["n1", "n2"]);
  assert.equal(outcome.exitCode, 125);
  assert.deepEqual([...outcome.add(result).keys()], []);
  assert.deepEqual(outcome.lines({ now: 0 }), [
    "n1: exit 3",
    "n2: out of time, ended by SIGTERM",
    'n3: failed: Answer is malformed: Invalid type: Expected Object but received "nonsense"',
  ]);
  outcome.failures.clear();
  assert.equal(outcome.exitCode, 124);
});

Deno.test("outcome: where nothing ran, the reason is the exit code", () => {
  const code = (...sets: ("refused" | "unreachable" | "timedOut" | "failed")[]) => {
    const outcome = new Outcome();
    sets.forEach((set, i) => outcome.failures.set(`n${i}`, { name: `n${i}`, set, reason: "" }));
    return outcome.exitCode;
  };
  assert.deepEqual(
    [code("refused", "refused"), code("unreachable"), code("timedOut"), code("failed")],
    [5, 4, 124, 125],
  );
  assert.equal(code("refused", "unreachable"), 125);
});

Deno.test("outcome: nodes of which the same is to be said share a line, and are sorted", () => {
  const outcome = new Outcome();
  for (const name of ["n10", "n9", "n1"]) {
    const reason = `Policy has no rule for "n1" which allows it on "${name}"`;
    outcome.failures.set(name, { name, set: "refused", reason });
  }
  for (const [name, code] of [["b", 2], ["a2", 1], ["a1", 1]] as const) {
    outcome.ends.set(name, { code });
  }
  assert.deepEqual(outcome.lines({ now: 0 }), [
    "a[1-2]: exit 1",
    "b: exit 2",
    'n1: refused: Policy has no rule for "n1" which allows it on "n1"',
    'n[9-10]: refused: Policy has no rule for "n1" which allows it on "n[9-10]"',
  ]);
  const lost = new Outcome();
  const reason = 'Node "n1" was asked and is gone';
  for (const name of ["n1", "n2", "n3"]) lost.failures.set(name, { name, set: "failed", reason });
  assert.deepEqual(lost.lines({ now: 0 }), [`n[1-3]: failed: ${reason}`]);
});
