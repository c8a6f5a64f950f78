/** The command line of `deno task simulate`, and what it prints. */

import assert from "node:assert/strict";
import { parseArgs } from "./simulate_args.ts";
import { summaryOf } from "./simulate_report.ts";
import { replayOf } from "./shards.ts";

Deno.test("simulate: options mean what they say, and have defaults", () => {
  assert.deepEqual(parseArgs([]), {
    first: 1,
    seeds: 100,
    jobs: 1,
    size: {},
    story: false,
    json: false,
  });
  const words = "--seeds 7 --first 3 --nodes 64 --segments 4 --rounds 5 --jobs 2 --story --json";
  assert.deepEqual(parseArgs(words.split(" ")), {
    first: 3,
    seeds: 7,
    jobs: 2,
    size: { nodes: 64, segments: 4, rounds: 5 },
    story: true,
    json: true,
  });
});

Deno.test("simulate: what is wrong is said", () => {
  assert.match(String(parseArgs(["--seed", "3"])), /^Unknown option "--seed"; known are --seeds N/);
  assert.equal(parseArgs(["--seeds"]), 'Option "--seeds" needs a whole number, not ""');
  assert.equal(parseArgs(["--nodes", "1"]), "A mesh has 2 to 4096 nodes, not 1");
  assert.match(String(parseArgs(["--nodes", "4", "--segments", "3"])), /two nodes at least/);
});

Deno.test("simulate: a failing seed names the command that plays it again", () => {
  assert.equal(replayOf(9), "deno task simulate --seeds 1 --first 9 --story");
  assert.equal(
    replayOf(9, { nodes: 256, segments: 4 }),
    "deno task simulate --seeds 1 --first 9 --nodes 256 --segments 4 --story",
  );
});

Deno.test("simulate: the summary counts faults, and says what one alone costs", () => {
  const outcome = {
    problems: [],
    nodes: 5,
    segments: 1,
    calls: 2,
    streams: 1,
    events: 1_000,
    healedMs: [250],
    faults: { kill: 2 },
    hash: "",
  };
  const single = {
    kind: "kill",
    detectMs: 50,
    healMs: 100,
    changes: 4,
    floodBytes: 8_192,
  } as const;
  const text = summaryOf([
    { ...outcome, seed: 1, singles: [single] },
    { ...outcome, seed: 2, singles: [{ ...single, detectMs: 150 }], problems: ["bad"] },
  ], 1.5);
  const line = text.split("\n").find((each) => each.startsWith("kill "));
  assert.deepEqual(line?.split(/ +/), ["kill", "4", "2", "50", "150", "100", "100", "2.0"]);
  assert.match(text, /2 seeds, 1 failed; 4 operations, 2 streams, 2000 events, 1\.5 s\nFailed: 2$/);
});
