import assert from "node:assert/strict";
import fc from "fast-check";
import { UsageError } from "../../../core/errors.ts";
import {
  differenceNames,
  foldInOrder,
  foldNodeset,
  intersectionNames,
  listNodeset,
  parseNodeset,
  symmetricDifferenceNames,
  unionNames,
} from "../../../modules/shared/nodeset.ts";
import { readNodeset } from "../../../modules/shared/nodeset_parse.ts";

const MESH = ["gw", "io1", "n1", "n2", "n10"];
const GROUPS = new Map([["io", ["io1"]], ["all", MESH], ["rack1", ["n1"]], ["rack2", [
  "n2",
  "n10",
]]]);
const SOURCE = {
  all: () => MESH,
  resolve: (group: string) => {
    const members = GROUPS.get(group);
    if (members === undefined) throw new UsageError(`There is no group "${group}"`);
    return members;
  },
};

function expand(text: string): string {
  return parseNodeset(text, SOURCE).join(" ");
}

Deno.test("nodeset: ranges, steps, padding and several brackets expand", () => {
  assert.equal(expand("n[001-003]"), "n001 n002 n003");
  assert.equal(expand("n[08-11]"), "n08 n09 n10 n11");
  assert.equal(expand("n[099-101]"), "n099 n100 n101");
  assert.equal(expand("n[98-101/2]"), "n98 n100");
  assert.equal(expand("n[1-9/3,5]"), "n1 n4 n5 n7");
  assert.equal(expand("r[1-2]n[1-2].lan"), "r1n1.lan r1n2.lan r2n1.lan r2n2.lan");
  assert.equal(expand("n1[0-2]"), "n10 n11 n12");
  assert.equal(expand("[1-2][3-4]"), "13 14 23 24");
  assert.equal(expand("n[ 1 - 1 ]".replaceAll(" - ", "-")), "n1");
  assert.equal(expand("n[1,01,001]"), "n1 n01 n001");
});

Deno.test("nodeset: names come naturally sorted and once", () => {
  assert.equal(expand("n10,n9,b,a,n9"), "a b n9 n10");
});

Deno.test("nodeset: empty text is the empty set", () => {
  assert.deepEqual(parseNodeset(""), []);
  assert.deepEqual(parseNodeset(" \n\t"), []);
  assert.deepEqual(parseNodeset("a!a"), []);
});

Deno.test("nodeset: operators work from left to right without precedence, as in clush", () => {
  assert.equal(expand("n[1-5]!n[2-3]"), "n1 n4 n5");
  assert.equal(expand("n[1-3]&n[2-9]"), "n2 n3");
  assert.equal(expand("n[1-3]^n[3-4]"), "n1 n2 n4");
  assert.equal(expand("a,b&b,c"), "b c");
  assert.equal(expand("a ! a , b"), "b");
  assert.equal(expand("a b\nc"), "a b c");
  assert.equal(expand("a&a&a"), "a");
  assert.equal(expand("a^a,a"), "a");
});

Deno.test("nodeset: pdsh's minus takes away at the end, wherever it stands", () => {
  assert.equal(expand("n[1-3],-n2"), "n1 n3");
  assert.equal(expand("-n2,n[1-3]"), "n1 n3");
  assert.equal(expand("n[1-3] -n[1-2]"), "n3");
});

Deno.test("nodeset: groups, all and patterns ask the caller", () => {
  assert.equal(expand("@io"), "io1");
  assert.equal(expand("@all!@io"), "gw n1 n2 n10");
  assert.equal(expand("@rack[1-2]"), "n1 n2 n10");
  assert.equal(expand("*"), MESH.join(" "));
  assert.equal(expand("@*"), MESH.join(" "));
  assert.equal(expand("n*"), "n1 n2 n10");
  assert.equal(expand("n?"), "n1 n2");
  assert.equal(expand("*1*"), "io1 n1 n10");
  assert.equal(expand("[1-2]*"), "");
  assert.equal(expand("*!n*"), "gw io1");
});

Deno.test("nodeset: an error shows the text with a caret under the place", () => {
  assert.throws(() => parseNodeset("n[1-3],m[4-"), {
    name: "UsageError",
    message: 'Cannot read nodeset "n[1-3],m[4-": Bracket is never closed (character 9)\n' +
      "    n[1-3],m[4-\n" +
      "            ^",
  });
});

