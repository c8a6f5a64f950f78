/**
 * The soak, by seed:
 *
 *     deno task soak --commands 10000 --seed 1
 *     deno task soak --commands 10000 --minutes 30
 *
 * Says what was killed, how commands ended, and how to run it again. Exit code 1 when anything leaked,
 * ran twice, or was not accounted for.
 */

import { runSoak } from "./soak_run.ts";

const options = { seed: 1, commands: 10_000, nodes: 16, minutes: 60 };
for (let i = 0; i < Deno.args.length; i += 2) {
  const name = Deno.args[i]?.replace(/^--/, "") as keyof typeof options;
  const value = Number(Deno.args[i + 1]);
  if (!(name in options) || !Number.isSafeInteger(value) || value <= 0) {
    say("Usage: deno task soak [--commands N] [--seed N] [--nodes N] [--minutes N]");
    Deno.exit(2);
  }
  options[name] = value;
}
const { seed, commands, nodes, minutes } = options;
const report = await runSoak({
  seed,
  commands,
  nodes,
  msMax: minutes * 60_000,
  onProgress: say,
});
for (const line of report.lines) say(line);
for (const [name, number] of [...report.counts].sort()) {
  say(`${String(number).padStart(7)} ${name}`);
}
for (const problem of report.problems) say(`WRONG: ${problem}`);
say(`Again: deno task soak --commands ${commands} --seed ${seed} --nodes ${nodes}`);
Deno.exit(report.problems.length > 0 ? 1 : 0);

function say(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${text}\n`));
}
