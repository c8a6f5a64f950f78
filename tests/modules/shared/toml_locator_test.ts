import assert from "node:assert/strict";
import fc from "fast-check";
import { parse, stringify } from "smol-toml";
import { TomlLocator, type TomlPath } from "../../../modules/shared/toml_locator.ts";

/** The text from the place on, to the end of its line. */
function at(text: string, offset: number | undefined): string | undefined {
  return offset === undefined ? undefined : text.slice(offset).split("\n")[0];
}

const TEXT = `# a comment with [table] and key = 1
name = "x" # [not.a.table]
'quoted key' = 'a = 1'
"esc\\u0061ped" = 2
a.b . "c.d" = 3
long = """
[fake]
key = "\\""" ""\\"
end""" # done
raw = '''
[[fake]]
'''''
date = 1979-05-27T07:32:00Z
list = [ # first
  "a, ] #", 'b',
  [1, 2],
  { x = 1, y.z = [ { w = 5 } ] },
]
inline = { p = "}", q = { r = true } }
[table]
k = 1
[ table . sub ]
k = 2
[[hosts]]
names = "n1"
[hosts.extra]
k = 3
[[hosts]]
names = "n2"
[[hosts.disks]]
size = 1
[[hosts.disks]]
size = 2
[last]
k = 4`;

Deno.test("toml locator: every key and value of every kind is found", () => {
  parse(TEXT); // the text is valid
  const locator = new TomlLocator(TEXT);
  const cases: [path: TomlPath, key: string, value: string][] = [
    [["name"], 'name = "x" # [not.a.table]', '"x" # [not.a.table]'],
    [["quoted key"], "'quoted key' = 'a = 1'", "'a = 1'"],
    [["escaped"], '"esc\\u0061ped" = 2', "2"],
    [["a"], 'a.b . "c.d" = 3', 'a.b . "c.d" = 3'],
    [["a", "b"], 'b . "c.d" = 3', 'b . "c.d" = 3'],
    [["a", "b", "c.d"], '"c.d" = 3', "3"],
    [["long"], 'long = """', '"""'],
    [["raw"], "raw = '''", "'''"],
    [["date"], "date = 1979-05-27T07:32:00Z", "1979-05-27T07:32:00Z"],
    [["list", 0], "\"a, ] #\", 'b',", "\"a, ] #\", 'b',"],
    [["list", 1], "'b',", "'b',"],
    [["list", 2, 1], "2],", "2],"],
    [["list", 3, "y", "z", 0, "w"], "w = 5 } ] },", "5 } ] },"],
    [["inline", "q", "r"], "r = true } }", "true } }"],
    [["table"], "table]", "[table]"],
    [["table", "k"], "k = 1", "1"],
    [["table", "sub"], "sub ]", "[ table . sub ]"],
    [["table", "sub", "k"], "k = 2", "2"],
    [["hosts"], "hosts]]", "hosts]]"],
    [["hosts", 0], "[[hosts]]", "[[hosts]]"],
    [["hosts", 0, "names"], 'names = "n1"', '"n1"'],
    [["hosts", 0, "extra", "k"], "k = 3", "3"],
    [["hosts", 1, "names"], 'names = "n2"', '"n2"'],
    [["hosts", 1, "disks", 0, "size"], "size = 1", "1"],
    [["hosts", 1, "disks", 1, "size"], "size = 2", "2"],
    [["last", "k"], "k = 4", "4"],
  ];
  for (const [path, key, value] of cases) {
    assert.equal(at(TEXT, locator.keyOffset(path)), key, JSON.stringify(path));
    assert.equal(at(TEXT, locator.valueOffset(path)), value, JSON.stringify(path));
  }
});

Deno.test("toml locator: what is nowhere is shown at the nearest table around it", () => {
  const locator = new TomlLocator(TEXT);
  assert.equal(locator.keyOffset(["hosts", 1, "address"]), undefined);
  assert.equal(at(TEXT, locator.valueOffset(["last", "x", "y"])), "[last]");
  assert.equal(locator.valueOffset(["hosts", 1, "x"]), TEXT.lastIndexOf("[[hosts]]"));
  assert.equal(locator.valueOffset(["nowhere"]), 0);
});

Deno.test("toml locator: every number of any document is found where it stands", () => {
  const key = fc.string({ unit: fc.constantFrom(..."ab.-\"'#[]= é"), maxLength: 4 });
  const leaf = fc.oneof(
    fc.integer(),
    fc.string({ unit: fc.constantFrom(..."a\"'\\\n#[]{}=,"), maxLength: 6 }),
  );
  const { tree } = fc.letrec<{ tree: unknown; node: unknown }>((tie) => ({
    node: fc.oneof(
      { depthSize: "small", withCrossShrink: true },
      leaf,
      tie("tree"),
      fc.array(tie("node"), { maxLength: 3 }),
    ),
    tree: fc.dictionary(key, tie("node"), { maxKeys: 4 }),
  }));
  fc.assert(
    fc.property(tree, (document) => {
      const text = stringify(document);
      const locator = new TomlLocator(text);
      for (const [path, value] of numbersOf(parse(text), [])) {
        const offset = locator.valueOffset(path);
        assert.ok(text.startsWith(String(value), offset), `${JSON.stringify(path)} in\n${text}`);
        assert.ok(/[\s=[,]/.test(text.charAt(offset - 1)));
      }
    }),
    { seed: 1, numRuns: 2_000 },
  );
});

Deno.test("toml locator: it ends on any text", () => {
  const text = fc.string({ unit: fc.constantFrom(..."[]{}=,.\"'#\\\n a1"), maxLength: 30 });
  fc.assert(
    fc.property(text, (source) => {
      const offset = new TomlLocator(source).valueOffset(["a", 0, "1"]);
      assert.ok(offset >= 0 && offset <= source.length);
    }),
    { seed: 2, numRuns: 5_000 },
  );
});

function* numbersOf(value: unknown, path: TomlPath): Generator<[TomlPath, number]> {
  if (typeof value === "number") yield [path, value];
  else if (Array.isArray(value)) {
    for (const [i, item] of value.entries()) yield* numbersOf(item, [...path, i]);
  } else if (typeof value === "object" && value !== null) {
    for (const [key, item] of Object.entries(value)) yield* numbersOf(item, [...path, key]);
  }
}
