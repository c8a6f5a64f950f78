/** What is left of bare programs that could not all be started. */

import assert from "node:assert/strict";
import { dirname } from "node:path";
import { BareNodes } from "../../bench/bare_nodes.ts";

function spawn(command: string, ...args: string[]): Deno.ChildProcess {
  return new Deno.Command(command, { args, stdin: "null" }).spawn();
}

async function assertGone(path: string): Promise<void> {
  await assert.rejects(Deno.stat(path), Deno.errors.NotFound);
}

Deno.test("bare nodes: when one cannot be started, those before it are ended and the folder goes", async () => {
  const children: Deno.ChildProcess[] = [];
  let folder = "";
  const starting = BareNodes.start(3, (socket) => {
    folder = dirname(socket);
    if (children.length === 2) throw new Error("Too many processes");
    const child = spawn("sleep", "600");
    children.push(child);
    return child;
  });
  await assert.rejects(starting, /Too many processes/);
  for (const child of children) assert.equal((await child.status).signal, "SIGTERM");
  await assertGone(folder);
});

// It was waited for for a minute.
Deno.test("bare nodes: one that dies at its start ends the wait, and the others", async () => {
  const children: Deno.ChildProcess[] = [];
  let folder = "";
  const starting = BareNodes.start(2, (socket) => {
    folder = dirname(socket);
    const child = children.length === 0 ? spawn("sleep", "600") : spawn("false");
    children.push(child);
    return child;
  });
  await assert.rejects(starting, /One of 2 bare programs ended before all listened: exit 1/);
  assert.equal((await children[0]?.status)?.signal, "SIGTERM");
  await assertGone(folder);
});
