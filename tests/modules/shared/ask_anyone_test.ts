import assert from "node:assert/strict";
import { CallError, ConnectionError } from "../../../core/mod.ts";
import { askAnyone } from "../../../modules/shared/ask_anyone.ts";
import type { CommandContext } from "../../../modules/shared/command.ts";
import { ASKED_AGAIN_MS, ASKED_MS_MAX } from "../../../modules/shared/limits.ts";

/** A mesh whose nodes are reached one after the other, and how many connections were closed. */
function meshOf(count: number) {
  const seen = { reached: 0, closed: 0 };
  const connect = () => {
    if (seen.reached >= count) return Promise.reject(new ConnectionError("other", "Nobody"));
    seen.reached++;
    return Promise.resolve({ [Symbol.asyncDispose]: () => Promise.resolve(void seen.closed++) });
  };
  let now = 0;
  const clock = {
    monotonic: () => now,
    sleep: (ms: number) => Promise.resolve(void (now += ms)),
  };
  const context = { connect, env: { clock }, out: { detail() {} } } as unknown as CommandContext;
  return { seen, context };
}

Deno.test("ask: where one goes away the next is asked, and each connection is closed", async () => {
  const { seen, context } = meshOf(5);
  const answer = await askAnyone(context, "lab", () => {
    if (seen.reached === 1) return Promise.reject(new CallError("unreachable", "It stops"));
    return Promise.resolve(seen.reached);
  });
  assert.equal(answer, 2);
  assert.deepEqual(seen, { reached: 2, closed: 2 });
});

Deno.test("ask: a refusal is no reason to ask others", async () => {
  const { seen, context } = meshOf(5);
  const refuse = () => Promise.reject(new CallError("refused", "Not for you"));
  await assert.rejects(askAnyone(context, "lab", refuse), /Not for you/);
  assert.deepEqual(seen, { reached: 1, closed: 1 });
});

Deno.test("ask: it ends when nodes have gone away for long, or nobody is left", async () => {
  const away = () => Promise.reject(new CallError("timeout", "No answer"));
  const many = meshOf(1_000);
  await assert.rejects(askAnyone(many.context, "lab", away), /No answer/);
  const asked = Math.ceil(ASKED_MS_MAX / ASKED_AGAIN_MS) + 1;
  assert.deepEqual(many.seen, { reached: asked, closed: asked });
  const one = meshOf(1);
  await assert.rejects(askAnyone(one.context, "lab", away), /Nobody/);
  assert.deepEqual(one.seen, { reached: 1, closed: 1 });
});
