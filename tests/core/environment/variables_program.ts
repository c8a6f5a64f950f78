/** Prints variables of its environment, one of which is no text. */

import { createRealEnvironment } from "../../../core/environment/real.ts";

const { processes } = createRealEnvironment();
const { EMPTY, EQUAL, LINE, BAD } = processes.variables();
const odd = processes.oddVariables();
const line = `${JSON.stringify([EMPTY, EQUAL, LINE, BAD ?? null, odd])}\n`;
Deno.stdout.writeSync(new TextEncoder().encode(line));
