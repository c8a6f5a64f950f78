import assert from "node:assert/strict";
import fc from "fast-check";
import { ProtocolError } from "../../../core/errors.ts";
import {
  checkName,
  isName,
  isNamePattern,
  isUnixUser,
  matchesPattern,
  quote,
  quoteList,
} from "../../../core/security/name.ts";

Deno.test("name: exactly what rule R3 says", () => {
  const rule = /^[a-z0-9][a-z0-9._-]{0,62}$/;
  for (const text of ["a", "0", "n1.rack-2_x", "a".repeat(63)]) assert.ok(isName(text), text);
  for (
    const text of ["", "-a", ".a", "_a", "A", "a b", "a/b", "a,b", "é", "a\n", "a".repeat(64), "a*"]
  ) {
    assert.ok(!isName(text), text);
  }
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(..."az09._-A \n,é"), maxLength: 66 }), (text) => {
      assert.equal(isName(text), rule.test(text) && !text.endsWith("\n"));
    }),
    { seed: 3, numRuns: 2_000 },
  );
});

Deno.test("name: the error quotes what was given, cut and escaped", () => {
  assert.equal(checkName("n1", "Node"), "n1");
  assert.throws(
    () => checkName("a\x1b[2J", "Group"),
    new ProtocolError(
      'Group is no name: "a\\u001b[2J": wanted are 1 to 63 of a-z, 0-9, ".", "_" and "-", first a letter or digit',
    ),
  );
  assert.equal(quote("x".repeat(81)), `"${"x".repeat(80)}…"`);
  assert.equal(quoteList([]), "none");
  assert.equal(quoteList(["a", "b"]), '"a", "b"');
  assert.equal(quoteList("abcdefghij".split("")).slice(-16), '"g", "h" and 2 more'.slice(-16));
});

Deno.test("name: patterns are names with stars", () => {
  for (const text of ["*", "n*", "*.rack1", "n*-*", "a"]) assert.ok(isNamePattern(text), text);
  for (const text of ["", "-*", "N*", "n?", "[ab]", "*".repeat(64), "a b"]) {
    assert.ok(!isNamePattern(text), text);
  }
});

Deno.test("name: a star stands for any run of characters, and the whole must fit", () => {
  const cases: [string, string, boolean][] = [
    ["*", "", true],
    ["*", "anything", true],
    ["n*", "n", true],
    ["n*", "n12", true],
    ["n*", "m1", false],
    ["*1", "n1", true],
    ["*1", "n12", false],
    ["a*b*c", "a-b-b-c", true],
    ["a*b*c", "a-c-b", false],
    ["ab", "abc", false],
    ["abc", "ab", false],
    ["", "", true],
    ["n.1", "nx1", false],
  ];
  for (const [pattern, text, wanted] of cases) {
    assert.equal(matchesPattern(pattern, text), wanted, `${pattern} on ${text}`);
  }
});

Deno.test("name: matching equals that of the regular expression it stands for", () => {
  const pattern = fc.string({ unit: fc.constantFrom(..."ab*"), maxLength: 8 });
  const text = fc.string({ unit: fc.constantFrom(..."ab"), maxLength: 12 });
  fc.assert(
    fc.property(pattern, text, (pattern, text) => {
      const wanted = new RegExp(`^${pattern.replaceAll("*", ".*")}$`).test(text);
      assert.equal(matchesPattern(pattern, text), wanted);
    }),
    { seed: 4, numRuns: 5_000 },
  );
});

Deno.test("name: many stars over a long text end soon", () => {
  assert.ok(!matchesPattern("*a".repeat(31), "a".repeat(20_000) + "b"));
});

Deno.test("name: unix users are no numbers, options or foreign letters", () => {
  for (const text of ["root", "_apt", "alice.b-c", "Bob", "u1"]) assert.ok(isUnixUser(text), text);
  for (
    const text of ["", "0", "1000", "-x", ".x", "a b", "a:b", "a$", "$user", "\u212aa", "a\u212a"]
  ) {
    assert.ok(!isUnixUser(text), text);
  }
  assert.ok(isUnixUser("a".repeat(32)));
  assert.ok(!isUnixUser("a".repeat(33)));
});
