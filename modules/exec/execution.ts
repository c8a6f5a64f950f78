/**
 * One command on all of its nodes, as seen by who ordered it: the signed order, what comes back, and
 * signals that go after it. With a fan-out the nodes take turns, some at once.
 */

import {
  CallError,
  type Environment,
  errorText,
  MinimeError,
  ProtocolError,
  toHex,
} from "../../core/mod.ts";
import type { MeshClient } from "../shared/command.ts";
import { callGroup } from "../shared/group_client.ts";
import { failureLines } from "../shared/group_report.ts";
import type { GroupResult, NodeFailure, StreamedItem } from "../shared/group_result.ts";
import { GROUP_MS_MAX, GROUP_NODE_BYTES_MAX, SILENT_MS_MAX } from "../shared/limits.ts";
import { foldNodeset } from "../shared/nodeset.ts";
import { DaemonWatch } from "../shared/daemon_watch.ts";
import { inWindow } from "../shared/window.ts";
import {
  BUSY_RETRY_MS,
  END_MS,
  KILL_AFTER_MS_DEFAULT,
  LANES_MAX,
  SIGNAL_AGAIN_MS,
  SIGNAL_MS_MAX,
} from "./limits.ts";
import { gotSignal, nodesetOf, type RunOrderInput, type SignalName } from "./order.ts";
import { Outcome } from "./outcome.ts";
import { type Chunk, STDERR, STDOUT } from "./program.ts";
import type { InputSource } from "./shared_input.ts";
import type { OutputSink } from "./sink.ts";
import { signedPieces } from "./stdin.ts";

export interface ExecutionOptions {
  readonly client: MeshClient;
  readonly env: Environment;
  readonly nodes: readonly string[];
  /** Those that were meant as well, and are not there. @default none */
  readonly missing?: readonly NodeFailure[];
  /** As for `group.call`. @default nobody */
  readonly expected?: readonly string[];
  readonly order: Omit<RunOrderInput, "run" | "nodeset" | "stdin">;
  /** The unix user; see SignOptions.as. */
  readonly as: string;
  /** How long nodes may take to start it. */
  readonly connectMs: number;
  /** Nodes at once. */
  readonly fanout: number;
  /** What all programs read; it repeats where nodes take turns. @default nothing */
  readonly stdin?: InputSource;
  /** Where output goes as it comes; undefined: it is collected. */
  readonly sink: OutputSink | undefined;
  /** Told now and then how many nodes are done. @default nobody asks */
  readonly onProgress?: (done: number) => void;
  /** Told, for a person, when the daemon that was asked says nothing any more. @default nobody is told */
  readonly onQuiet?: (text: string) => void;
}

/** Of nodes whose turn had not come when the user ended it all. */
export const NOT_STARTED = "Interrupted before it was started";

export class Execution {
  readonly outcome: Outcome;
  readonly #options: ExecutionOptions;
  readonly #run: string;
  readonly #nodeset: string;
  readonly #cancelled = new AbortController();
  /** Nodes to which the order went. */
  readonly #begun = new Set<string>();
  /** Monotonic ms: no program to which an order went starts later. */
  #startBy = 0;
  #stopped = false;
  /** The newest one counts. */
  #signal: SignalName | undefined;

  constructor(options: ExecutionOptions) {
    this.#options = options;
    this.outcome = new Outcome(options.missing);
    this.#nodeset = nodesetOf(options);
    this.#run = toHex(options.env.random.bytes(16));
  }

  /** Resolves when all nodes are accounted for. Rejects when the order as a whole was not taken. */
  async finish(): Promise<Outcome> {
    const { nodes, fanout, client, env: { clock }, onQuiet } = this.#options;
    using silence = new DaemonWatch({
      clock,
      caller: client,
      node: client.via.name,
      silentMs: SILENT_MS_MAX,
      signal: this.#cancelled.signal,
      ...(onQuiet === undefined ? {} : { onQuiet }),
    });
    let next = 0;
    const sizes = laneSizes(nodes.length, fanout);
    await inWindow(sizes, sizes.length, async (size) => {
      while (next < nodes.length) {
        const some = nodes.slice(next, next + size);
        next += size;
        await this.#runOn(some, silence);
      }
    });
    return this.outcome;
  }

