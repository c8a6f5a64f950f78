/**
 * A daemon's way to the holder of its node's jobs: finds the one that is there, whoever started it, and
 * starts one when it is needed. One connection, made again when it is gone.
 */

import * as v from "valibot";
import {
  CallError,
  Calls,
  ConnectionError,
  type Environment,
  errorText,
  type Log,
  NotFoundError,
  UnixFront,
  VERSION,
  withTimeLimit,
} from "../../core/mod.ts";
import { isLiving, livingProcess } from "../shared/pid_file.ts";
import { findPlacedSocket } from "../shared/state_folder.ts";
import type { HolderOptions } from "./holder.ts";
import {
  commonVersion,
  HelloSchema,
  HOLDER_PROTOCOL,
  HOLDER_SOCKET,
  holderPaths,
} from "./holder_protocol.ts";
import { HOLDER_ANSWER_MS_MAX, HOLDER_GONE_CHECK_MS, HOLDER_START_MS_MAX } from "./limits.ts";

/** What the holder prints when a daemon can reach it. */
export const HOLDER_READY = "ready";

const SETSID = "/usr/bin/setsid";

/** Variables by which a service manager speaks to the daemon alone. */
const OF_THE_DAEMON =
  /^(NOTIFY_SOCKET|WATCHDOG_(PID|USEC)|LISTEN_.*|INVOCATION_ID|JOURNAL_STREAM)$/;

type Needs = Pick<Environment, "clock" | "files" | "network" | "processes">;

export class HolderClient {
  readonly #env: Needs;
  readonly #log: Log;
  readonly #options: HolderOptions;
  #calls: Calls | undefined;
  #opening: Promise<unknown> = Promise.resolve();

  constructor(parts: { readonly env: Needs; readonly log: Log }, options: HolderOptions) {
    this.#env = parts.env;
    this.#log = parts.log;
    this.#options = options;
  }

