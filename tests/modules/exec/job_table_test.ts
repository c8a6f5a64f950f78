import assert from "node:assert/strict";
import { jobRows } from "../../../modules/exec/job_table.ts";

function view(job: string, node: string, startedMs: number, code?: number) {
  const end = code === undefined ? {} : { endedMs: startedMs + 1_000, end: { code } };
  return { job, node, startedMs, argv: ["make"], bytes: 0, ...end };
}

// Nodes came in the order of the milliseconds in which each of them had started it.
Deno.test("job table: the oldest job comes first, and its nodes in their order", () => {
  const views = [
    view("young", "n1", 9_000),
    view("old", "n1", 1_003, 1),
    view("old", "n2", 1_001, 2),
    view("old", "n3", 1_002, 1),
    view("old", "n10", 1_000),
  ];
  assert.deepEqual(jobRows(views, 10_000), [
    ["old", "n[1,3]", "ended: exit 1", "7 s", "make"],
    ["old", "n2", "ended: exit 2", "7 s", "make"],
    ["old", "n10", "runs", "9 s", "make"],
    ["young", "n1", "runs", "1 s", "make"],
  ]);
});

// They shared a line, with the command of the older one.
Deno.test("job table: different jobs of one name are told apart, also where only the run differs", () => {
  const [one, other] = ["a", "b"].map((digit) => digit.repeat(32));
  const views = [
    { ...view("m", "n1", 2_000), run: one },
    { ...view("m", "n2", 2_001), run: one },
    { ...view("m", "n3", 1_000), run: other },
    { ...view("m", "n4", 3_000), argv: ["sleep"] },
  ];
  assert.deepEqual(jobRows(views, 10_000), [
    ["m", "n3", "runs", "9 s", "make"],
    ["m", "n[1-2]", "runs", "8 s", "make"],
    ["m", "n4", "runs", "7 s", "sleep"],
  ]);
});
