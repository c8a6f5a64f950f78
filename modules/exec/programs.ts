/**
 * The programs that this daemon runs for users: starts them as the policy allows, ends them when
 * nobody wants them any more, and leaves none behind when the daemon stops.
 */

import * as v from "valibot";
import {
  CallError,
  type Context,
  errorText,
  FileError,
  type ModuleHost,
  NotFoundError,
  type Principal,
} from "../../core/mod.ts";
import { EXIT } from "../shared/exit_code.ts";
import { parseNodeset } from "../shared/nodeset.ts";
import { type Account, Accounts } from "../shared/account.ts";
import { Collected } from "./collected.ts";
import { plainInput, signedInput } from "../shared/signed_input.ts";
import { whyNotFound } from "./find_program.ts";
import { prepareLaunch } from "./launch.ts";
import {
  KILL_AFTER_MS_DEFAULT,
  KILL_AFTER_MS_SHUTDOWN,
  PROGRAMS_MAX,
  WORD_CHARACTERS_MAX,
} from "./limits.ts";
import { type RunEnd, type RunOrder, type SignalName, WindowSchema } from "./order.ts";
import { type Chunk, Program } from "./program.ts";
import { inTerminal, TerminalOutput } from "./terminal.ts";
import { type Place, variablesOf } from "./variables.ts";
import { Warden } from "./warden.ts";

type SignedPrincipal = Extract<Principal, { kind: "signed" }>;
/** On whose authority a program runs. */
export type Signed = Omit<SignedPrincipal, "identity"> & {
  readonly identity: Pick<SignedPrincipal["identity"], "keyId" | "name" | "signPublicKey">;
};
/** Of what a handler gets. */
export type RunContext = Pick<Context, "signal" | "bound" | "input"> & {
  readonly principal: Signed | Exclude<Principal, SignedPrincipal>;
};
type Host = Pick<ModuleHost, "env" | "log" | "stopping" | "verify"> & {
  readonly self: { readonly name: string };
};

/** Of one run. */
export interface RunOptions {
  /** It runs. */
  readonly onStart?: () => void;
  /** Programs of the same user that another process runs on this node. @default 0 */
  readonly elsewhere?: number;
}

/** From the order to the end. */
interface Run {
  readonly keyId: string;
  /** Resolves with nothing when it cannot be started. */
  readonly started: Promise<Program | undefined>;
  readonly resolve: (program: Program | undefined) => void;
  program: Program | undefined;
  /** Signals that came before there was a program to get them. */
  readonly early: SignalName[];
}

export class Programs {
  readonly #host: Host;
  readonly #accounts: Accounts;
  readonly #warden: Warden;
  /** By key id and run. */
  readonly #runs = new Map<string, Run>();

  constructor(host: Host) {
    this.#host = host;
    this.#accounts = new Accounts(host.env);
    this.#warden = new Warden(host.env.processes);
  }

  /** Output as it comes, unless it is collected; ends the program when it is left early. */
  async *run(
    order: RunOrder,
    context: RunContext,
    { onStart = () => {}, elsewhere = 0 }: RunOptions = {},
  ): AsyncGenerator<Chunk, RunEnd, void> {
    const principal = signedBy(context);
    const name = `${principal.identity.keyId} ${order.run}`;
    const run = this.#enter(name, principal, elsewhere);
    try {
      const program = await this.#start(order, principal);
      if (!(program instanceof Program)) return program;
      run.program = program;
      run.resolve(program);
      onStart();
      for (const signal of run.early) program.signal(signal);
      return yield* this.#attend(program, order, context);
    } finally {
      run.resolve(undefined);
      this.#runs.delete(name);
    }
  }

  /** False when that user has no such run here, or it is over. */
  signal(order: { run: string; signal: SignalName }, context: RunContext): boolean {
    return this.signalOf(signedBy(context).identity.keyId, order);
  }

  /** The same for the user of that key. */
  signalOf(keyId: string, order: { run: string; signal: SignalName }): boolean {
    const run = this.#runs.get(`${keyId} ${order.run}`);
    if (run === undefined) return false;
    if (run.program !== undefined) return run.program.signal(order.signal);
    run.early.push(order.signal);
    return true;
  }

