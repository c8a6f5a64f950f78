import assert from "node:assert/strict";
import { ConnectionError } from "../../../core/mod.ts";
import { askLostAgain } from "../../../modules/exec/lost_nodes.ts";
import { GroupResult } from "../../../modules/shared/group_result.ts";
import { ManualClock } from "../../support/manual_clock.ts";

function lostResult(): GroupResult {
  const result = new GroupResult();
  result.values.set("n1", { code: 0 });
  result.failures.set("n2", { name: "n2", set: "unreachable", reason: "Gone", ran: "maybe" });
  return result;
}

Deno.test("lost nodes: when our own way is gone, what is known stays known", async () => {
  const result = lostResult();
  const { signal } = new AbortController();
  const needs = { clock: new ManualClock(), signal, onLost: () => {} };
  const back = await askLostAgain(needs, result, () => {
    return Promise.reject(new ConnectionError("closed", "Gone too"));
  });
  assert.equal(back.size, 0);
  assert.deepEqual([[...result.values.keys()], [...result.failures.keys()]], [["n1"], ["n2"]]);
});

Deno.test("lost nodes: whoever wants it no more hears so", async () => {
  const ending = new AbortController();
  const needs = { clock: new ManualClock(), signal: ending.signal, onLost: () => {} };
  const asking = askLostAgain(needs, lostResult(), () => {
    ending.abort(new ConnectionError("closed", "enough"));
    return Promise.reject(ending.signal.reason);
  });
  await assert.rejects(asking, { message: "enough" });
});
