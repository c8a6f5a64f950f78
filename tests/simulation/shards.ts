/**
 * Scenarios of many seeds in several processes, each of which plays a few seeds and ends: a second
 * core is used, and what one of them needed of memory is given back. Results come in any order.
 */

import type { ScenarioOptions, ScenarioOutcome } from "./scenario.ts";

const PROGRAM = new URL("simulate.ts", import.meta.url).pathname;
/** Few enough that the last process to end does not end alone for long. */
const SEEDS_A_PROCESS = 25;
/** A mesh of so many nodes is worth a process of its own. */
const LARGE_NODES = 64;

/**
 * Of a process that simulates: a young generation in which most of what an event leaves behind dies, room for the old one without
 * looking through it, and no threads beside the one that works: the other core has a process of its own.
 * A mesh of 256 nodes takes 2 GB of memory so; a thousand need more than V8 takes by itself. The task
 * "simulate" has the same.
 */
export const V8_FLAGS = "--v8-flags=--single-threaded-gc,--max-old-space-size=16384," +
  "--min-semi-space-size=512,--max-semi-space-size=512,--initial-old-space-size=3000";

export interface ShardOptions {
  readonly first: number;
  readonly seeds: number;
  /** Processes at once. */
  readonly jobs: number;
  readonly size?: ScenarioOptions;
  readonly onOutcome: (outcome: ScenarioOutcome) => void;
}

/** Rejects when a process ends without the outcomes of all its seeds. */
export async function runShards(options: ShardOptions): Promise<void> {
  const { first, seeds, jobs, size = {}, onOutcome } = options;
  const each = (size.nodes ?? 0) < LARGE_NODES ? SEEDS_A_PROCESS : 1;
  let next = first;
  const worker = async () => {
    while (next < first + seeds) {
      const from = next;
      next = Math.min(from + each, first + seeds);
      for await (const outcome of play(from, next - from, size)) onOutcome(outcome);
    }
  };
  await Promise.all(Array.from({ length: jobs }, worker));
}

/** How a person sees one seed again. */
export function replayOf(seed: number, size: ScenarioOptions = {}): string {
  return `deno task simulate --seeds 1 --first ${seed}${sizeArgs(size).join("")} --story`;
}

function sizeArgs(size: ScenarioOptions): string[] {
  return Object.entries(size).map(([name, value]) => ` --${name} ${value}`);
}

async function* play(
  first: number,
  seeds: number,
  size: ScenarioOptions,
): AsyncGenerator<ScenarioOutcome, void, void> {
  const words = `--first ${first} --seeds ${seeds} --json${sizeArgs(size).join("")}`;
  const process = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", V8_FLAGS, PROGRAM, ...words.split(" ")],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const complaint = new Response(process.stderr).text();
  let played = 0;
  let rest = "";
  for await (const text of process.stdout.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      played++;
      yield JSON.parse(line) as ScenarioOutcome;
    }
  }
  await process.status;
  if (played === seeds) return;
  throw new Error(`"simulate ${words}" ended after ${played} seeds: ${await complaint}`);
}