  /** How many run for the user of that key. */
  countOf(keyId: string): number {
    return [...this.#runs.values()].filter((run) => run.keyId === keyId).length;
  }

  /** Resolves when nothing runs any more. */
  async stop(): Promise<void> {
    await Promise.all([...this.#runs.values()].map(async ({ started }) => {
      const program = await started;
      program?.stop("SIGTERM", KILL_AFTER_MS_SHUTDOWN);
      await program?.status;
      // Whoever reads its output may have stopped reading.
      await program?.end();
    }));
    await this.#warden.stop();
  }

  /** At once, so that who asks for many at the same time is counted right. */
  #enter(name: string, { identity, rule, maxProcesses }: Signed, elsewhere: number): Run {
    const { keyId } = identity;
    if (this.#runs.has(name)) throw new CallError("invalid", "There is a run of that name");
    if (this.#runs.size >= PROGRAMS_MAX) {
      throw new CallError("busy", `${PROGRAMS_MAX} programs run here already`);
    }
    if (maxProcesses !== undefined && this.countOf(keyId) + elsewhere >= maxProcesses) {
      const text = `Rule ${rule} lets user "${identity.name}" run ${maxProcesses} at once here`;
      throw new CallError("refused", text);
    }
    const { promise: started, resolve } = Promise.withResolvers<Program | undefined>();
    const run: Run = { keyId, started, resolve, program: undefined, early: [] };
    this.#runs.set(name, run);
    return run;
  }