  /**
   * Sends it to all programs that run, and starts no more. Where an order is still on its way to its
   * node, the signal is sent again until there is a program that gets it, or there will be none.
   */
  async signal(signal: SignalName): Promise<void> {
    this.#stopped = true;
    this.#signal = signal;
    const { clock } = this.#options.env;
    const until = Math.max(this.#startBy, clock.monotonic() + SIGNAL_MS_MAX);
    /** They have got it, or may not get it. */
    const settled = new Set<string>();
    const failures = new Map<string, NodeFailure>();
    for (;;) {
      const targets = [...this.#begun].filter((name) => !settled.has(name) && this.#isOpen(name));
      if (targets.length === 0) break;
      const result = await this.#send(signal, targets);
      for (const name of result.got) settled.add(name);
      for (const name of targets) failures.delete(name);
      for (const failure of result.failures) {
        failures.set(failure.name, failure);
        if (failure.set === "refused") settled.add(failure.name);
      }
      if (this.#signal !== signal || clock.monotonic() >= until) break;
      await clock.sleep(SIGNAL_AGAIN_MS);
    }
    const open = [...failures.values()].filter(({ name }) => this.#isOpen(name));
    if (open.length === 0) return;
    throw new CallError("failed", failureLines(open, { now: clock.now() }).join("; "));
  }

  /** Gives it up: nodes end what still runs. */
  cancel(reason: string): void {
    this.#stopped = true;
    this.#cancelled.abort(new CallError("cancelled", reason));
  }

  /** No end of it is known. */
  #isOpen(name: string): boolean {
    return !this.outcome.ends.has(name) && !this.outcome.failures.has(name);
  }

  /** Once. Whoever is in neither list has no such program, not yet or no more. */
  async #send(
    signal: SignalName,
    targets: readonly string[],
  ): Promise<{ readonly got: readonly string[]; readonly failures: readonly NodeFailure[] }> {
    const { client, order: { argv }, as, expected = [] } = this.#options;
    const args = { run: this.#run, signal, argv };
    const signed = await client.sign("exec.signal", args, { targets, as });
    try {
      const { values, failures } = await callGroup(client, {
        targets: foldNodeset(targets),
        // The order may have gone to nodes that are not there, of which nothing has come back yet.
        expected: foldNodeset(expected),
        signed,
        deadlineMs: SIGNAL_MS_MAX,
      });
      const got = [...values].filter(([, value]) => gotSignal(value)).map(([name]) => name);
      return { got, failures: [...failures.values()] };
    } catch (error) {
      if (!(error instanceof CallError) || error.class !== "busy") throw error;
      const reason = errorText(error);
      return { got: [], failures: targets.map((name) => ({ name, set: "failed", reason })) };
    }
  }

  async #runOn(nodes: readonly string[], silence: DaemonWatch): Promise<void> {
    if (this.#stopped) return this.#interrupt(nodes);
    const { client, env: { clock }, as, connectMs, order, stdin } = this.#options;
    const signed = await client.sign("exec.run", {
      ...order,
      run: this.#run,
      nodeset: this.#nodeset,
      ...(stdin === undefined ? {} : { stdin: "hashed" }),
    }, { targets: nodes, as, ttlMs: connectMs });
    const startBy = clock.monotonic() + connectMs;
    for (;;) {
      if (this.#stopped) return this.#interrupt(nodes);
      try {
        return this.#note(await this.#call(nodes, { signed, startBy, silence }));
      } catch (error) {
        const isBusy = error instanceof CallError && error.class === "busy";
        // Input that was read may not be there a second time.
        const mayRepeat = stdin === undefined || stdin.repeats;
        if (isBusy && mayRepeat && clock.monotonic() + BUSY_RETRY_MS < startBy) {
          await clock.sleep(BUSY_RETRY_MS);
          continue;
        }
        this.#stopped = true;
        return this.outcome.lose(nodes, { via: client.via.name, error });
      }
    }
  }

  /** The same order again and again: no node runs it twice. */
  async #call(
    nodes: readonly string[],
    { signed, startBy, silence }: {
      readonly signed: Uint8Array;
      /** Monotonic ms: none of them starts it later. */
      readonly startBy: number;
      readonly silence: DaemonWatch;
    },
  ): Promise<GroupResult> {
    const { client, env: { clock }, order, stdin, sink, expected = [] } = this.#options;
    const { timeoutMs, killAfterMs = KILL_AFTER_MS_DEFAULT } = order;
    using input = stdin?.open();
    for (const name of nodes) this.#begun.add(name);
    this.#startBy = Math.max(this.#startBy, startBy);
    const leftMs = startBy - clock.monotonic();
    return await callGroup(client, {
      targets: foldNodeset(nodes),
      expected: foldNodeset(expected),
      signed,
      startBy: clock.now() + leftMs,
      deadlineMs: timeoutMs === undefined
        ? GROUP_MS_MAX
        : Math.min(GROUP_MS_MAX, Math.ceil(leftMs) + timeoutMs + killAfterMs + END_MS),
      bytesPerNodeMax: GROUP_NODE_BYTES_MAX,
      signal: silence.signal,
      ...(sink === undefined ? {} : {
        onItems: (items) => {
          silence.heard();
          return this.#take(sink, items);
        },
      }),
      ...(input === undefined ? {} : {
        input: silence.heardBy(
          signedPieces(input.bytes, { run: this.#run, sign: client.signBytes.bind(client) }),
        ),
      }),
      // Also where nobody looks at them: a signal does not go to nodes whose end is known.
      onPart: (soFar) => {
        silence.heard();
        this.#note(soFar);
      },
    });
  }

  #interrupt(nodes: readonly string[]): void {
    for (const name of nodes) this.outcome.fail(name, NOT_STARTED);
  }

  #note(result: GroupResult): void {
    const { sink, onProgress } = this.#options;
    for (const [name, end] of this.outcome.add(result)) sink?.end(name, end);
    onProgress?.(this.outcome.ends.size + this.outcome.failures.size);
  }

  async #take(sink: OutputSink, items: readonly StreamedItem[]): Promise<void> {
    for (const [name, value, lost] of items) {
      if (lost > 0 && !this.outcome.lossy.has(name)) {
        this.outcome.lossy.add(name);
        sink.lost(name);
      }
      await sink.take(name, chunkOf(value));
    }
  }
}

/** How many nodes each lane runs at a time: together as many as may run at once. */
function laneSizes(nodes: number, fanout: number): number[] {
  if (fanout >= nodes) return [nodes];
  const lanes = Math.min(fanout, LANES_MAX);
  return Array.from({ length: lanes }, (_, lane) => Math.floor((fanout + lane) / lanes));
}

/** For a person: why a signal did not get through. */
export function signalFailure(signal: SignalName, error: unknown): string {
  if (!(error instanceof MinimeError)) throw error;
  return `${signal} did not reach the nodes: ${errorText(error)}`;
}

/** Throws ProtocolError. */
export function chunkOf(value: unknown): Chunk {
  if (Array.isArray(value) && value.length === 2) {
    const [stream, bytes]: unknown[] = value;
    if ((stream === STDOUT || stream === STDERR) && bytes instanceof Uint8Array) {
      return [stream, bytes];
    }
  }
  throw new ProtocolError("Output of a program is malformed");
}
