/** One command on its nodes as its client sees it: busy daemons, turns, and signals that come early. */

import assert from "node:assert/strict";
import { CallError, REVISION_NEWEST } from "../../../core/mod.ts";
import { Execution, type ExecutionOptions } from "../../../modules/exec/execution.ts";
import {
  BUSY_RETRY_MS,
  END_MS,
  LANES_MAX,
  SIGNAL_AGAIN_MS,
  SIGNAL_MS_MAX,
} from "../../../modules/exec/limits.ts";
import type { MeshClient } from "../../../modules/shared/command.ts";
import type { NodeFailure } from "../../../modules/shared/group_result.ts";
import { SILENT_MS_MAX } from "../../../modules/shared/limits.ts";
import { foldNodeset, parseNodeset } from "../../../modules/shared/nodeset.ts";
import { ManualClock } from "../../support/manual_clock.ts";
import { quiet } from "../../support/wait.ts";

const CONNECT_MS = 10_000;

/** What was asked of a daemon. */
interface Asked {
  readonly verb: string;
  readonly nodes: readonly string[];
  /** Those that may be missing. */
  readonly expected: readonly string[];
  readonly signed: unknown;
  /** Unix ms. */
  readonly startBy: number;
  readonly deadlineMs: number;
  /** Wants to know of ends before the last one. */
  readonly progress: boolean;
}

interface SceneOptions extends Partial<ExecutionOptions> {
  /** What a daemon answers for all of these nodes. */
  readonly answer: (asked: Asked) => Promise<unknown>;
  /** Before something is signed. @default at once */
  readonly signing?: Promise<void>;
  /** It does not even say whether it lives. @default false */
  readonly isFrozen?: boolean;
  /** Of which it says so at once to whoever wants to know. @default none */
  readonly away?: string;
}

