/** Run by real_test.ts: lowers the limit of open files and has it raised again. */
import { raiseFileLimit } from "../../../core/environment/real_host.ts";
import { setSoftLimit, softLimit } from "./soft_limit.ts";

await setSoftLimit(64, 128);
const lines = [
  `soft ${softLimit()}`,
  `raised to ${raiseFileLimit()}`,
  `soft ${softLimit()}`,
  `again ${raiseFileLimit()}`,
];
Deno.stdout.writeSync(new TextEncoder().encode(`${lines.join("\n")}\n`));
