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
import type { GroupResult, NodeFailure, StreamedItem } from "../shared/group_result.ts";
import { GROUP_MS_MAX, GROUP_NODE_BYTES_MAX } from "../shared/limits.ts";
import { foldNodeset } from "../shared/nodeset.ts";
import { inWindow } from "../shared/window.ts";
import {
  BUSY_RETRY_MS,
  END_MS,
  KILL_AFTER_MS_DEFAULT,
  LANES_MAX,
  SIGNAL_MS_MAX,
} from "./limits.ts";
import type { RunOrderInput, SignalName } from "./order.ts";
import { Outcome } from "./outcome.ts";
import { type Chunk, STDERR, STDOUT } from "./program.ts";
import type { OutputSink } from "./sink.ts";
import { signedPieces } from "./stdin.ts";

export interface ExecutionOptions {
  readonly client: MeshClient;
  readonly env: Environment;
  readonly nodes: readonly string[];
  /** Those that were meant as well, and are not there. @default none */
  readonly missing?: readonly NodeFailure[];
  readonly order: Omit<RunOrderInput, "run" | "nodeset" | "stdin">;
  /** The unix user; see SignOptions.as. */
  readonly as: string;
  /** How long nodes may take to start it. */
  readonly connectMs: number;
  /** Nodes at once. */
  readonly fanout: number;
  /** What all programs read. @default nothing */
  readonly stdin?: AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
  /** Where output goes as it comes; undefined: it is collected. */
  readonly sink: OutputSink | undefined;
  /** Told now and then how many nodes are done. @default nobody asks */
  readonly onProgress?: (done: number) => void;
}

export class Execution {
  readonly outcome: Outcome;
  readonly #options: ExecutionOptions;
  readonly #run: string;
  readonly #cancelled = new AbortController();
  #stopped = false;

  constructor(options: ExecutionOptions) {
    this.#options = options;
    this.outcome = new Outcome(options.missing);
    this.#run = toHex(options.env.random.bytes(16));
  }

  /** Resolves when all nodes are accounted for. Rejects when the order as a whole was not taken. */
  async finish(): Promise<Outcome> {
    const { nodes, fanout } = this.#options;
    const lanes = Math.max(1, Math.min(fanout, LANES_MAX));
    const perLane = fanout >= nodes.length ? nodes.length : Math.floor(fanout / lanes);
    const chunks = Array.from(
      { length: Math.ceil(nodes.length / perLane) },
      (_, i) => nodes.slice(i * perLane, (i + 1) * perLane),
    );
    await inWindow(chunks, lanes, (chunk) => this.#runOn(chunk));
    return this.outcome;
  }

  /** Sends it to all programs that run, and starts no more. */
  async signal(signal: SignalName): Promise<void> {
    this.#stopped = true;
    const { client, nodes, order: { argv }, as } = this.#options;
    const targets = nodes.filter((name) =>
      !this.outcome.ends.has(name) && !this.outcome.failures.has(name)
    );
    if (targets.length === 0) return;
    const args = { run: this.#run, signal, argv };
    const signed = await client.sign("exec.signal", args, { targets, as });
    await callGroup(client, {
      targets: foldNodeset(targets),
      signed,
      deadlineMs: SIGNAL_MS_MAX,
    });
  }

  /** Gives it up: nodes end what still runs. */
  cancel(reason: string): void {
    this.#stopped = true;
    this.#cancelled.abort(new CallError("cancelled", reason));
  }

  async #runOn(nodes: readonly string[]): Promise<void> {
    if (this.#stopped) {
      for (const name of nodes) this.outcome.fail(name, "Interrupted before it was started");
      return;
    }
    const { client, env, as, connectMs, order, stdin, sink, onProgress } = this.#options;
    const signed = await client.sign("exec.run", {
      ...order,
      run: this.#run,
      nodeset: foldNodeset(this.#options.nodes),
      ...(stdin === undefined ? {} : { stdin: "signed" }),
    }, { targets: nodes, as, ttlMs: connectMs });
    const { timeoutMs, killAfterMs = KILL_AFTER_MS_DEFAULT } = order;
    // The same order again and again: no node runs it twice.
    const call = () =>
      callGroup(client, {
        targets: foldNodeset(nodes),
        signed,
        startBy: env.clock.now() + connectMs,
        deadlineMs: timeoutMs === undefined
          ? GROUP_MS_MAX
          : Math.min(GROUP_MS_MAX, connectMs + timeoutMs + killAfterMs + END_MS),
        bytesPerNodeMax: GROUP_NODE_BYTES_MAX,
        signal: this.#cancelled.signal,
        ...(sink === undefined ? {} : { onItems: (items) => this.#take(sink, items) }),
        ...(stdin === undefined ? {} : {
          input: signedPieces(stdin, { run: this.#run, sign: client.signBytes.bind(client) }),
        }),
        ...(onProgress === undefined && sink === undefined ? {} : {
          onPart: (soFar) => this.#note(soFar),
        }),
      });
    const patientUntil = env.clock.monotonic() + connectMs;
    for (;;) {
      try {
        return this.#note(await call());
      } catch (error) {
        const isBusy = error instanceof CallError && error.class === "busy";
        // Input that was read is not there a second time.
        if (isBusy && stdin === undefined && env.clock.monotonic() < patientUntil) {
          await env.clock.sleep(BUSY_RETRY_MS);
          continue;
        }
        this.#stopped = true;
        return this.outcome.lose(nodes, { via: client.via.name, error });
      }
    }
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
