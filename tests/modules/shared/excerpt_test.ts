import assert from "node:assert/strict";
import { excerpt, offsetOf, placeOf } from "../../../modules/shared/excerpt.ts";

Deno.test("excerpt: place of an offset and back", () => {
  const text = "ab\n\ncd";
  assert.deepEqual(placeOf(text, 0), { line: 1, column: 1 });
  assert.deepEqual(placeOf(text, 2), { line: 1, column: 3 });
  assert.deepEqual(placeOf(text, 3), { line: 2, column: 1 });
  assert.deepEqual(placeOf(text, 99), { line: 3, column: 3 });
  assert.deepEqual(placeOf("\u{1F600}x", 2), { line: 1, column: 2 });
  for (let at = 0; at <= text.length; at++) assert.equal(offsetOf(text, placeOf(text, at)), at);
});

Deno.test("excerpt: the caret stands under the place, also after wide characters and tabs", () => {
  assert.equal(excerpt("a\n\t日本x\nb", 5), "     日本x\n         ^");
  assert.equal(excerpt("a\r\nbc\r\n", 4, { numbered: true }), "    2 | bc\n      |  ^");
  assert.equal(excerpt("", 0), "    \n    ^");
});

Deno.test("excerpt: of a long line a window is shown", () => {
  const shown = excerpt("x".repeat(5_000) + "!" + "y".repeat(5_000), 5_000).split("\n");
  assert.equal(shown[0]?.length, 4 + 100 + 2);
  assert.equal(shown[0]?.[shown[1]?.indexOf("^") ?? -1], "!");
});
