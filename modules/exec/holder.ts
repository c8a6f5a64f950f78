/**
 * The process that holds the background jobs of one node. It is started with the first job, is no child
 * of the daemon's session, and goes on when the daemon is restarted, upgraded or killed: the next one finds
 * it by its socket. It ends itself when nothing runs and no result is kept any more; when it is killed
 * without a goodbye, its warden kills what ran, and the next holder tells the jobs as lost.
 *
 *   state folder:  jobs   the socket, 0600 (or jobs.path says where it lies)
 *                  jobs.pid, jobs.json   there as long as a holder is, or should be
 */

import * as v from "valibot";
import {
  CallError,
  Calls,
  type Conduit,
  type ConduitListener,
  type Environment,
  errorText,
  type Log,
  UnixFront,
  VERSION,
} from "../../core/mod.ts";
import { makePrivateFolder } from "../shared/private_folder.ts";
import { writePidFile } from "../shared/pid_file.ts";
import { placeSocket, socketPointer } from "../shared/state_folder.ts";
import {
  HeldJobSchema,
  HeldKillSchema,
  HeldLogsSchema,
  HeldOrderSchema,
  HOLDER_PROTOCOL,
  HOLDER_SOCKET,
  holderPaths,
  RangeSchema,
  WhoseSchema,
} from "./holder_protocol.ts";
import { JobRecords } from "./job_records.ts";
import { Jobs } from "./jobs.ts";
import { HOLDER_CHECK_MS } from "./limits.ts";
import { Programs } from "./programs.ts";

export interface HolderOptions {
  /** The node's state folder. */
  readonly folder: string;
  /** Its name. */
  readonly node: string;
}

type Serve = (args: unknown, context: { readonly signal: AbortSignal }) => unknown;

interface Asked {
  readonly verb: string;
  readonly body: unknown;
  readonly signal: AbortSignal;
}

export class Holder {
  /** Resolves when it has ended. */
  readonly ended: Promise<void>;
  readonly #env: Environment;
  readonly #folder: string;
  readonly #stopping = new AbortController();
  readonly #programs: Programs;
  readonly #records: JobRecords;
  readonly #jobs: Jobs;
  readonly #verbs: ReadonlyMap<string, Serve>;
  readonly #daemons = new Set<Calls>();
  readonly #resolveEnded: () => void;
  #listener: ConduitListener | undefined;
  #isEnding = false;

  /** Resolves when a daemon can reach it. Rejects when there is one already. */
  static async start(env: Environment, options: HolderOptions): Promise<Holder> {
    const holder = new Holder(env, options);
    await holder.#start();
    return holder;
  }

