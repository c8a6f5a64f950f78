/**
 * The one dispatcher: a table verb -> handler, and the only path to any handler. Authority is
 * checked first, then the arguments' schema, then the handler runs. It knows no module by name.
 */

import { getDotPath, safeParse } from "valibot";
import type { Peer } from "../conduit/conduit.ts";
import { CallError, MinimeError } from "../errors.ts";
import { COMPLAINT_CHARACTERS_MAX } from "../limits.ts";
import { toCallError } from "./call_error.ts";
import type { AllowedStep, Guard, GuardedRun } from "./guard.ts";
import { Handoff } from "./handoff.ts";
import type { Incoming } from "./incoming.ts";
import type { ActionClass, Context, Principal, Verb } from "./module.ts";
import type { Step, StepResult } from "./step.ts";

export interface DispatcherCounts {
  served: number;
  refused: number;
  failed: number;
}

export class Dispatcher {
  readonly counts: DispatcherCounts = { served: 0, refused: 0, failed: 0 };
  readonly #table = new Map<string, Verb>();
  readonly #guard: Guard;
  #closed: string | undefined;

  constructor(guard: Guard) {
    this.#guard = guard;
  }

  /** Throws when the verb exists: a verb is declared by exactly one module. */
  add(module: string, verbs: Readonly<Record<string, Verb>>): void {
    for (const [name, verb] of Object.entries(verbs)) {
      const full = `${module}.${name}`;
      if (this.#table.has(full)) throw new Error(`Verb "${full}" is declared twice`);
      this.#table.set(full, verb);
    }
  }

  /**
   * From now on every request is refused, for example because the daemon stops; but those of verbs
   * that carry the last goodbyes.
   */
  close(why: string): void {
    this.#closed = why;
  }

  /** Every verb and its action class, for `hello` and for the rule tests. */
  actions(): readonly (readonly [verb: string, action: ActionClass])[] {
    return [...this.#table].map(([name, { action }]) => [name, action] as const);
  }

  /** Executes one request that came over a conduit. */
  serve(incoming: Incoming): unknown {
    const verb = this.#find(incoming.verb);
    if (verb.action === "guarded") {
      if (!incoming.signed || !(incoming.body instanceof Uint8Array)) {
        throw this.#refuse(`"${incoming.verb}" needs a request signed by a user`);
      }
      return this.#serveSigned(incoming.body, incoming);
    }
    if (incoming.signed) throw this.#refuse(`"${incoming.verb}" takes no signed request`);
    incoming.principal = principalOf(incoming.peer);
    if (!mayExecute(verb.action, incoming.peer)) {
      throw this.#refuse(
        `"${incoming.verb}" is of class ${verb.action}; ${describe(incoming.peer)} may not`,
      );
    }
    return this.#invoke(verb, incoming.verb, incoming.body, incoming);
  }

  /**
   * Executes steps that a module brings (group operations): verbs of class read without a
   * signature, guarded ones by the signed request alone. Stops at the first failure.
   */
  async execute(
    steps: readonly Step[] | Uint8Array,
    context: Context,
    listedNames?: readonly string[],
    handoff?: Handoff,
  ): Promise<StepResult[]> {
    if (steps instanceof Uint8Array) {
      const listed = listedNames === undefined ? {} : { listedNames };
      return await this.#runSigned(steps, context, listed, handoff);
    }
    const run = (step: Step) => {
      const verb = this.#find(step.verb);
      if (verb.action !== "read") {
        throw this.#refuse(`"${step.verb}" needs a request signed by a user`);
      }
      return this.#invoke(verb, step.verb, step.args, context);
    };
    return await this.#runSteps(steps, context, run, (item) => handoff?.put(item));
  }

  /** As execute, and yields what the steps stream. */
  executeStreaming(
    ...[steps, context, listedNames]: Parameters<Dispatcher["execute"]>
  ): AsyncGenerator<unknown, StepResult[], void> {
    const handoff = new Handoff();
    return streamed(handoff, this.execute(steps, context, listedNames, handoff));
  }

  /**
   * A signed request that came by itself. What its verb streams goes to whoever sent it, if the user
   * has bound the request to this very session, or the conduit is the owner's own.
   */
  #serveSigned(bytes: Uint8Array, incoming: Incoming): unknown {
    const { peer, verb, isEvent } = incoming;
    const mayStream = (peer.kind === "user" || peer.kind === "local") && !isEvent;
    const session = peer.kind === "user" ? { session: peer.session } : {};
    const handoff = mayStream ? new Handoff() : undefined;
    const results = this.#runSigned(bytes, incoming, { verb, ...session }, handoff);
    const value = results.then(onlyValue);
    return handoff === undefined ? value : streamed(handoff, value);
  }

