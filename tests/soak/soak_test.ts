/** The soak, short: `deno task soak` runs as many commands as one has time for. */

import assert from "node:assert/strict";
import { problemsOf } from "./account.ts";
import { runSoak } from "./soak_run.ts";

const ORDER = { token: "t1", targets: ["n1", "n2"], isJob: false };
const result = (nodes: unknown[]) => (
  { code: 0, stdout: JSON.stringify({ nodes }), stderr: "" }
);
const OK = [{ node: "n1", code: 0 }, { node: "n2", code: 0 }];

Deno.test("soak: catches what ran twice, did not run, or is not accounted for", () => {
  const problems = (nodes: unknown[] | undefined, ran: Record<string, number>) =>
    problemsOf(ORDER, nodes && result(nodes), {
      ran: (node) => ran[node] ?? 0,
      counts: new Map(),
    });
  assert.deepEqual(problems(OK, { n1: 1, n2: 1 }), []);
  assert.deepEqual(problems(undefined, { n1: 2 }), ["t1 ran 2 times on n1"]);
  assert.deepEqual(problems(OK, { n1: 1 }), ["t1 answered on n2, where it did not run"]);
  assert.deepEqual(problems(OK.slice(1), { n2: 1 }), ["t1: asked n1,n2, told of n2"]);
  const never = { node: "n2", failure: "unreachable", ran: "never" };
  assert.deepEqual(problems([...OK.slice(0, 1), never], { n1: 1, n2: 1 }), [
    "t1 ran on n2, which was told as never",
  ]);
  const maybe = { ...never, ran: "maybe" };
  assert.deepEqual(problems([...OK.slice(0, 1), maybe], { n1: 1, n2: 1 }), []);
});

Deno.test("soak: eighty commands while clients, relays and daemons are killed", async () => {
  const seed = Number(Deno.env.get("MINIME_SOAK_SEED") ?? 1);
  const report = await runSoak({
    ...{ seed, commands: 80, nodes: 6, clients: 4 },
    ...{ clientKilled: 10, daemonKilled: 10 },
  });
  const daemons = ["relays killed", "other daemons killed"].map((name) => report.counts.get(name));
  assert.ok(daemons.some((number) => number !== undefined));
  assert.ok(report.counts.has("clients killed"));
  assert.deepEqual(report.problems, [], `seed ${seed}\n${report.lines.join("\n")}`);
});
