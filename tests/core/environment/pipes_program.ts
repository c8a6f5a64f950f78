/** Has its pipes widened, says so, and reads nothing. */

import { createRealEnvironment } from "../../../core/environment/real.ts";

createRealEnvironment().processes.widenPipes();
Deno.stdout.writeSync(new TextEncoder().encode("wide\n"));
setInterval(() => {}, 60_000);