Deno.test("nodeset: each mistake has its own reason and place", () => {
  const cases: [text: string, character: number, reason: string][] = [
    ["n[1-3", 2, "Bracket is never closed"],
    ["n[", 2, "Bracket is never closed"],
    ["n[]", 3, 'Expected a number but found "]"'],
    ["n[a-b]", 3, 'Expected a number but found "a"'],
    ["n[1;2]", 4, 'Expected "," or "]" but found ";"'],
    ["n]", 2, '"]" closes no bracket'],
    ["n[5-1]", 3, "Range 5-1 counts down"],
    ["n[1-3/0]", 6, "Step is 0"],
    ["n[1-064]", 5, 'Padding of "1" and "064" differs'],
    ["n[1234567890123456]", 3, "Number has more than 15 digits"],
    ["a,,b", 3, 'Nothing stands before ","'],
    ["!a", 1, 'Nothing stands before "!"'],
    ["^file", 1, 'Nothing stands before "^"'],
    ["a,", 2, 'Nothing follows ","'],
    ["a & ", 3, 'Nothing follows "&"'],
    ["a!-b", 3, 'A name cannot start with "-"'],
    ["-", 1, "A name is missing"],
    ["a/b", 2, 'Unexpected "/"'],
    ["n\u{1F600}", 2, 'Unexpected "\u{1F600}"'],
    ["@", 1, 'No group\'s name follows "@"'],
    ["a,@nope", 3, 'There is no group "nope"'],
    ["@ra*", 1, "A group's name has no pattern"],
    ["n[1-1000001]", 1, "Set expands to more than 1000000 names"],
    ["n[1-999999999999999]", 1, "Set expands to more than 1000000 names"],
    ["a,n[1-1000][1-1001]", 3, "Set expands to more than 1000000 names"],
    ["a".repeat(254), 1, "Name has more than 253 characters"],
    ["[1][1][1][1][1][1][1][1][1]", 25, "Name has more than 8 brackets"],
  ];
  for (const [text, character, reason] of cases) {
    const problem = readNodeset(text, SOURCE);
    assert.ok(!Array.isArray(problem), text);
    assert.deepEqual([problem.offset + 1, problem.reason], [character, reason], text);
  }
});

Deno.test("nodeset: without a source groups and patterns are errors", () => {
  assert.throws(() => parseNodeset("@io"), /Groups are not known here/);
  assert.throws(() => parseNodeset("n*"), /All names are not known here/);
});

Deno.test("nodeset: a group's own error is kept as the cause", () => {
  assert.throws(() => parseNodeset("@nope", SOURCE), (error) => {
    assert.ok(error instanceof UsageError && error.cause instanceof UsageError);
    assert.equal(error.cause.message, 'There is no group "nope"');
    return true;
  });
});

Deno.test("nodeset: the limit counts all terms together, groups and patterns too", () => {
  const big = Array.from({ length: 300_000 }, (_, i) => `x${i}`);
  const source = { resolve: () => big, all: () => big };
  assert.equal(parseNodeset("@a&@b&@c", source).length, 300_000);
  assert.throws(() => parseNodeset("@a,@b,@c,@d", source), /more than 1000000 names/);
  assert.throws(() => parseNodeset("[1-4]*", source), /more than 1000000 names/);
  assert.throws(() => parseNodeset("x".repeat(5_000_000)), /more than 4194304 characters/);
});

Deno.test("nodeset: an error's text cannot carry escape sequences or grow", () => {
  assert.throws(() => parseNodeset("\u001b[2J" + "a".repeat(100_000)), (error) => {
    assert.ok(error instanceof UsageError);
    assert.ok(!error.message.includes("\u001b") && error.message.length < 500);
    return true;
  });
});

Deno.test("nodeset: a plain list keeps its order and repetitions", () => {
  assert.deepEqual(listNodeset("b,a,b,n[2-3,1]"), ["b", "a", "b", "n2", "n3", "n1"]);
  assert.deepEqual(listNodeset("fd00::[9-10]"), ["fd00::9", "fd00::10"]);
  assert.throws(() => listNodeset("a!b"), /Operator "!" cannot stand in a plain list/);
  assert.throws(() => listNodeset("a,*"), /Groups and patterns cannot stand in a plain list/);
  assert.throws(() => listNodeset("@a"), /Groups and patterns cannot stand in a plain list/);
});

Deno.test("nodeset: set operations on lists of names", () => {
  const [a, b] = [["n10", "n2", "n1"], ["n2", "n3"]];
  assert.deepEqual(unionNames(a, b), ["n1", "n2", "n3", "n10"]);
  assert.deepEqual(differenceNames(a, b), ["n1", "n10"]);
  assert.deepEqual(intersectionNames(a, b), ["n2"]);
  assert.deepEqual(symmetricDifferenceNames(a, b), ["n1", "n3", "n10"]);
});

