import assert from "node:assert/strict";
import { CallError } from "../../../core/mod.ts";
import { Execution } from "../../../modules/exec/execution.ts";
import { BUSY_RETRY_MS } from "../../../modules/exec/limits.ts";
import type { MeshClient } from "../../../modules/shared/command.ts";
import { ManualClock } from "../../support/manual_clock.ts";

const CONNECT_MS = 10_000;

/** Commands by a daemon that is too busy for the first `refusals` calls, and then refuses them. */
function scene(refusals: number) {
  const clock = new ManualClock();
  const asked: unknown[] = [];
  let signed = 0;
  const client = {
    via: { name: "n1" },
    sign: () => Promise.resolve(new Uint8Array([++signed])),
    stream(_verb: string, args: { signed: unknown }) {
      asked.push(args.signed);
      const error = asked.length <= refusals
        ? new CallError("busy", "More requests per second than allowed")
        : new CallError("unreachable", "Connection is gone");
      const reply = Promise.reject(error);
      reply.catch(() => {});
      return {
        reply,
        cancel: () => {},
        // deno-lint-ignore require-yield
        async *[Symbol.asyncIterator]() {
          await reply;
        },
      };
    },
  } as unknown as MeshClient;
  const execution = new Execution({
    client,
    env: { clock, random: { bytes: (length: number) => new Uint8Array(length) } } as never,
    nodes: ["n2"],
    order: { argv: ["true"] },
    as: "$user",
    connectMs: CONNECT_MS,
    fanout: 1,
    sink: undefined,
  });
  return { clock, asked, execution };
}

Deno.test("execution: a daemon that is busy is asked again with the very same order", async () => {
  const { clock, asked, execution } = scene(2);
  const finished = execution.finish();
  for (let i = 0; i < 3; i++) await clock.advance(BUSY_RETRY_MS);
  const { failures } = await finished;
  assert.equal(asked.length, 3);
  assert.deepEqual(new Set(asked.map(String)), new Set(["1"]));
  assert.match(failures.get("n2")?.reason ?? "", /"n1" was asked and is gone: Connection is gone/);
});

Deno.test("execution: of one that stays busy all nodes are accounted for", async () => {
  const { clock, asked, execution } = scene(Infinity);
  const finished = execution.finish();
  for (let ms = 0; ms <= CONNECT_MS; ms += BUSY_RETRY_MS) await clock.advance(BUSY_RETRY_MS);
  const { failures } = await finished;
  assert.ok(asked.length > 10, `${asked.length}`);
  assert.match(failures.get("n2")?.reason ?? "", /"n1" takes no more: More requests per second/);
});
