import assert from "node:assert/strict";
import { ConnectionError, type Link } from "../../../core/mod.ts";
import { dialLink } from "../../../modules/shared/dial_link.ts";
import { ManualClock } from "../../support/manual_clock.ts";

const { signal } = new AbortController();
const DIAL = { endpoint: "tcp:10.0.0.1:7117", expect: { name: "n1" }, ms: 5_000, signal };

Deno.test("dial link: dials there and expects who was named", async () => {
  const clock = new ManualClock();
  const link = {} as Link;
  const links = {
    dial: (endpoint: string, options?: { readonly expect?: unknown }) => {
      assert.equal(endpoint, "tcp:10.0.0.1:7117");
      assert.deepEqual(options?.expect, { name: "n1" });
      return Promise.resolve(link);
    },
  };
  assert.equal(await dialLink({ links, clock }, DIAL), link);
  assert.equal(clock.timers, 0);
});

Deno.test("dial link: gives up in time", async () => {
  const clock = new ManualClock();
  const links: Parameters<typeof dialLink>[0]["links"] = {
    dial: (_endpoint, { signal } = {}) =>
      new Promise((_, reject) => {
        signal?.addEventListener("abort", () => reject(signal.reason));
      }),
  };
  const dialled = assert.rejects(dialLink({ links, clock }, DIAL), (error) => {
    assert.ok(error instanceof ConnectionError && error.reason === "timeout");
    assert.equal(error.message, "No answer within 5000 ms");
    return true;
  });
  await clock.advance(5_000);
  await dialled;
});
