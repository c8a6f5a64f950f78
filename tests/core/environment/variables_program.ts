/** Prints variables of its environment, one of which is no text. */

import { createRealEnvironment } from "../../../core/environment/real.ts";

const { EMPTY, EQUAL, LINE, BAD } = createRealEnvironment().processes.variables();
const line = `${JSON.stringify([EMPTY, EQUAL, LINE, BAD ?? null])}\n`;
Deno.stdout.writeSync(new TextEncoder().encode(line));
