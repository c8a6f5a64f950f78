/**
 * Runs scenarios by seed, thousands if wanted:
 *
 *     deno task simulate --seeds 1000 --first 1
 *     deno task simulate --seeds 1 --first 17 --story
 *
 * Says which seeds failed and how to see each again. Exit code 1 when any did.
 */

import { runScenario } from "./scenario.ts";

const SEEDS_DEFAULT = 100;
const PROGRESS_SEEDS = 25;

const options = new Map<string, string>();
for (let i = 0; i < Deno.args.length; i++) {
  const [name, value] = [Deno.args[i] as string, Deno.args[i + 1]];
  if (name === "--story") options.set(name, "");
  else if ((name === "--seeds" || name === "--first") && /^[0-9]+$/.test(value ?? "")) {
    options.set(name, value as string);
    i++;
  } else {
    say(`Unknown or incomplete option "${name}"; known are --seeds N, --first S and --story`);
    Deno.exit(2);
  }
}
const first = Number(options.get("--first") ?? 1);
const seeds = Number(options.get("--seeds") ?? SEEDS_DEFAULT);
const began = performance.now();
const healed: number[] = [];
let failed = 0;
let events = 0;
for (let seed = first; seed < first + seeds; seed++) {
  const outcome = await runScenario(seed);
  events += outcome.events;
  if (outcome.healedMs !== undefined) healed.push(outcome.healedMs);
  if (options.has("--story")) say(outcome.story.join("\n"));
  if (outcome.problems.length > 0) {
    failed++;
    say(`seed ${seed} (${outcome.nodes} nodes):`);
    for (const problem of outcome.problems) say(`    ${problem}`);
    say(`    replay: deno task simulate --seeds 1 --first ${seed} --story`);
  }
  if ((seed - first + 1) % PROGRESS_SEEDS === 0) say(`${seed - first + 1} seeds, ${failed} failed`);
}
healed.sort((a, b) => a - b);
const quantile = (share: number) => healed[Math.floor(share * (healed.length - 1))]?.toFixed(0);
say(
  `${seeds} seeds, ${failed} failed, ${events} events, ` +
    `${((performance.now() - began) / 1_000).toFixed(1)} s; ` +
    `healed in p50 ${quantile(0.5)} ms, p99 ${quantile(0.99)} ms of virtual time`,
);
Deno.exit(failed > 0 ? 1 : 0);

function say(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${text}\n`));
}
