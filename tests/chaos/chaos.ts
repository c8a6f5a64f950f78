/**
 * The chaos, by seeds:
 *
 *     deno task chaos 1 2 3 --minutes 5
 *
 * Says what was done to the machines, how calls ended, how soon the mesh was whole again, and how to
 * run it again. Exit code 1 when anything ran twice, was not accounted for, leaked, or stayed broken.
 */

import { number, printTable } from "../../bench/table.ts";
import { type ChaosReport, runChaos } from "./chaos_run.ts";

const USAGE = "Usage: deno task chaos [SEED...] [--minutes N]";
const MINUTES_DEFAULT = 3;

const seeds: number[] = [];
let minutes = MINUTES_DEFAULT;
for (let i = 0; i < Deno.args.length; i++) {
  const isMinutes = Deno.args[i] === "--minutes";
  const value = Number(isMinutes ? Deno.args[++i] : Deno.args[i]);
  if (!(value > 0) || !(isMinutes || Number.isSafeInteger(value))) {
    say(USAGE);
    Deno.exit(2);
  }
  if (isMinutes) minutes = value;
  else seeds.push(value);
}
let failed = false;
for (const seed of seeds.length === 0 ? [1] : seeds) {
  say(`Seed ${seed}`);
  const report = await runChaos({ seed, msMax: minutes * 60_000, onProgress: say });
  show(report);
  if (report.problems.length === 0) continue;
  failed = true;
  const path = await Deno.makeTempFile({ prefix: `minime-chaos-${seed}-`, suffix: ".log" });
  await Deno.writeTextFile(path, report.log);
  say(`What the daemons said is in ${path}`);
  say(`Again: deno task chaos ${seed} --minutes ${minutes}`);
}
Deno.exit(failed ? 1 : 0);

function show({ problems, faults, counts, lines, wholeMs, wholeMsOf }: ChaosReport): void {
  for (const line of lines) say(line);
  for (const [name, count] of [...counts].sort()) say(`${String(count).padStart(7)} ${name}`);
  printTable(
    ["fault", "times", "whole again after, s: p50", "p99", "most"],
    [
      ...[...faults].sort().map((
        [kind, times],
      ) => [kind, `${times}`, ...spread(wholeMsOf.get(kind))]),
      ["all rounds", `${wholeMs.length}`, ...spread(wholeMs)],
    ],
  );
  for (const problem of problems) say(`WRONG: ${problem}`);
}

/** Median, 99th percentile and largest, in seconds. */
function spread(values: readonly number[] = []): string[] {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (part: number) =>
    sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))];
  return [at(0.5), at(0.99), sorted.at(-1)].map((ms) =>
    ms === undefined ? "" : number(ms / 1e3, 1)
  );
}

function say(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${text}\n`));
}