  /**
   * Undefined when there are no jobs, unless `start` asks for a holder all the same. Rejects when there is
   * one that cannot be reached, or speaks another version.
   */
  open({ start }: { readonly start: boolean }): Promise<Calls | undefined> {
    // One after the other: two that ask at once must not start two.
    const opening = this.#opening.then(() => this.#open(start));
    this.#opening = opening.catch(() => {
      // Told to who asked.
    });
    return opening;
  }

  /** The holder goes on without us. Idempotent. */
  async close(): Promise<void> {
    await this.#opening;
    await this.#calls?.close("The daemon stops");
  }

  /** Ends the holder with its jobs. Resolves when its process is gone. */
  async end(): Promise<void> {
    const { clock, files } = this.#env;
    const paths = holderPaths(this.#options.folder);
    const process = await livingProcess(this.#env, paths.pid);
    const calls = process === undefined ? undefined : await this.open({ start: false });
    if (process === undefined || calls === undefined) {
      for (const path of [paths.records, paths.pid]) await files.remove(path);
      return;
    }
    await calls.request("holder.end", {}, { deadlineMs: HOLDER_ANSWER_MS_MAX });
    while (await isLiving(this.#env, process)) await clock.sleep(HOLDER_GONE_CHECK_MS);
    await calls.close("The daemon stops");
  }

  async #open(start: boolean): Promise<Calls | undefined> {
    if (this.#calls !== undefined) return this.#calls;
    const { records } = holderPaths(this.#options.folder);
    // It is there before any job, and as long as one is remembered.
    if (!start && await this.#env.files.facts(records) === undefined) return undefined;
    const calls = await this.#dial() ?? await this.#launch();
    this.#calls = calls;
    void calls.done.then(() => this.#calls = undefined);
    return calls;
  }

  /** Undefined when nobody is there. */
  async #dial(): Promise<Calls | undefined> {
    const { clock, network } = this.#env;
    const socket = await findPlacedSocket(this.#env, this.#options.folder, HOLDER_SOCKET);
    const front = new UnixFront({ clock, network, log: () => {} });
    let calls: Calls | undefined;
    try {
      const conduit = await front.dial(`unix:${socket}`);
      calls = new Calls({ conduit, clock, dialled: true, serve: (asked) => this.#serve(asked) });
      await greet(calls);
      return calls;
    } catch (error) {
      // One that ends keeps its place until it closes the connection; the next one could not start before.
      if (calls !== undefined && isGoing(error)) await this.#untilGone(calls);
      void calls?.close("No hello");
      if (isNobody(error)) return undefined;
      throw error;
    }
  }

  async #untilGone({ done }: Calls): Promise<void> {
    const late = () =>
      new CallError("failed", "The process that holds background jobs takes too long to end");
    await withTimeLimit(() => done, {
      clock: this.#env.clock,
      ms: HOLDER_ANSWER_MS_MAX,
      late,
    });
  }

  async #launch(): Promise<Calls> {
    const said = await this.#start();
    const calls = await this.#dial();
    if (calls !== undefined) return calls;
    const text = `The process that holds background jobs did not start: ${said}`;
    throw new CallError("failed", text);
  }

  /** Starts one that outlives us and is no child of ours, and gives what it says. */
  async #start(): Promise<string> {
    const { clock, processes } = this.#env;
    const { folder, node } = this.#options;
    const variables = Object.entries(processes.variables());
    const child = await processes.spawn(SETSID, {
      args: ["--fork", ...processes.self, "__holder", folder, node],
      stdout: "piped",
      clearEnvironment: true,
      environment: Object.fromEntries(variables.filter(([name]) => !OF_THE_DAEMON.test(name))),
      folder: "/",
    });
    const late = () =>
      new CallError("failed", "The process that holds jobs takes too long to start");
    return await withTimeLimit(async (over) => {
      const reader = (child.stdout as ReadableStream<Uint8Array>).getReader();
      over.addEventListener("abort", () => void reader.cancel());
      const { value } = await reader.read();
      await reader.cancel();
      over.throwIfAborted();
      await child.status;
      return value === undefined ? "it ended at once" : new TextDecoder().decode(value).trim();
    }, { clock, ms: HOLDER_START_MS_MAX, late });
  }

  #serve({ verb, body }: { readonly verb: string; readonly body: unknown }): void {
    const parsed = v.safeParse(LogSchema, body);
    if (verb === "holder.log" && parsed.success) {
      this.#log(parsed.output.level, `Holder of jobs: ${parsed.output.text}`);
    }
  }
}

const LogSchema = v.object({
  level: v.picklist(["debug", "info", "warning", "error"]),
  text: v.string(),
});

/** Rejects with CallError "failed" when we have no version in common. */
async function greet(calls: Calls): Promise<void> {
  const reply = await calls.request("holder.hello", HOLDER_PROTOCOL, {
    deadlineMs: HOLDER_ANSWER_MS_MAX,
  });
  const parsed = v.safeParse(HelloSchema, reply);
  if (parsed.success && commonVersion(HOLDER_PROTOCOL, parsed.output) !== undefined) return;
  const theirs = parsed.success ? parsed.output.version : "unknown";
  const text =
    `The jobs of this node are held by a process of version ${theirs}, with which this ` +
    `daemon of version ${VERSION} has no protocol in common: it ends a day after the last of them`;
  throw new CallError("failed", text);
}

/** Never there, gone without removing its socket, or going at this very moment. */
function isNobody(error: unknown): boolean {
  if (error instanceof NotFoundError) return true;
  if (error instanceof ConnectionError) {
    return ["refused", "reset", "closed"].includes(error.reason);
  }
  return isGoing(error);
}

/** Gone, or it says that it ends. */
function isGoing(error: unknown): boolean {
  return error instanceof CallError && error.class === "unreachable";
}

/** For people who look at a log. */
export function holderFailure(error: unknown): string {
  return `Jobs could not be ended: ${errorText(error)}`;
}
