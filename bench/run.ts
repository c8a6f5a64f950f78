/**
 * `deno task bench`: every part, or those that are named (`deno task bench links start`). Prints
 * Markdown. Needs root for the hosts of `uptime`, `boot` and `cold`, and installs nothing unasked.
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
import { simulation } from "./simulation.ts";
import { size, start } from "./start.ts";
import { print } from "./table.ts";
import { uptime } from "./uptime.ts";

const PARTS: ReadonlyMap<string, () => Promise<void>> = new Map(
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

for (const name of Deno.args) {
  if (PARTS.has(name)) continue;
  print(`Part "${name}" is not one of ${[...PARTS.keys()].join(", ")}`);
  Deno.exit(2);
}
print(await machineText());
let failed = 0;
for (const [name, run] of PARTS) {
  if (Deno.args.length > 0 && !Deno.args.includes(name)) continue;
  print("");
  try {
    await run();
  } catch (error) {
    // The other parts can be measured all the same.
    failed++;
    print(`Part "${name}" failed: ${error instanceof Error ? error.message : String(error)}`);
  }
}
// Timers of measured conduits must not keep the bench alive.
Deno.exit(failed === 0 ? 0 : 1);
