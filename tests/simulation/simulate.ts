/**
 * Runs scenarios by seed, thousands if wanted:
 *
 *     deno task simulate --seeds 1000 --first 1 --jobs 2
 *     deno task simulate --nodes 256 --rounds 10 --seeds 2 --jobs 2
 *     deno task simulate --seeds 1 --first 17 --story
 *
 * Says which seeds failed and how to see each again, then how many faults of each kind were injected
 * and what they cost. Exit code 1 when any seed failed.
 */

import { parseArgs } from "./simulate_args.ts";
import { type Shown, summaryOf } from "./simulate_report.ts";
import { runScenario, type ScenarioOutcome } from "./scenario.ts";
import { replayOf, runShards } from "./shards.ts";

const PROGRESS_SEEDS = 25;

const args = parseArgs(Deno.args);
if (typeof args === "string") {
  say(args);
  Deno.exit(2);
}
const { first, seeds, jobs, story, json, size } = args;
const began = performance.now();
const outcomes: Shown[] = [];

if (jobs > 1) await runShards({ first, seeds, jobs, size, onOutcome });
else {
  for (let seed = first; seed < first + seeds; seed++) onOutcome(await runScenario(seed, size));
}
const failed = outcomes.filter(({ problems }) => problems.length > 0).length;
if (!json) say(summaryOf(outcomes, (performance.now() - began) / 1_000));
Deno.exit(failed > 0 ? 1 : 0);

function onOutcome(outcome: ScenarioOutcome): void {
  const { story: lines, ...shown } = outcome;
  outcomes.push(shown);
  if (json) return say(JSON.stringify(story ? outcome : { ...shown, story: [] }));
  if (story) say(lines.join("\n"));
  if (outcome.problems.length > 0) {
    say(`seed ${outcome.seed} (${outcome.nodes} nodes in ${outcome.segments} segments):`);
    for (const problem of outcome.problems) say(`    ${problem}`);
    say(`    replay: ${replayOf(outcome.seed, size)}`);
  }
  if (outcomes.length % PROGRESS_SEEDS === 0) {
    const bad = outcomes.filter(({ problems }) => problems.length > 0).length;
    say(`${outcomes.length} seeds, ${bad} failed`);
  }
}

function say(text: string): void {
  let bytes = new TextEncoder().encode(`${text}\n`);
  while (bytes.length > 0) bytes = bytes.subarray(Deno.stdout.writeSync(bytes));
}
