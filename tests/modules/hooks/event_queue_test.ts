/** Events that wait for the administrator's program: bounded, in order, only the last of a node. */

import assert from "node:assert/strict";
import { EventQueue } from "../../../modules/hooks/event_queue.ts";
import type { HookEvent, NodeEvent } from "../../../modules/hooks/node_event.ts";
import { ManualClock } from "../../support/manual_clock.ts";
import { turn } from "../../support/wait.ts";
import { nodeView } from "./nodes.ts";

/** A queue whose runs end when the test says so. */
function playedQueue(atOnceMax: number, waitingMax: number, settleMs = 0) {
  const clock = new ManualClock();
  const told: string[] = [];
  const dropped: string[] = [];
  const ends = new Map<string, () => void>();
  const text = ({ event, node }: NodeEvent) => `${event} ${node.name}`;
  const queue = new EventQueue({
    clock,
    settleMs,
    atOnceMax,
    waitingMax,
    run: (event) => {
      told.push(text(event));
      return new Promise((resolve) => ends.set(event.node.name, resolve));
    },
    onDropped: (event) => dropped.push(text(event)),
  });
  const push = (event: HookEvent, name: string) => queue.push({ event, node: nodeView({ name }) });
  const end = async (name: string) => {
    ends.get(name)?.();
    await turn();
  };
  return { queue, clock, told, dropped, push, end };
}

Deno.test("event queue: so many run at once, of one node one after the other", async () => {
  const { queue, told, push, end } = playedQueue(2, 10);
  push("join", "n1");
  push("failure", "n1");
  push("join", "n2");
  push("join", "n3");
  assert.deepEqual(told, ["join n1", "join n2"]);
  await end("n2");
  assert.deepEqual(told, ["join n1", "join n2", "join n3"]);
  await end("n1");
  assert.equal(told.at(-1), "failure n1");
  await end("n3");
  await end("n1");
  await queue.close();
});

Deno.test("event queue: of a node only the last event waits", async () => {
  const { queue, told, push, end } = playedQueue(1, 10);
  push("join", "n1");
  for (const event of ["failure", "join", "leave"] as const) push(event, "n1");
  await end("n1");
  assert.deepEqual(told, ["join n1", "leave n1"]);
  await end("n1");
  await queue.close();
});

Deno.test("event queue: what follows within a moment is told as one event, and keeps nobody waiting", async () => {
  const { queue, clock, told, push, end } = playedQueue(4, 10, 500);
  push("failure", "n1");
  await clock.advance(300);
  push("failure", "n2");
  push("join", "n1");
  await clock.advance(199);
  assert.deepEqual(told, []);
  await clock.advance(1);
  assert.deepEqual(told, ["join n1"]);
  await clock.advance(300);
  assert.deepEqual(told, ["join n1", "failure n2"]);
  push("leave", "n3");
  for (const name of ["n1", "n2"]) await end(name);
  await queue.close();
  assert.equal(clock.timers, 0);
});

Deno.test("event queue: when it is full the one that waits longest goes, and that is said", async () => {
  const { queue, told, dropped, push, end } = playedQueue(1, 2);
  for (const name of ["n1", "n2", "n3", "n4"]) push("join", name);
  push("failure", "n3");
  assert.deepEqual(dropped, ["join n2"]);
  for (const name of ["n1", "n3", "n4"]) await end(name);
  assert.deepEqual(told, ["join n1", "failure n3", "join n4"]);
  await queue.close();
});

Deno.test("event queue: closed, it forgets what waits, waits for what runs and takes nothing", async () => {
  const { queue, told, push, end } = playedQueue(1, 2);
  push("join", "n1");
  push("join", "n2");
  let closed = false;
  const closing = queue.close().then(() => closed = true);
  push("join", "n3");
  await turn();
  assert.equal(closed, false);
  await end("n1");
  await closing;
  assert.deepEqual(told, ["join n1"]);
});
