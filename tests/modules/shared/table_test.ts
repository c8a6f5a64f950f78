import assert from "node:assert/strict";
import fc from "fast-check";
import { formatTable } from "../../../modules/shared/table.ts";
import { displayWidth } from "../../../modules/shared/text.ts";

const COLUMNS = [{ header: "NODE" }, { header: "LOAD", align: "right" }, {
  header: "STATE",
}] as const;

Deno.test("table: columns align by display width and lines have no trailing space", () => {
  const text = formatTable(COLUMNS, [["n1", "0.5", "up"], ["日本", "12.25", ""], ["n3"]]);
  assert.equal(
    text,
    "NODE   LOAD  STATE\n" +
      "n1      0.5  up\n" +
      "日本  12.25\n" +
      "n3\n",
  );
});

Deno.test("table: without rows only the header stands", () => {
  assert.equal(formatTable(COLUMNS, []), "NODE  LOAD  STATE\n");
  assert.equal(formatTable([], []), "\n");
});

Deno.test("table: the widest cells give way to the width", () => {
  const rows = [["n1", "0.5", "a very long state"], ["a-longer-name", "1", "up"]];
  assert.equal(
    formatTable(COLUMNS, rows, { width: 24 }),
    "NODE      LOAD  STATE\n" +
      "n1         0.5  a very …\n" +
      "a-longe…     1  up\n",
  );
});

Deno.test("table: spare columns give way before any cell is cut", () => {
  const columns = [{ header: "NODE" }, { header: "CORES", spare: true }, { header: "LOAD" }, {
    header: "VERSION",
    spare: true,
  }];
  const rows = [["n1", "8", "0.5"], ["n2", "8", "1.5", "0.1.0"]];
  const width = (width: number) => formatTable(columns, rows, { width }).split("\n").slice(0, 2);
  assert.deepEqual(width(26), ["NODE  CORES  LOAD  VERSION", "n1    8      0.5"]);
  assert.deepEqual(width(25), ["NODE  CORES  LOAD", "n1    8      0.5"]);
  assert.deepEqual(width(16), ["NODE  LOAD", "n1    0.5"]);
  assert.deepEqual(width(9), ["NODE  LO…", "n1    0.5"]);
  const styled: number[] = [];
  formatTable(columns, [], { width: 16, style: (text, _, column) => (styled.push(column), text) });
  assert.deepEqual(styled, [0, 2]);
});

Deno.test("table: no line is wider than the width, as long as each column keeps one", () => {
  const cell = fc.string({ unit: "binary", maxLength: 30 });
  const row = fc.array(cell, { minLength: 3, maxLength: 3 });
  fc.assert(
    fc.property(fc.array(row, { maxLength: 5 }), fc.integer({ min: 7, max: 60 }), (rows, width) => {
      const lines = formatTable(COLUMNS, rows, { width }).split("\n");
      assert.equal(lines.length, rows.length + 2);
      for (const line of lines) assert.ok(displayWidth(line) <= width);
    }),
    { seed: 1, numRuns: 500 },
  );
});

Deno.test("table: a cell from afar cannot bring escape sequences or lines", () => {
  const text = formatTable([{ header: "A" }], [["x\u001b[2J\ny"]]);
  assert.equal(text, "A\nx\uFFFD[2J y\n");
  assert.ok(formatTable([{ header: "A" }], [["x".repeat(1_000_000)]]).length < 5_000);
});

Deno.test("table: style wraps finished cells and knows where they are", () => {
  const seen: string[] = [];
  const style = (text: string, row: number, column: number) => {
    seen.push(`${row},${column}`);
    return row === -1 ? `<${text}>` : text;
  };
  const text = formatTable([{ header: "A" }, { header: "B" }], [["aaa", "b"]], { style });
  assert.equal(text, "<A  >  <B>\naaa  b\n");
  assert.deepEqual(seen, ["-1,0", "-1,1", "0,0", "0,1"]);
});