  /** What a copy gets must not depend on the way by which it or the first one came. */
  async #runSigned(
    bytes: Uint8Array,
    context: Context,
    guarded: Omit<GuardedRun, "run" | "forNodes" | "outcomeOf">,
    handoff?: Handoff,
  ): Promise<StepResult[]> {
    const run: GuardedRun["run"] = (steps, how) => {
      const { kind } = context.peer;
      const bound = how.bound || kind === "local";
      // A module that carries a group operation passes items on, as it does with answers.
      const onItem = bound || kind === "internal"
        ? (item: unknown) => handoff?.put(item)
        : undefined;
      const run = (step: AllowedStep) => this.#runGuarded(step, context, bound);
      return this.#runSteps(steps, context, run, onItem);
    };
    const outcomeOf = ({ verb }: Step, result: StepResult) => {
      const outcome = this.#table.get(verb)?.outcome;
      if (result.ok) return outcome?.(result.value);
      // What the policy allowed and the verb then refused, by a limit of the rule, is refused all the same.
      const isTold = outcome !== undefined || result.class === "refused";
      return isTold ? `${result.class}: ${result.message}` : undefined;
    };
    try {
      const forNodes = (verb: string) => this.#table.get(verb)?.forNodes === true;
      return await this.#guard.run(bytes, { ...guarded, forNodes, run, outcomeOf });
    } catch (error) {
      if (error instanceof CallError && error.class === "refused") this.counts.refused++;
      throw error;
    }
  }

  /** Judged and remembered already. Verbs of class read may come along in a signed request. */
  #runGuarded(step: AllowedStep, context: Context, bound: boolean): unknown {
    const verb = this.#find(step.verb);
    if (verb.action !== "guarded" && verb.action !== "read") {
      throw this.#refuse(`"${step.verb}" of class ${verb.action} takes no signed request`);
    }
    const { principal } = step;
    const takesInput = bound || (verb.checksInput === true && context.peer.kind === "internal");
    const own = onAuthority(context, { principal, bound, takesInput });
    return this.#invoke(verb, step.verb, step.args, own);
  }

  async #runSteps<S extends Step>(
    steps: readonly S[],
    context: Context,
    run: (step: S) => unknown,
    onItem?: OnItem,
  ): Promise<StepResult[]> {
    const results: StepResult[] = [];
    for (const step of steps) {
      try {
        results.push({ ok: true, value: await drain(run(step), context, onItem) });
      } catch (error) {
        // A bug is told to whoever watches for bugs.
        if (!(error instanceof MinimeError)) throw error;
        const { class: errorClass, message, detail } = toCallError(error);
        results.push({
          ok: false,
          class: errorClass,
          message,
          ...(detail === undefined ? {} : { detail }),
        });
        break;
      }
    }
    return results;
  }

  #find(name: string): Verb {
    const verb = this.#table.get(name);
    if (this.#closed !== undefined && verb?.untilStopped !== true) {
      throw new CallError("unreachable", this.#closed);
    }
    if (verb === undefined) {
      this.counts.refused++;
      throw new CallError("unknown-verb", `Nothing here executes "${name}"`);
    }
    return verb;
  }

  #invoke(verb: Verb, name: string, args: unknown, context: Context): unknown {
    // One complaint is enough, and a list of millions of nothing would have as many.
    const parsed = safeParse(verb.args, args, { abortEarly: true });
    if (!parsed.success) {
      this.counts.failed++;
      const issue = parsed.issues[0];
      const path = getDotPath(issue);
      const where = path === null ? "" : ` at "${path}"`;
      // It quotes what was sent, which may be megabytes.
      const text = issue.expected === "never" ? "Unknown key" : issue.message;
      const complaint = `${where}: ${text}`.slice(0, COMPLAINT_CHARACTERS_MAX);
      throw new CallError("invalid", `Arguments of "${name}" are wrong${complaint}`);
    }
    this.counts.served++;
    return verb.handle(parsed.output, context);
  }

  #refuse(text: string): CallError {
    this.counts.refused++;
    return new CallError("refused", text);
  }
}