function makeScene({ answer, signing, isFrozen = false, away, ...options }: SceneOptions) {
  const clock = new ManualClock();
  const asked: Asked[] = [];
  const verbs: string[] = [];
  const nodesets: string[] = [];
  const client = {
    via: { name: "n1", revision: REVISION_NEWEST },
    async sign(verb: string, { nodeset }: { nodeset?: string }) {
      if (nodeset !== undefined) nodesets.push(nodeset);
      await signing;
      return new Uint8Array([verbs.push(verb)]);
    },
    signBytes: () => Promise.resolve(new Uint8Array(1)),
    async request(_verb: string, _args: unknown, { deadlineMs = 0 }: { deadlineMs?: number }) {
      if (!isFrozen) return {};
      await clock.sleep(deadlineMs);
      throw new CallError("timeout", "No answer");
    },
    stream(
      _verb: string,
      { targets, expected = "", ...rest }: Pick<Asked, "startBy" | "deadlineMs" | "progress"> & {
        targets: string;
        expected?: string;
        signed: Uint8Array;
      },
      { signal }: { signal?: AbortSignal },
    ) {
      const one = {
        ...rest,
        verb: verbs[Number(rest.signed[0]) - 1] as string,
        nodes: parseNodeset(targets),
        expected: expected === "" ? [] : parseNodeset(expected),
      };
      asked.push(one);
      const cancelled = new Promise<never>((_, reject) =>
        signal?.addEventListener("abort", () => reject(signal.reason))
      );
      const answered = answer(one).then((value) => replyOf(one, value, away));
      const reply = Promise.race([answered, cancelled]);
      reply.catch(() => {});
      return {
        reply,
        cancel: () => {},
        async *[Symbol.asyncIterator]() {
          if (one.progress && away !== undefined) {
            yield { account: accountOf("", away), values: [] };
          }
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
    fanout: options.nodes?.length ?? 1,
    sink: undefined,
    ...options,
  });
  return { clock, asked, nodesets, execution };
}

function replyOf({ nodes, progress }: Asked, value: unknown, away?: string) {
  const answered = foldNodeset(nodes.filter((name) => name !== away));
  // Whoever asked for parts has been told already.
  const isUntold = away !== undefined && nodes.includes(away) && !progress;
  return {
    account: accountOf(answered, isUntold ? away : undefined),
    values: answered === "" ? [] : [[answered, value]],
    id: "00".repeat(16),
    targets: foldNodeset(nodes),
    counts: { asked: 1, answered: 1, failed: 0, refused: 0, unreachable: 0, timedOut: 0 },
  };
}

function accountOf(answered: string, away?: string) {
  const unreachable = away === undefined
    ? []
    : [{ nodes: away, reason: 'Not seen since "n1" started', ran: "never" }];
  return { answered, failed: [], refused: [], unreachable, timedOut: [] };
}

/** By a daemon that is too busy for the first `refusals` calls, and then is gone. */
function busyScene(refusals: number) {
  let calls = 0;
  const answer = () =>
    Promise.reject(
      ++calls <= refusals
        ? new CallError("busy", "More requests per second than allowed")
        : new CallError("unreachable", "Connection is gone"),
    );
  return makeScene({ answer });
}

Deno.test("execution: a daemon that is busy is asked again with the very same order", async () => {
  const { clock, asked, execution } = busyScene(2);
  const finished = execution.finish();
  for (let i = 0; i < 3; i++) await clock.advance(BUSY_RETRY_MS);
  const { failures } = await finished;
  assert.equal(asked.length, 3);
  assert.deepEqual(new Set(asked.map(({ signed }) => String(signed))), new Set(["1"]));
  assert.match(failures.get("n2")?.reason ?? "", /"n1" was asked and is gone: Connection is gone/);
});

Deno.test("execution: of one that stays busy all nodes are accounted for", async () => {
  const { clock, asked, execution } = busyScene(Infinity);
  const latest = clock.now() + CONNECT_MS;
  const finished = execution.finish();
  for (let ms = 0; ms <= CONNECT_MS; ms += BUSY_RETRY_MS) await clock.advance(BUSY_RETRY_MS);
  const { failures } = await finished;
  assert.ok(asked.length > 10, `${asked.length}`);
  const { reason, ran } = failures.get("n2") as NodeFailure;
  assert.match(reason, /"n1" takes no more: More requests per second/);
  assert.equal(ran, "never");
  // It began anew each time: programs started up to twice as late as had been asked for.
  assert.deepEqual(new Set(asked.map(({ startBy }) => startBy)), new Set([latest]));
});

Deno.test("execution: how long all may take is not extended by a daemon that is busy", async () => {
  const { clock, asked, execution } = makeScene({
    order: { argv: ["true"], timeoutMs: 1_000, killAfterMs: 500 },
    answer: () =>
      asked.length < 3
        ? Promise.reject(new CallError("busy", "More requests per second than allowed"))
        : Promise.resolve({ code: 0 }),
  });
  const finished = execution.finish();
  for (let i = 0; i < 3; i++) await clock.advance(BUSY_RETRY_MS);
  await finished;
  const whole = CONNECT_MS + 1_000 + 500 + END_MS;
  assert.deepEqual(
    asked.map(({ deadlineMs }) => deadlineMs),
    [whole, whole - BUSY_RETRY_MS, whole - 2 * BUSY_RETRY_MS],
  );
});

Deno.test("execution: one that was taken late is sent signals until its own latest start", async () => {
  const never = new Promise<unknown>(() => {});
  const { clock, asked, execution } = makeScene({
    answer: ({ verb }) => {
      if (verb !== "exec.run") return Promise.resolve({ sent: false });
      return asked.length < 30 ? Promise.reject(new CallError("busy", "Too many")) : never;
    },
  });
  const finished = execution.finish();
  for (let i = 0; i < 30; i++) await clock.advance(BUSY_RETRY_MS);
  assert.equal(asked.length, 30);
  const begun = clock.monotonic();
  const over = execution.signal("SIGTERM").then(() => clock.monotonic());
  await clock.advance(2 * CONNECT_MS);
  assert.equal(await over, Math.max(CONNECT_MS, begun + SIGNAL_MS_MAX));
  execution.cancel("Test is over");
  await assert.rejects(finished, /Test is over/);
});

Deno.test("execution: as many nodes run at once as the fan-out says, and each of them once", async () => {
  for (const fanout of [1, 2, LANES_MAX, LANES_MAX + 1, 31, 33, 100]) {
    const nodes = parseNodeset("n[1-40]");
    const running: { nodes: readonly string[]; end: (reply: unknown) => void }[] = [];
    const ran: string[] = [];
    let most = 0;
    const { execution } = makeScene({
      nodes,
      fanout,
      answer({ nodes }) {
        const { promise, resolve: end } = Promise.withResolvers<unknown>();
        running.push({ nodes, end });
        ran.push(...nodes);
        most = Math.max(most, running.flatMap((one) => one.nodes).length);
        return promise;
      },
    });
    const finished = execution.finish();
    while (execution.outcome.ends.size < nodes.length) {
      await quiet();
      running.shift()?.end({ code: 0 });
    }
    await finished;
    assert.equal(most, Math.min(fanout, nodes.length), `-f ${fanout}`);
    assert.equal(foldNodeset(ran), "n[1-40]");
    assert.equal(ran.length, nodes.length);
  }
});

// With -a they were not counted, with -w they were: the same node got another part of the work.
Deno.test("execution: ranks count the nodes that are missing, whoever has found that out", async () => {
  const away = { name: "n2", set: "unreachable", reason: "Not seen", ran: "never" } as const;
  for (
    const who of [
      { nodes: ["n1", "n2", "n3"], expected: ["n1", "n2", "n3"] },
      { nodes: ["n1", "n3"], missing: [away] },
    ]
  ) {
    const { nodesets, execution } = makeScene({
      ...who,
      answer: () => Promise.resolve({ code: 0 }),
    });
    await execution.finish();
    assert.deepEqual(nodesets, ["n[1-3]"]);
  }
});

Deno.test("execution: whoever interrupts it while the order is being signed has nothing started", async () => {
  const { promise: signing, resolve } = Promise.withResolvers<void>();
  const answer = () => Promise.resolve({ code: 0 });
  const { asked, execution } = makeScene({ answer, signing });
  const finished = execution.finish();
  await execution.signal("SIGINT");
  resolve();
  const { failures } = await finished;
  assert.equal(failures.get("n2")?.reason, "Interrupted before it was started");
  assert.deepEqual(asked, []);
});

Deno.test("execution: a signal that is at a node before the order is sent again", async () => {
  const { promise: ended, resolve: end } = Promise.withResolvers<unknown>();
  let signals = 0;
  const { clock, asked, execution } = makeScene({
    nodes: ["n2", "n3"],
    fanout: 2,
    answer: ({ verb }) => verb === "exec.run" ? ended : Promise.resolve({ sent: ++signals === 3 }),
  });
  const finished = execution.finish();
  await quiet();
  const signalled = execution.signal("SIGINT");
  await clock.advance(10 * SIGNAL_AGAIN_MS);
  await signalled;
  // Whoever has got it does not get it twice.
  assert.deepEqual(asked.map(({ verb }) => verb), ["exec.run", ...Array(3).fill("exec.signal")]);
  end({ code: 130, signal: "SIGINT" });
  assert.equal((await finished).exitCode, 130);
});

// The mesh has no such node: the signal was refused as a whole, and reached nobody.
Deno.test("execution: a signal reaches the nodes that are there where one of them is missing", async () => {
  const { promise: ended, resolve: end } = Promise.withResolvers<unknown>();
  const { clock, asked, execution } = makeScene({
    nodes: ["n2", "m4"],
    expected: ["n2", "m4"],
    fanout: 2,
    answer: ({ verb, nodes, expected }) => {
      if (nodes.includes("m4") && !expected.includes("m4")) {
        return Promise.reject(new CallError("invalid", 'The mesh has no node "m4"'));
      }
      return verb === "exec.run" ? ended : Promise.resolve({ sent: true });
    },
  });
  const finished = execution.finish();
  await quiet();
  const signalled = execution.signal("SIGINT");
  await clock.advance(SIGNAL_AGAIN_MS);
  await signalled;
  assert.deepEqual(asked.map(({ verb, nodes }) => [verb, foldNodeset(nodes)]), [
    ["exec.run", "m4,n2"],
    ["exec.signal", "m4,n2"],
  ]);
  end({ code: 130, signal: "SIGINT" });
  await finished;
});

// It was sent to that one every 100 ms for 5 s, and then said not to have reached it.
Deno.test("execution: a signal is not sent to a node that is known to be missing, whoever looks", async () => {
  const { promise: ended, resolve: end } = Promise.withResolvers<unknown>();
  const { clock, asked, execution } = makeScene({
    nodes: ["n2", "m4"],
    expected: ["n2", "m4"],
    away: "m4",
    fanout: 2,
    answer: ({ verb }) => verb === "exec.run" ? ended : Promise.resolve({ sent: true }),
  });
  const finished = execution.finish();
  await quiet();
  const signalled = execution.signal("SIGINT");
  await clock.advance(2 * CONNECT_MS);
  await signalled;
  assert.deepEqual(asked.map(({ verb, nodes }) => [verb, foldNodeset(nodes)]), [
    ["exec.run", "m4,n2"],
    ["exec.signal", "n2"],
  ]);
  end({ code: 130, signal: "SIGINT" });
  const { exitCode, failures } = await finished;
  assert.equal(exitCode, 130);
  assert.deepEqual([...failures.keys()], ["m4"]);
});

Deno.test("execution: a signal for which there never is a program is given up", async () => {
  const never = new Promise<unknown>(() => {});
  const { clock, asked, execution } = makeScene({
    answer: ({ verb }) => verb === "exec.run" ? never : Promise.resolve({ sent: false }),
  });
  const finished = execution.finish();
  await quiet();
  const signalled = execution.signal("SIGTERM");
  await clock.advance(CONNECT_MS + SIGNAL_AGAIN_MS);
  await signalled;
  assert.ok(asked.length > 10);
  execution.cancel("Test is over");
  await assert.rejects(finished, /Test is over/);
  assert.equal(clock.timers, 0);
});

// It was waited for until ^C, and then again.
Deno.test("execution: a daemon that was asked and freezes is told of, and then given up", async () => {
  const told: string[] = [];
  const { clock, execution } = makeScene({
    answer: () => new Promise(() => {}),
    isFrozen: true,
    onQuiet: (text) => told.push(text),
  });
  const finished = execution.finish();
  await quiet();
  await clock.advance(SILENT_MS_MAX - 1);
  assert.deepEqual(told, ['The daemon of "n1" says nothing for 10 s; after 20 s it is given up']);
  assert.equal(execution.outcome.failures.size, 0);
  await clock.advance(1);
  const { failures, exitCode } = await finished;
  assert.deepEqual(failures.get("n2"), {
    name: "n2",
    set: "unreachable",
    reason: 'Node "n1" was asked and does not answer: ' +
      'Given up: the daemon of "n1" has said nothing for 20 s',
    ran: "maybe",
  });
  assert.equal(exitCode, 4);
  assert.equal(clock.timers, 0);
});
