/**
 * `deno task bench`: every part, or those that are named (`deno task bench links start`); `--list` says
 * which there are. Prints Markdown, and on a terminal what it is at. `--quick` shows in a minute that
 * exec, copy, output and memory work, with figures that are worth nothing. Needs root for the hosts of
 * `uptime`, `exec`, `copy`, `boot` and `cold`, and installs nothing unasked.
 */

import { boot, cold } from "./boot.ts";
import { call } from "./calls.ts";
import { convergence } from "./convergence.ts";
import { copy } from "./copy.ts";
import { exec } from "./exec.ts";
import { init } from "./init.ts";
import { links } from "./links.ts";
import { machineText } from "./machine.ts";
import { memory } from "./memory.ts";
import { output } from "./output.ts";
import { routed } from "./routed.ts";
import { router } from "./router.ts";
import type { Scale } from "./scale.ts";
import { simulation } from "./simulation.ts";
import { size, start } from "./start.ts";
import { print } from "./table.ts";
import { uptime } from "./uptime.ts";

const QUICK = "--quick";

const PARTS: ReadonlyMap<string, (scale: Scale) => Promise<void>> = new Map(
  Object.entries({
    start,
    size,
    call,
    links,
    routed,
    router,
    uptime,
    exec,
    copy,
    output,
    boot,
    cold,
    convergence,
    init,
    memory,
    simulation,
  }),
);

const names = Deno.args.filter((word) => word !== QUICK);
const all = [...PARTS.keys()].join(", ");
if (names.includes("--list")) {
  print(all);
  Deno.exit(0);
}
for (const name of names) {
  if (PARTS.has(name)) continue;
  print(`Part "${name}" is not one of ${all}`);
  Deno.exit(2);
}
const scale = Deno.args.includes(QUICK) ? "quick" : "whole";
print(await machineText());
let failed = 0;
for (const [name, run] of PARTS) {
  if (names.length > 0 && !names.includes(name)) continue;
  print("");
  try {
    await run(scale);
  } catch (error) {
    // The other parts can be measured all the same.
    failed++;
    print(`Part "${name}" failed: ${error instanceof Error ? error.message : String(error)}`);
  }
}
// Timers of measured conduits must not keep the bench alive.
Deno.exit(failed === 0 ? 0 : 1);