Deno.test("nodeset: folding finds ranges, keeps padding apart and multiplies brackets", () => {
  const cases: [names: string, folded: string][] = [
    ["", ""],
    ["a", "a"],
    ["n1", "n1"],
    ["n2 n1 n10 n9", "n[1-2,9-10]"],
    ["n08 n09 n10 n11", "n[08-11]"],
    ["n8 n9 n10 n11", "n[8-11]"],
    ["n1 n01 n9 n10 n09", "n[1,01,9-10,09]"],
    ["n098 n099 n100 n1000", "n[098-100,1000]"],
    ["b a a1 a2 a1b", "a,a[1-2],a1b,b"],
    ["r1n1 r1n2 r2n1 r2n2", "r[1-2]n[1-2]"],
    ["r1n1 r1n2 r2n1 r2n2 r3n1", "r[1-2]n[1-2],r3n1"],
    ["r1n1 r1n2 r1n3 r2n2", "r1n[1-3],r2n2"],
    ["10.0.0.11 10.0.0.12", "10.0.0.[11-12]"],
    ["x1234567890123456 x1234567890123457", "x1234567890123456,x1234567890123457"],
    ["0 00 1 01", "[0-1,00-01]"],
  ];
  for (const [names, folded] of cases) {
    assert.equal(foldNodeset(names.split(" ").filter((name) => name !== "")), folded);
  }
});

Deno.test("nodeset: ten thousand names fold to one text and expand again", () => {
  const names = parseNodeset("r[01-20]c[1-50]n[1-10]");
  assert.equal(names.length, 10_000);
  assert.equal(foldNodeset(names.toReversed()), "r[01-20]c[1-50]n[1-10]");
});

Deno.test("nodeset: a name that no nodeset can hold folds as it is", () => {
  assert.equal(foldNodeset(["n1", "n2", "a\u0000b1", "a\u0000b2"]), "a\u0000b1,a\u0000b2,n[1-2]");
});

const index = fc.oneof(
  fc.nat(12).map(String),
  fc.nat(120).map((value) => String(value).padStart(3, "0")),
  fc.constantFrom(
    "0",
    "00",
    "9",
    "09",
    "10",
    "010",
    "99",
    "100",
    "999999999999999",
    "9999999999999999",
  ),
);
const name = fc
  .tuple(
    fc.constantFrom("n", "r", "a-", ""),
    index,
    fc.constantFrom("", "n", ".x", ":"),
    fc.option(index),
  )
  .map(([head, first, middle, second]) =>
    head + first + (middle === "" ? "" : middle + (second ?? ""))
  );

Deno.test("nodeset: what folding writes, parsing reads back, in any order of the names", () => {
  fc.assert(
    fc.property(fc.uniqueArray(name, { maxLength: 60 }), (names) => {
      const folded = foldNodeset(names);
      assert.deepEqual(new Set(parseNodeset(folded)), new Set(names));
      assert.deepEqual(listNodeset(folded).toSorted(), names.toSorted());
      assert.equal(foldNodeset(names.toReversed()), folded);
    }),
    { seed: 1, numRuns: 1_000 },
  );
});

Deno.test("nodeset: folding in order keeps order and repetitions", () => {
  assert.equal(
    foldInOrder(["n1", "n2", "n9", "n10", "n10", "n08", "n09", "n10"]),
    "n[1-2],n[9-10],n10,n[08-10]",
  );
  assert.equal(foldInOrder(["10.0.1.9", "10.0.1.10", "10.0.2.10"]), "10.0.1.[9-10],10.0.2.10");
  fc.assert(
    fc.property(fc.array(name, { maxLength: 40 }), (names) => {
      assert.deepEqual(listNodeset(foldInOrder(names)), names);
    }),
    { seed: 2, numRuns: 1_000 },
  );
});

Deno.test("nodeset: any text is read or refused with a place inside it", () => {
  const characters = fc.constantFrom(..."[]-,/@*?!&^ n019:%\n\u001b");
  fc.assert(
    fc.property(fc.string({ unit: characters, maxLength: 24 }), (text) => {
      const result = readNodeset(text, SOURCE);
      if (!Array.isArray(result)) assert.ok(result.offset >= 0 && result.offset <= text.length);
    }),
    { seed: 3, numRuns: 5_000 },
  );
});