/** Whether somebody on such a conduit may execute verbs of that class without a signature (R1). */
function mayExecute(action: ActionClass, peer: Peer): boolean {
  switch (action) {
    case "internal":
      return peer.kind === "internal";
    case "link":
      return peer.kind === "internal" || peer.kind === "node";
    case "local":
      return peer.kind === "internal" || peer.kind === "local";
    // The document that it takes carries its own authority, whoever brings it.
    case "root":
    case "read":
      return peer.kind !== "nobody" && peer.kind !== "joiner";
    case "join":
      return peer.kind === "internal" || peer.kind === "joiner";
    case "guarded":
      return false;
  }
}

function principalOf(peer: Peer): Principal {
  if (peer.kind === "internal") return { kind: "module", name: peer.module };
  if (peer.kind === "node" || peer.kind === "user") {
    return { kind: peer.kind, identity: peer.identity };
  }
  if (peer.kind === "joiner") return { kind: "joiner", token: peer.token };
  return { kind: peer.kind };
}

function describe(peer: Peer): string {
  if (peer.kind === "internal") return `module "${peer.module}"`;
  if (peer.kind === "node" || peer.kind === "user") return `${peer.kind} "${peer.identity.name}"`;
  if (peer.kind === "joiner") return "somebody with a token";
  return peer.kind === "local" ? "the owner of the socket" : "somebody on the public socket";
}

/** Takes one item that a step streams; resolves when there is room for the next one. */
type OnItem = (item: unknown) => Promise<void> | undefined;

function onAuthority(
  context: Context,
  options: {
    readonly principal: Principal;
    readonly bound: boolean;
    readonly takesInput: boolean;
  },
): Context {
  const { principal, bound, takesInput } = options;
  return {
    principal,
    peer: context.peer,
    deadlineMs: context.deadlineMs,
    bound,
    get input() {
      return takesInput ? context.input : NO_INPUT;
    },
    get signal() {
      return context.signal;
    },
  };
}

/** Items while it runs, then its reply. */
async function* streamed<R>(
  handoff: Handoff,
  reply: Promise<R>,
): AsyncGenerator<unknown, R, void> {
  const end = () => handoff.end();
  reply.then(end, end);
  try {
    yield* handoff.items();
    return await reply;
  } finally {
    handoff.end();
  }
}

/** Of a request that is one step. */
function onlyValue(results: readonly StepResult[]): unknown {
  const [result] = results as [StepResult];
  if (result.ok) return result.value;
  const { class: errorClass, message, detail } = result;
  throw new CallError(errorClass, message, detail === undefined ? {} : { detail });
}

const NO_INPUT: AsyncIterable<unknown> = {
  async *[Symbol.asyncIterator]() {},
};

/** A step's reply; items that it streams are not part of a collated answer. */
async function drain(result: unknown, { signal }: Context, onItem?: OnItem): Promise<unknown> {
  const value = await result;
  if (typeof value !== "object" || value === null || !(Symbol.asyncIterator in value)) return value;
  const generator = value as AsyncGenerator<unknown, unknown, void>;
  try {
    for (;;) {
      const next = await generator.next();
      if (next.done) return next.value;
      signal.throwIfAborted();
      await onItem?.(next.value);
    }
  } finally {
    await generator.return(undefined);
  }
}