  async #start(order: RunOrder, principal: Signed): Promise<Program | RunEnd> {
    checkOrder(order, principal);
    const account = await this.#accounts.find(principal.as);
    const { folder } = order;
    if (folder !== undefined) {
      const where = folder.startsWith("/") ? folder : `${account.home}/${folder}`;
      return await this.#startIn(where, order, account);
    }
    const { files } = this.#host.env;
    // Many system users have none.
    const hasHome = await files.facts(account.home) !== undefined;
    return await this.#startIn(hasHome ? account.home : "/", order, account);
  }

  async #startIn(folder: string, order: RunOrder, account: Account): Promise<Program | RunEnd> {
    const { env } = this.#host;
    const { umask, stdin, terminal: size, variables: asked } = order;
    const place = this.#placeOf(order);
    const variables = variablesOf(env.processes, { account, place, asked });
    const inside = size === undefined ? undefined : inTerminal(order.argv, { size, variables });
    const launch = prepareLaunch(env.processes, {
      argv: inside?.argv ?? order.argv,
      account,
      variables: inside?.variables ?? variables,
      folder,
      isHome: order.folder === undefined,
      umask,
      stdin: stdin === undefined ? "null" : "piped",
    });
    const [named = ""] = order.argv;
    const [program = ""] = inside?.argv ?? order.argv;
    if (!launch.isHidden) {
      const path = variables.PATH ?? "";
      const why = await whyNotFound(env.files, program, { path, folder });
      if (why !== undefined) return why;
      // A shell enters it, which says the same, but on the program's stderr.
      if (order.folder !== undefined && await env.files.facts(`${folder}/.`) === undefined) {
        const error = `Could not start "${named}": there is no folder "${folder}"`;
        return { code: EXIT.cannotRun, error };
      }
    }
    await this.#warden.prepare();
    try {
      return await this.#watched(await Program.start(env, launch));
    } catch (error) {
      if (!(error instanceof NotFoundError || error instanceof FileError)) throw error;
      if (error instanceof FileError && error.reason === "too-long") {
        return { code: EXIT.cannotRun, error: tooLong(order) };
      }
      // No such folder, for example.
      const text = errorText(error).replace(`"${launch.program}"`, `"${named}"`);
      return { code: EXIT.cannotRun, error: text };
    }
  }

  /** From here on it ends with us, whatever happens to us. */
  async #watched(program: Program): Promise<Program> {
    try {
      await this.#warden.watch(program.pid);
      return program;
    } catch (error) {
      await program.end();
      throw error;
    }
  }

  async *#attend(
    program: Program,
    order: RunOrder,
    context: RunContext,
  ): AsyncGenerator<Chunk, RunEnd, void> {
    const { env, stopping } = this.#host;
    const { timeoutMs, collectBytes, killAfterMs = KILL_AFTER_MS_DEFAULT } = order;
    let timedOut = false;
    let broken: { readonly error: unknown } | undefined;
    using cleanUp = new DisposableStack();
    whenAborted(cleanUp, context.signal, () => program.stop("SIGTERM", killAfterMs));
    whenAborted(cleanUp, stopping, () => program.stop("SIGTERM", KILL_AFTER_MS_SHUTDOWN));
    if (timeoutMs !== undefined) {
      const timer = env.clock.after(timeoutMs, () => {
        timedOut = true;
        program.stop("SIGTERM", killAfterMs);
      });
      cleanUp.defer(() => timer.cancel());
    }
    const terminal = order.terminal === undefined ? undefined : new TerminalOutput(env.processes);
    const input = this.#inputOf(order, context, terminal);
    if (input !== undefined) {
      // Whatever becomes of it, the program's end is waited for below.
      const ready = terminal?.ready ?? Promise.resolve();
      void ready.then(() => program.feed(input)).catch((error) => {
        if (context.signal.aborted) return;
        broken = { error };
        program.stop("SIGKILL", 0);
      });
    }
    const collected = collectBytes === undefined ? undefined : new Collected(collectBytes);
    try {
      for await (const whole of program.output) {
        const chunk = terminal === undefined ? whole : terminal.take(whole);
        if (chunk === undefined) continue;
        if (collected === undefined) yield chunk;
        else collected.add(chunk);
      }
      const { code, signal } = await program.status;
      if (broken !== undefined) throw broken.error;
      return {
        code,
        ...(signal === undefined ? {} : { signal }),
        ...(timedOut ? { timedOut } : {}),
        ...collected?.result(),
      };
    } finally {
      terminal?.end();
      await program.end();
      await this.#warden.forget(program.pid);
    }
  }

  #inputOf(
    order: RunOrder,
    context: RunContext,
    terminal: TerminalOutput | undefined,
  ): AsyncIterable<Uint8Array> | undefined {
    if (order.stdin === undefined) return undefined;
    if (order.stdin === "bound") {
      if (terminal === undefined) return plainInput(context);
      return plainInput(context, (item) => {
        const parsed = v.safeParse(WindowSchema, item);
        if (!parsed.success) throw new CallError("invalid", "Input of a terminal is malformed");
        terminal.resize(parsed.output).catch((error) => {
          this.#host.log("warning", `Window of a terminal is not changed: ${errorText(error)}`);
        });
      });
    }
    const { identity } = signedBy(context);
    return signedInput(context.input, {
      run: order.run,
      verify: (domain, signed) =>
        this.#host.verify(domain, { ...signed, publicKey: identity.signPublicKey }),
    });
  }

  #placeOf({ nodeset }: RunOrder): Place {
    const node = this.#host.self.name;
    if (nodeset === undefined) return { node, rank: 0, size: 1, nodeset: node };
    const names = parseNodeset(nodeset);
    const rank = names.indexOf(node);
    if (rank >= 0) return { node, rank, size: names.length, nodeset };
    throw new CallError("invalid", `"${node}" is none of the nodes that run it`);
  }
}

/** The verb is guarded, so no other principal gets here. */
export function signedBy({ principal }: Pick<RunContext, "principal">): Signed {
  if (principal.kind === "signed") return principal;
  throw new CallError("refused", "Programs run on the word of a user only");
}

function checkOrder(order: RunOrder, { as, rule, commandsOnly }: Signed): void {
  if (as === "") {
    throw new CallError("refused", `Rule ${rule} does not say as which unix user to run programs`);
  }
  // So judges the policy too; that of the daemon of a holder may be older than the holder.
  if (!commandsOnly || (order.variables.length === 0 && order.folder === undefined)) return;
  const text = `Rule ${rule} allows certain commands only, with no variables or folder of your own`;
  throw new CallError("refused", text);
}

function tooLong({ argv: [program], terminal }: RunOrder): string {
  const limit = `the kernel takes ${WORD_CHARACTERS_MAX} bytes`;
  return terminal === undefined
    ? `Could not start "${program}": ${limit} in one argument or variable, and 2 MiB in all`
    : `Could not start "${program}" on a terminal: ${limit} in all its arguments there`;
}

function whenAborted(stack: DisposableStack, signal: AbortSignal, run: () => void): void {
  if (signal.aborted) return run();
  signal.addEventListener("abort", run);
  stack.defer(() => signal.removeEventListener("abort", run));
}