  private constructor(env: Environment, { folder, node }: HolderOptions) {
    this.#env = env;
    this.#folder = folder;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.ended = promise;
    this.#resolveEnded = resolve;
    const log: Log = (level, text) => this.#tell(level, text);
    this.#programs = new Programs({
      env,
      log,
      self: { name: node },
      stopping: this.#stopping.signal,
      // Jobs read nothing, so nobody signs what they read.
      verify: () => false,
    });
    this.#records = new JobRecords(env, { path: holderPaths(folder).records, log });
    this.#jobs = new Jobs({ env, log, programs: this.#programs, records: this.#records });
    this.#verbs = this.#table();
  }

  /** Ends the jobs and itself, as at the end of the machine: how they ended stays on record. */
  async stop(): Promise<void> {
    await this.#endJobs();
    await this.#end();
  }

  async #start(): Promise<void> {
    const { clock, network, files } = this.#env;
    await makePrivateFolder(this.#env, this.#folder);
    const { socket } = await placeSocket(this.#env, this.#folder, HOLDER_SOCKET);
    const front = new UnixFront({ clock, network, log: () => {} });
    const { promise: ready, resolve, reject } = Promise.withResolvers<void>();
    ready.catch(() => {
      // It is thrown below.
    });
    // The socket is the claim: all else in the folder belongs to who has it.
    this.#listener = await front.listen(
      `unix:${socket}`,
      (conduit) => this.#accept(conduit, ready),
    );
    try {
      await this.#jobs.restore();
      await writePidFile(this.#env, holderPaths(this.#folder).pid);
      resolve();
      this.#check();
    } catch (error) {
      reject(error);
      await this.#listener.close();
      await files.remove(holderPaths(this.#folder).pid);
      throw error;
    }
  }

  #accept(conduit: Conduit, ready: Promise<void>): void {
    const calls: Calls = new Calls({
      conduit,
      clock: this.#env.clock,
      dialled: false,
      serve: async (incoming) => {
        await ready;
        return this.#serve(incoming, calls);
      },
      onBug: (error, verb) => this.#tell("error", `"${verb}" failed: ${errorText(error)}`),
    });
    this.#daemons.add(calls);
    void calls.done.then(() => this.#daemons.delete(calls));
  }

  #serve({ verb, body, signal }: Asked, calls: Calls): unknown {
    if (this.#isEnding) throw new CallError("unreachable", "The holder of the jobs is ending");
    if (verb === "holder.end") return this.#endForGood(calls);
    const serve = this.#verbs.get(verb);
    if (serve === undefined) throw new CallError("unknown-verb", `A holder has no "${verb}"`);
    return serve(body, { signal });
  }

  #table(): ReadonlyMap<string, Serve> {
    const jobs = this.#jobs;
    return new Map<string, Serve>([
      ["holder.hello", (args) => {
        parse(RangeSchema, args);
        return { ...HOLDER_PROTOCOL, version: VERSION };
      }],
      ["holder.start", (args) => {
        const { order, elsewhere, keyId, user, requestId, as, rule, maxProcesses, commandsOnly } =
          parse(HeldOrderSchema, args);
        return jobs.start(order, {
          kind: "signed",
          identity: { keyId, name: user, signPublicKey: new Uint8Array(0) },
          requestId,
          as,
          rule,
          maxProcesses,
          commandsOnly,
        }, { elsewhere });
      }],
      ["holder.jobs", (args) => jobs.list(parse(WhoseSchema, args).keyId)],
      ["holder.logs", (args, context) => jobs.logs(parse(HeldLogsSchema, args), context)],
      ["holder.wait", (args, context) => jobs.wait(parse(HeldJobSchema, args), context)],
      ["holder.kill", (args) => jobs.signal(parse(HeldKillSchema, args))],
      ["holder.count", (args) => this.#programs.countOf(parse(WhoseSchema, args).keyId)],
    ]);
  }

  /** Until there is nothing here for which anybody could ask. */
  #check(): void {
    this.#env.clock.after(HOLDER_CHECK_MS, () => {
      if (this.#isEnding) return;
      if (!this.#jobs.isEmpty) return this.#check();
      // From here on everybody is refused: who wants a job starts the next holder.
      this.#isEnding = true;
      void this.#endEmpty();
    });
  }

  async #endEmpty(): Promise<void> {
    try {
      await this.#records.remove();
    } catch (error) {
      this.#tell("warning", `The record of jobs stays, with none in it: ${errorText(error)}`);
    }
    await this.#end();
  }

  async #endForGood(calls: Calls): Promise<Record<string, never>> {
    await this.#endJobs();
    await this.#records.remove();
    // Whoever asked for it gets its answer first.
    void calls.idle().then(() => this.#end());
    return {};
  }

  async #endJobs(): Promise<void> {
    this.#isEnding = true;
    this.#stopping.abort(new Error("The jobs of this node end"));
    await this.#programs.stop();
    await this.#jobs.settled();
  }

  async #end(): Promise<void> {
    this.#isEnding = true;
    await this.#programs.stop();
    const { files } = this.#env;
    for (
      const path of [holderPaths(this.#folder).pid, socketPointer(this.#folder, HOLDER_SOCKET)]
    ) {
      await files.remove(path);
    }
    await this.#listener?.close();
    await Promise.all([...this.#daemons].map((calls) => calls.close("The holder ends")));
    this.#resolveEnded();
  }

  /** The daemon has a log, we have none. */
  #tell(level: Parameters<Log>[0], text: string): void {
    for (const calls of this.#daemons) {
      calls.tell("holder.log", { level, text }).catch(() => {
        // It has gone meanwhile.
      });
    }
  }
}

function parse<S extends v.GenericSchema>(schema: S, args: unknown): v.InferOutput<S> {
  const parsed = v.safeParse(schema, args, { abortEarly: true });
  if (parsed.success) return parsed.output;
  const text = `The holder of the jobs, of version ${VERSION}, does not understand the order: ` +
    parsed.issues[0].message;
  throw new CallError("invalid", text);
}
