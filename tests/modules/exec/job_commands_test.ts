/** Commands about a job whose daemon freezes, and about one that some nodes do not tell of. */

import assert from "node:assert/strict";
import { createRealEnvironment } from "../../../core/environment/real.ts";
import { CallError, MinimeError } from "../../../core/mod.ts";
import { createContext } from "../../../modules/cli/context.ts";
import { exitCodeFor } from "../../../modules/cli/failure.ts";
import { StreamOutput } from "../../../modules/cli/output.ts";
import { runAttach, runKill, runLogs, runWait } from "../../../modules/exec/job_commands.ts";
import { LOST_AGAIN_MS } from "../../../modules/exec/limits.ts";
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

/** Of two nodes, those that know of no such job, and those that refuse to say. */
function telling(none: string, refused: string): MeshClient {
  const nodes = ["1", "2"].map((one) => nodeView({ name: `n${one}`, keyId: one.repeat(64) }));
  const reply = (verb: string) => {
    if (verb === "mesh.nodes") return { self: nodes[0]!.keyId, nodes };
    const refusals = refused === "" ? [] : [{ nodes: refused, reason: "No rule" }];
    return {
      account: { ...NOTHING, answered: none, refused: refusals },
      values: none === "" ? [] : [[none, { found: false }]],
      id: "00".repeat(16),
      targets: "n[1-2]",
      counts: { asked: 2, answered: 0, failed: 0, refused: 0, unreachable: 0, timedOut: 0 },
    };
  };
  const stream = (verb: string) => ({
    reply: Promise.resolve(reply(verb)),
    cancel: () => {},
    async *[Symbol.asyncIterator]() {},
  });
  return { ...freezing(new ManualClock()), request: () => Promise.resolve({}), stream } as never;
}

/** Of n2 it loses sight, which then is away, and in the end tells what it says. */
function losing(said: unknown): MeshClient {
  const nodes = ["1", "2"].map((one) => nodeView({ name: `n${one}`, keyId: one.repeat(64) }));
  const lost = { nodes: "n2", reason: "Gone", ran: "maybe" };
  const end = { found: true, end: { code: 0 }, nodeset: "n[1-2]" };
  const parts = [
    [{ answered: "n1", unreachable: [lost] }, [["n1", end]], "n[1-2]"],
    [{ unreachable: [{ ...lost, ran: "never" }] }, [], "n2"],
    [{ answered: "n2" }, [["n2", said]], "n2"],
  ] as const;
  let asked = 0;
  const reply = (verb: string) => {
    if (verb === "mesh.nodes") return { self: nodes[0]!.keyId, nodes };
    const [account, values, targets] = parts[asked++]!;
    const counts = { asked: 0, answered: 0, failed: 0, refused: 0, unreachable: 0, timedOut: 0 };
    return { account: { ...NOTHING, ...account }, values, id: "00".repeat(16), targets, counts };
  };
  const stream = (verb: string) => ({
    reply: Promise.resolve(reply(verb)),
    cancel: () => {},
    async *[Symbol.asyncIterator]() {},
  });
  return { ...freezing(new ManualClock()), request: () => Promise.resolve({}), stream } as never;
}

interface Scene {
  readonly clock: ManualClock;
  readonly terminal: MemoryTerminal;
  readonly out: StreamOutput;
  readonly context: CommandContext;
}

function makeScene(client: (clock: ManualClock) => MeshClient): Scene {
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
    connect: () => Promise.resolve(client(clock)),
  });
  context.home = () => Promise.resolve({ nodes: () => Promise.resolve([]) } as never);
  return { clock, terminal, out, context };
}

/** What it ends with, and what it has printed. */
async function followed(
  run: (context: CommandContext) => Promise<number>,
): Promise<{ readonly code: number; readonly stdout: string }> {
  const { clock, terminal, out, context } = makeScene(freezing);
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

// Of nodes that refuse they said that there is no such job there.
Deno.test("job commands: only nodes that have answered are said to have no such job", async () => {
  const asked = { ...OPTIONS, nodes: ["n[1-2]"], signal: "TERM" };
  for (const run of [runAttach, runKill, runLogs, runWait]) {
    const ended = async (none: string, refused: string) => {
      const { terminal, out, context } = makeScene(() => telling(none, refused));
      const code = await run(context, asked, ["build"]).catch((error: unknown) => {
        assert.ok(error instanceof MinimeError);
        return [exitCodeFor(error), error.message];
      });
      await out.finish();
      return [code, terminal.stderr];
    };
    assert.deepEqual(await ended("", "n[1-2]"), [5, "minime: n[1-2]: refused: No rule\n"]);
    assert.deepEqual(await ended("n1", "n2"), [
      [1, 'There is no job "build" of yours on n1'],
      "minime: n2: refused: No rule\n",
    ]);
    assert.deepEqual(await ended("n[1-2]", ""), [
      [1, 'There is no job "build" of yours on these nodes'],
      "",
    ]);
  }
});

// It was told as unreachable, though its daemon was back and knew how the job had ended.
Deno.test("job commands: a node that was lost is asked again how the job has ended there", async () => {
  const asked = { ...OPTIONS, nodes: ["n[1-2]"] };
  const ended = async (run: typeof runWait | typeof runLogs, said: unknown) => {
    const { clock, terminal, out, context } = makeScene(() => losing(said));
    const code = run(context, asked, ["build"]);
    await quiet();
    await clock.advance(LOST_AGAIN_MS);
    const result = [await code];
    await out.finish();
    return [...result, terminal.stderr];
  };
  const note = "n2: lost; asked again for a while\n";
  const known = { found: true, end: { code: 3 } };
  assert.deepEqual(await ended(runWait, known), [3, `${note}minime: n2: exit 3\n`]);
  const gap = "n2: output since its daemon was lost is not shown: see minime logs\n";
  const attached = await ended(runAttach, known);
  assert.deepEqual(attached, [3, `${note}Warning: ${gap}minime: n2: exit 3\n`]);
  assert.deepEqual(await ended(runLogs, known), [0, `${note}Warning: ${gap}`]);
  const forgotten = "minime: n2: failed: The job is not known any more\n";
  assert.deepEqual(await ended(runWait, { found: false }), [125, `${note}${forgotten}`]);
});
