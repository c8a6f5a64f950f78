/** Text that is cut into pieces on its way stays text. */

import assert from "node:assert/strict";
import fc from "fast-check";
import { Collected } from "../../../modules/exec/collected.ts";
import { EventOutput } from "../../../modules/exec/event_output.ts";
import { LINE_BYTES_MAX } from "../../../modules/exec/limits.ts";
import { LineSplitter } from "../../../modules/exec/line_splitter.ts";
import { STDERR, STDOUT } from "../../../modules/exec/program.ts";
import { runs } from "../../support/fuzz.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const WORDS = "€ä😀x";

function events() {
  const lines: Record<string, unknown>[] = [];
  const print = (line: string) => void lines.push(JSON.parse(line));
  return { lines, output: new EventOutput({ print, ready: () => Promise.resolve() }) };
}

Deno.test("lines: a piece of a long one ends between characters", () => {
  for (let shift = 0; shift < 4; shift++) {
    const text = "x".repeat(shift) + WORDS.repeat(LINE_BYTES_MAX / 4);
    const splitter = new LineSplitter();
    const bytes = encoder.encode(text);
    const pieces: Uint8Array[] = [];
    for (let at = 0; at < bytes.length; at += 4_096) {
      pieces.push(...splitter.push(bytes.subarray(at, at + 4_096)));
    }
    const rest = splitter.finish();
    if (rest !== undefined) pieces.push(rest);
    assert.ok(pieces.length > 1);
    assert.equal(pieces.map((piece) => decoder.decode(piece)).join(""), text);
  }
});

Deno.test("collected: what was cut ends between characters, and what is no text is cut at the bound", () => {
  for (
    const [bytesMax, text] of [[10, "€ä😀x"], [9, "€ä😀"], [8, "€ä"], [5, "€ä"], [4, "€"]] as const
  ) {
    const collected = new Collected(bytesMax);
    for (const byte of encoder.encode(`${WORDS}yz`)) collected.add([STDOUT, Uint8Array.of(byte)]);
    const { stdout = new Uint8Array(), cutBytes } = collected.result();
    assert.equal(decoder.decode(stdout), text);
    assert.equal(stdout.length + (cutBytes ?? 0), 12);
  }
  const binary = new Collected(3);
  binary.add([STDERR, Uint8Array.of(0x80, 0xff, 0x80, 1)]);
  assert.deepEqual(binary.result().stderr, Uint8Array.of(0x80, 0xff, 0x80));
});

Deno.test("events: however text is cut it comes as text, and other bytes come all the same", async () => {
  const pieces = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 });
  await fc.assert(
    fc.asyncProperty(pieces, fc.boolean(), async (sizes, isText) => {
      const { lines, output } = events();
      const whole = isText
        ? encoder.encode(WORDS.repeat(9))
        : Uint8Array.of(0xe2, 0xf0, 0xff, 0xc3);
      let at = 0;
      for (let i = 0; at < whole.length; i++) {
        const size = sizes[i % sizes.length] as number;
        await output.take("n1", [STDOUT, whole.subarray(at, at + size)]);
        at += size;
      }
      output.end("n1", { code: 0 });
      assert.deepEqual(lines.pop(), { event: "end", node: "n1", code: 0 });
      const bytes = lines.flatMap((line) => {
        if (isText) assert.equal(typeof line.stdout, "string");
        return typeof line.stdout === "string"
          ? [...encoder.encode(line.stdout)]
          : [...Uint8Array.fromBase64(line.stdoutBase64 as string)];
      });
      assert.deepEqual(bytes, [...whole]);
    }),
    runs(60),
  );
});

Deno.test("events: a node of which no end is known has its own", async () => {
  const { lines, output } = events();
  await output.take("n2", [STDERR, Uint8Array.of(0xe2)]);
  output.fail({ name: "n2", set: "unreachable", reason: "Gone" });
  assert.deepEqual(lines, [
    { event: "output", node: "n2", stderrBase64: "4g==" },
    { event: "failure", node: "n2", failure: "unreachable", reason: "Gone" },
  ]);
});
