import assert from "node:assert/strict";
import fc from "fast-check";
import { formatDuration, parseDuration, writeDuration } from "../../../modules/shared/duration.ts";

Deno.test("duration: numbers with units are read", () => {
  const cases: [text: string, ms: number][] = [
    ["0", 0],
    ["250ms", 250],
    ["90s", 90_000],
    ["5m", 300_000],
    ["5min", 300_000],
    ["1h30m", 5_400_000],
    ["1.5s", 1_500],
    ["2d", 172_800_000],
    ["1w1ms", 604_800_001],
    [" 1 min 5 s ", 65_000],
  ];
  for (const [text, ms] of cases) assert.equal(parseDuration(text), ms, text);
});

Deno.test("duration: each mistake is named", () => {
  const cases: [text: string, reason: string][] = [
    ["", "it is empty"],
    ["10", '"10" has no unit'],
    ["s", "it must start with a number"],
    ["-5s", "it must start with a number"],
    ["5 y", 'there is no unit "y"'],
    ["5S", '"5" has no unit'],
    ["5m1h", "larger units come first, and each once"],
    ["5s5s", "larger units come first, and each once"],
    ["40000d", "it is longer than 100 years"],
    ["1".repeat(65), "it is too long"],
  ];
  for (const [text, reason] of cases) {
    assert.throws(() => parseDuration(text), {
      name: "UsageError",
      message: `Cannot read duration ${JSON.stringify(text)}: ${reason}`,
    });
  }
});

Deno.test("duration: people read at most two units, rounded down", () => {
  const cases: [ms: number, text: string][] = [
    [0, "0 ms"],
    [999.9, "999 ms"],
    [12_999, "12 s"],
    [60_000, "1 min"],
    [65_000, "1 min 5 s"],
    [3_600_000, "1 h"],
    [7_380_000, "2 h 3 min"],
    [273_600_000, "3 d 4 h"],
    [86_400_000 * 400, "400 d"],
    [-5_000, "-5 s"],
    [NaN, "-"],
    [Infinity, "-"],
  ];
  for (const [ms, text] of cases) assert.equal(formatDuration(ms), text);
});

Deno.test("duration: what is written exactly is read back", () => {
  assert.equal(writeDuration(5_400_000), "1h30m");
  assert.equal(writeDuration(0), "0");
  assert.equal(writeDuration(86_400_000 * 8), "8d");
  fc.assert(
    fc.property(fc.nat(2_000_000_000), (ms) => assert.equal(parseDuration(writeDuration(ms)), ms)),
    { seed: 1, numRuns: 1_000 },
  );
});
