import assert from "node:assert/strict";
import fc from "fast-check";
import { displayWidth, padText, printable, truncateText } from "../../../modules/shared/text.ts";

Deno.test("text: width counts columns, not characters", () => {
  const cases: [text: string, width: number][] = [
    ["", 0],
    ["abc", 3],
    ["é", 1],
    ["e\u0301", 1],
    ["日本", 4],
    ["한", 2],
    ["ｱ", 1],
    ["Ａ", 2],
    ["\u{1F600}", 2],
    ["\u{1F469}\u200D\u{1F4BB}", 2],
    ["\u{1F44D}\u{1F3FD}", 2],
    ["\u{1F1E9}\u{1F1EA}", 2],
    ["a\u200Bb", 2],
    ["…", 1],
  ];
  for (const [text, width] of cases) assert.equal(displayWidth(text), width, JSON.stringify(text));
});

Deno.test("text: cutting marks what is missing and splits no character", () => {
  assert.equal(truncateText("hello", 5), "hello");
  assert.equal(truncateText("hello", 4), "hel…");
  assert.equal(truncateText("日本語", 5), "日本…");
  assert.equal(truncateText("日本語", 4), "日…");
  assert.equal(truncateText("e\u0301e\u0301e\u0301", 2), "e\u0301…");
  assert.equal(truncateText("abc", 1), "…");
  assert.equal(truncateText("abc", 0), "");
});

Deno.test("text: cut text fits and padded text fills", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 20 }), fc.nat(20), (raw, columns) => {
      const text = printable(raw);
      const cut = truncateText(text, columns);
      assert.ok(displayWidth(cut) <= columns);
      assert.equal(displayWidth(padText(cut, columns, "right")), columns);
    }),
    { seed: 1, numRuns: 2_000 },
  );
});

Deno.test("text: nothing printable moves the cursor or turns the direction", () => {
  assert.equal(
    printable("a\u001b[31mb\u0007\u009bc\u202ed\u2066"),
    "a\uFFFD[31mb\uFFFD\uFFFDc\uFFFDd\uFFFD",
  );
  assert.equal(printable("a\nb\tc\r"), "a b c ");
  assert.equal(printable("a\ud800b"), "a\uFFFDb");
  assert.equal(printable("日本 é"), "日本 é");
  assert.equal(printable("abcdef", 3), "abc");
});
