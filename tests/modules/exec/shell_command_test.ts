/** What is said on a user's terminal when no program comes to run on it. */

import assert from "node:assert/strict";
import { createRealEnvironment } from "../../../core/environment/real.ts";
import { CallError } from "../../../core/mod.ts";
import { StreamOutput } from "../../../modules/cli/output.ts";
import { STDERR } from "../../../modules/exec/program.ts";
import type { RunEnd } from "../../../modules/exec/order.ts";
import { runTerminal } from "../../../modules/exec/shell_command.ts";
import type { CommandContext } from "../../../modules/shared/command.ts";
import { MemoryTerminal } from "../cli/memory_terminal.ts";

/** On a node that says so much and answers so. */
async function run(text: string, reply: Promise<RunEnd>): Promise<[code: number, stderr: string]> {
  reply.catch(() => {});
  const terminal = new MemoryTerminal();
  const out = new StreamOutput(terminal, { plain: true, onBroken: () => {} });
  const stream = () => ({
    reply,
    cancel: () => {},
    send: () => Promise.resolve(),
    end: () => Promise.resolve(),
    async *[Symbol.asyncIterator]() {
      if (text !== "") yield await Promise.resolve([STDERR, new TextEncoder().encode(text)]);
    },
  });
  const client = {
    sign: () => Promise.resolve(new Uint8Array(1)),
    stream,
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
  const context = {
    env: createRealEnvironment(),
    out,
    isTerminal: true,
    signal: new AbortController().signal,
    session: () => Promise.resolve(client),
    stdin: {
      isTerminal: true,
      bytes: (async function* () {})(),
      raw: () => ({ [Symbol.dispose]: () => {} }),
    },
  } as unknown as CommandContext;
  const code = await runTerminal(context, {
    node: "n2",
    order: { argv: ["id"] },
    as: "$user",
    connectMs: 1_000,
  });
  await out.finish();
  return [code, terminal.stderr];
}

Deno.test("shell: what the node complains of begins at the left of a terminal that is raw", async () => {
  const complaint = 'minime: cannot enter folder "/nope"\nand more\r\n';
  assert.deepEqual(await run(complaint, Promise.resolve({ code: 126 })), [
    126,
    'minime: cannot enter folder "/nope"\r\nand more\r\n',
  ]);
  const error = 'Could not start "id": there is no folder "/nope"';
  assert.deepEqual(await run("", Promise.resolve({ code: 126, error })), [
    126,
    `minime: n2: ${error}\r\n`,
  ]);
});

Deno.test("shell: a refusal says whose it is", async () => {
  await assert.rejects(run("", Promise.reject(new CallError("refused", "Policy has no rule"))), {
    class: "refused",
    message: "n2: refused: Policy has no rule",
  });
  await assert.rejects(run("", Promise.reject(new CallError("cancelled", "Left by ~."))), {
    message: "Left by ~.",
  });
});
