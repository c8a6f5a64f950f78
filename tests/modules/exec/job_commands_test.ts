/** Commands that follow a job through a daemon which freezes. */

import assert from "node:assert/strict";
import { createRealEnvironment } from "../../../core/environment/real.ts";
import { CallError } from "../../../core/mod.ts";
import { createContext } from "../../../modules/cli/context.ts";
import { exitCodeFor } from "../../../modules/cli/failure.ts";
import { StreamOutput } from "../../../modules/cli/output.ts";
import { runAttach, runLogs, runWait } from "../../../modules/exec/job_commands.ts";
import { STDOUT } from "../../../modules/exec/program.ts";
import type { CommandContext, MeshClient } from "../../../modules/shared/command.ts";
import { SILENT_MS_MAX } from "../../../modules/shared/limits.ts";
import { ManualClock } from "../../support/manual_clock.ts";
import { quiet } from "../../support/wait.ts";
import { MemoryTerminal } from "../cli/memory_terminal.ts";
import { nodeView } from "../hooks/nodes.ts";

const OPTIONS = {
  nodes: ["n2"],
  exclude: [],
  group: [],
  all: false,
  user: undefined,
  follow: true,
  bare: false,
};

const SELF = "1".repeat(64);

const NOTHING = { answered: "", failed: [], refused: [], unreachable: [], timedOut: [] };

/** It tells of its mesh and of half a line, and then says nothing any more. */
function freezing(clock: ManualClock): MeshClient {
  const stream = (verb: string, _args: unknown, { signal }: { signal?: AbortSignal }) => {
    const [n1, n2] = [nodeView({ keyId: SELF }), nodeView({ name: "n2", keyId: "2".repeat(64) })];
    const view = { self: SELF, nodes: [n1, n2] };
    const reply = verb === "mesh.nodes"
      ? Promise.resolve(view)
      : new Promise<never>((_, reject) =>
        signal?.addEventListener("abort", () => reject(signal.reason))
      );
    reply.catch(() => {});
    return {
      reply,
      cancel: () => {},
      async *[Symbol.asyncIterator]() {
        if (verb === "mesh.nodes") return;
        const chunk = [STDOUT, new TextEncoder().encode("half a line")];
        yield { account: NOTHING, values: [], items: [["n2", chunk, 0]] };
        await reply;
      },
    };
  };
  return {
    meshName: "test",
    via: { name: "n1", endpoint: "unix:/sock", groups: undefined, revision: 0 },
    async request(verb: string, _args: unknown, { deadlineMs = 0 }: { deadlineMs?: number }) {
      if (verb === "mesh.settled") return {};
      await clock.sleep(deadlineMs);
      throw new CallError("timeout", "No answer");
    },
    stream,
    sign: () => Promise.resolve(new Uint8Array(1)),
    close: () => Promise.resolve(),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  } as unknown as MeshClient;
}

/** What it ends with, and what it has printed. */
async function followed(
  run: (context: CommandContext) => Promise<number>,
): Promise<{ readonly code: number; readonly stdout: string }> {
  const clock = new ManualClock();
  const terminal = new MemoryTerminal();
  const out = new StreamOutput(terminal, { plain: true, onBroken: () => {} });
  const context = createContext({
    env: { ...createRealEnvironment(), clock },
    out,
    terminal,
    signal: new AbortController().signal,
    takeHangUp: () => ({ [Symbol.dispose]: () => {} }),
    takeSignals: () => ({ [Symbol.dispose]: () => {} }),
    meshName: "test",
    connect: () => Promise.resolve(freezing(clock)),
  });
  context.home = () => Promise.resolve({ nodes: () => Promise.resolve([]) } as never);
  const code = run(context).catch((error: unknown) => {
    assert.match(String(error), /Node "n1" was asked and does not answer: Given up: the daemon of/);
    return exitCodeFor(error);
  });
  await quiet();
  await clock.advance(SILENT_MS_MAX);
  const ended = { code: await code };
  await out.finish();
  return { ...ended, stdout: terminal.stdout };
}

// They ended with 1, as of a job that ended with 1, and kept the half line for themselves.
Deno.test("job commands: a daemon that freezes is told by the exit code, after all that has come", async () => {
  const { nodes, exclude, group, all, user } = OPTIONS;
  const asked = { nodes, exclude, group, all, user };
  assert.deepEqual(await followed((context) => runWait(context, asked, ["build"])), {
    code: 4,
    stdout: "",
  });
  const shown = { code: 4, stdout: "n2: half a line\n" };
  assert.deepEqual(await followed((context) => runAttach(context, asked, ["build"])), shown);
  assert.deepEqual(await followed((context) => runLogs(context, OPTIONS, ["build"])), shown);
});
