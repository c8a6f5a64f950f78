/** The chaos, short: `deno task chaos` goes on for as long as one has time. */

import assert from "node:assert/strict";
import { ensureBinary } from "../../tools/binary.ts";
import { systemTest } from "../system/rig/mod.ts";
import { runChaos } from "./chaos_run.ts";
import { recordProblems, type Records } from "./inspection.ts";

const RECORD = '{"time":1,"event":"decision","verb":"exec.run","allowed":true}';
const WHOLE: Records = {
  name: "n1",
  audit: [`${RECORD}\n{"time":2,"event":"deci\n${RECORD}\n`, ""],
  ran: 2,
  lines: ["Life 1 of", "Running", "Life 2 of"],
  journalBytes: 112,
};

Deno.test("chaos: catches records that are missing or spoiled, lives and journals that are not whole", () => {
  const problems = (change: Partial<Records>) => recordProblems({ ...WHOLE, ...change });
  assert.deepEqual(problems({}), []);
  assert.deepEqual(problems({ ran: 3 }), ["n1 ran 3 commands and has 2 records of them"]);
  assert.deepEqual(problems({ audit: [`${RECORD}\n${RECORD}\n{"time":2,"ev${RECORD}\n`] }), [
    `n1 has a record that another one has spoiled: {"time":2,"ev${RECORD}`,
  ]);
  assert.deepEqual(problems({ lines: ["Life 2 of", "Life 2 of"] }), [
    "n1 lived its lives in the order 2,2",
  ]);
  assert.deepEqual(problems({ journalBytes: 60 }), ["n1 has a journal of 60 bytes"]);
});

const NAME = "chaos: a few rounds on five nodes, while commands run";
const built = await ensureBinary();
if (built.kind === "compiled") systemTest(NAME, runShort);
else Deno.test.ignore(`${NAME} (hosts need the program: ${built.why})`, runShort);

async function runShort(): Promise<void> {
  const seed = Number(Deno.env.get("MINIME_CHAOS_SEED") ?? 1);
  const { problems, calls, lines, log } = await runChaos({ seed, rounds: 3, nodes: 5, clients: 2 });
  assert.ok(calls > 0);
  const again = `Again: MINIME_CHAOS_SEED=${seed} deno task test tests/chaos/`;
  const what = [again, ...lines].join("\n");
  assert.deepEqual(problems, [], problems.length === 0 ? what : `${what}\n${log}`);
}
