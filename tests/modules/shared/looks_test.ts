import assert from "node:assert/strict";
import { CallError, ConnectionError } from "../../../core/mod.ts";
import type { CommandContext, MeshClient } from "../../../modules/shared/command.ts";
import { lookAtMesh } from "../../../modules/shared/looks.ts";

const GONE = new CallError("unreachable", "Connection is gone");

/** A place without a mesh: `connects` says what each attempt to connect comes to. */
function place(connects: readonly ("ok" | "none")[]) {
  const stop = new AbortController();
  const events: string[] = [];
  let attempts = 0;
  const context = {
    signal: stop.signal,
    isTerminal: true,
    env: { clock: { sleep: () => Promise.resolve(stop.signal.throwIfAborted()) } },
    out: {
      write: () => events.push("clear"),
      note: (text: string) => events.push(text),
    },
    connect() {
      events.push("connect");
      if (connects[attempts++] !== "ok") {
        return Promise.reject(new ConnectionError("refused", "No node answers"));
      }
      return Promise.resolve({ close: () => Promise.resolve(events.push("close")) });
    },
  } as unknown as CommandContext;
  return { stop, events, context };
}

Deno.test("looks: one look shows once and closes its connection", async () => {
  const { context, events } = place(["ok"]);
  const seen = await lookAtMesh(context, {
    watch: false,
    interval: 1,
    look: () => Promise.resolve(7),
    show: (number: number, _client: MeshClient) => events.push(`show ${number}`),
  });
  assert.equal(seen, 7);
  assert.deepEqual(events, ["connect", "show 7", "close"]);
});

Deno.test("looks: a watch outlives its daemon, and the time in which there is none", async () => {
  const { context, events, stop } = place(["ok", "none", "ok"]);
  let looks = 0;
  const watching = lookAtMesh(context, {
    watch: true,
    interval: 1,
    look: () => ++looks === 2 ? Promise.reject(GONE) : Promise.resolve(looks),
    show: (number: number) => {
      events.push(`show ${number}`);
      if (number === 3) stop.abort(new Error("^C"));
    },
  });
  await assert.rejects(watching, /\^C/);
  assert.deepEqual(events, [
    ...["connect", "clear", "show 1", "close"],
    ...["connect", "No node answers", "connect", "clear", "show 3", "close"],
  ]);
});

Deno.test("looks: what another connection cannot help ends the watch, and so does a first failure", async () => {
  const { context, events } = place(["ok"]);
  const looks = { watch: true, interval: 1, show: () => events.push("show") };
  await assert.rejects(
    lookAtMesh(context, { ...looks, look: () => Promise.reject(new CallError("refused", "No")) }),
    /No/,
  );
  assert.deepEqual(events, ["connect", "close"]);
  await assert.rejects(
    lookAtMesh(place(["none"]).context, { ...looks, look: () => Promise.resolve(1) }),
    /No node answers/,
  );
});
