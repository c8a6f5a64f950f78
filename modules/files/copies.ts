/** The copies under way at one daemon: who may have one, as whom, and that nothing is written twice at once. */

import {
  CallError,
  type Context,
  FirstSignal,
  type Grant,
  type ModuleHost,
  type Principal,
  withTimeLimit,
} from "../../core/mod.ts";
import { type Account, Accounts } from "../shared/account.ts";
import { plainInput, signedInput } from "../shared/signed_input.ts";
import { runAgent } from "./agent.ts";
import { AGENTS_MAX, AGENTS_OF_ONE_MAX, SAME_PLACE_MS_MAX, STALLED_MS_DEFAULT } from "./limits.ts";
import { joined } from "./names.ts";
import type { AgentOrder, ReadOrder, WriteOrder } from "./order.ts";

type Signed = Extract<Principal, { kind: "signed" }>;
type Host = Pick<ModuleHost, "env" | "self" | "stopping" | "verify">;
type Common = Pick<AgentOrder, "path" | "user">;
/** Which rules allow it is known when it begins. */
type OrderOf = (limits: Pick<AgentOrder, "paths" | "rule">) => AgentOrder;

interface Entered {
  /** Of the rules that allow as many copies as there are. */
  readonly grants: readonly Grant[];
  readonly leave: () => void;
  readonly onStalled: () => void;
}

interface Copy {
  readonly keyId: string;
  /** Resolves when its process has ended. */
  readonly over: Promise<void>;
  /** It was given up, and is only waited for. */
  stalled: boolean;
}

export class Copies {
  readonly #host: Host;
  readonly #accounts: Accounts;
  /** By what nobody may do twice at once. */
  readonly #copies = new Map<string, Copy>();
  #reads = 0;

  constructor(host: Host) {
    this.#host = host;
    this.#accounts = new Accounts(host.env);
  }

  /** Pieces go up as they come. */
  async *write(order: WriteOrder, context: Context): AsyncGenerator<unknown, unknown, void> {
    const principal = signedBy(context);
    const { keyId, signPublicKey } = principal.identity;
    const common = await this.#commonOf(order.path, principal);
    const input = order.input === "bound" ? plainInput(context) : signedInput(context.input, {
      run: order.run,
      verify: (domain, signed) =>
        this.#host.verify(domain, { ...signed, publicKey: signPublicKey }),
    });
    const { single } = order;
    // By name, since a node that is booted again has another key.
    const key = `${this.#host.self.name} ${keyId}`;
    return yield* this.#run((limits) => ({ kind: "write", ...common, ...limits, single, key }), {
      context,
      principal,
      input,
      name: `${keyId} ${principal.as} ${common.path}`,
      stalledMs: order.stalledMs,
    });
  }

  async *read(order: ReadOrder, context: Context): AsyncGenerator<unknown, unknown, void> {
    const principal = signedBy(context);
    // Relays would get to see the files otherwise.
    if (!context.bound) {
      throw new CallError("refused", "Files are read in a session of the user's own only");
    }
    const common = await this.#commonOf(order.path, principal);
    const { name, checksum, stalledMs } = order;
    const orderOf: OrderOf = (limits) => ({ kind: "read", ...common, ...limits, name, checksum });
    return yield* this.#run(orderOf, {
      context,
      principal,
      input: plainInput(context),
      name: `read ${++this.#reads}`,
      stalledMs,
    });
  }

  /** Resolves when no process is left. */
  async stop(): Promise<void> {
    await Promise.all([...this.#copies.values()].map(({ over }) => over));
  }

  async *#run(
    orderOf: OrderOf,
    { context, principal, input, name, stalledMs = STALLED_MS_DEFAULT }: {
      readonly context: Context;
      readonly principal: Signed;
      readonly input: AsyncIterable<Uint8Array>;
      readonly name: string;
      readonly stalledMs?: number | undefined;
    },
  ): AsyncGenerator<Uint8Array, unknown, void> {
    const { env, stopping } = this.#host;
    using first = new FirstSignal(context.signal, stopping);
    const { signal } = first;
    // Others may have waited too, and one of them has the place now.
    for (let other; (other = this.#copies.get(name)) !== undefined;) {
      await this.#whenOver(other, signal);
    }
    const { grants, leave, onStalled } = this.#enter(name, principal);
    try {
      return yield* runAgent({
        env,
        order: { ...orderOf(limitsOf(grants)), taken: true },
        input,
        stalledMs,
        signal,
        onStalled,
      });
    } finally {
      leave();
    }
  }

  /**
   * A copy whose sender has died ends after a while, and the same command that is given again must not
   * fail because of it.
   */
  async #whenOver(other: { readonly over: Promise<void> }, signal: AbortSignal): Promise<void> {
    const { clock } = this.#host.env;
    const late = () => new CallError("busy", "Another copy of yours to that place is under way");
    await withTimeLimit((limit) => {
      const { promise, reject } = Promise.withResolvers<never>();
      limit.addEventListener("abort", () => reject(limit.reason));
      if (limit.aborted) reject(limit.reason);
      return Promise.race([other.over, promise]);
    }, { clock, ms: SAME_PLACE_MS_MAX, signal, late });
  }

  /** A copy that stalled takes no place any more, though whoever reads it may never notice. */
  #enter(name: string, principal: Signed): Entered {
    const { rule, maxProcesses, others = [], identity: { name: user, keyId } } = principal;
    if (this.#copies.has(name)) {
      throw new CallError("busy", "Another copy of yours to that place is under way");
    }
    const working = [...this.#copies.values()].filter(({ stalled }) => !stalled);
    if (working.length >= AGENTS_MAX) {
      throw new CallError("busy", `${AGENTS_MAX} copies are under way here already`);
    }
    const own = working.filter((copy) => copy.keyId === keyId).length;
    if (own >= AGENTS_OF_ONE_MAX) {
      throw new CallError(
        "busy",
        `${AGENTS_OF_ONE_MAX} copies of yours are under way here already`,
      );
    }
    const grants = [principal, ...others].filter(({ maxProcesses = Infinity }) =>
      own < maxProcesses
    );
    if (grants.length === 0) {
      const text = `Rule ${rule} lets user "${user}" run ${maxProcesses} at once here`;
      throw new CallError("refused", text);
    }
    const { promise: over, resolve } = Promise.withResolvers<void>();
    const copy = { keyId, over, stalled: false };
    this.#copies.set(name, copy);
    return {
      grants,
      leave: () => {
        this.#copies.delete(name);
        resolve();
      },
      onStalled: () => void (copy.stalled = true),
    };
  }

  async #commonOf(path: string, { as, rule }: Signed): Promise<Common> {
    if (as === "") {
      throw new CallError("refused", `Rule ${rule} does not say as which unix user to copy files`);
    }
    const account = await this.#accounts.find(as);
    return {
      path: absolute(path, account),
      ...this.#userOf(account),
    };
  }

  #userOf({ name, uid, gid }: Account): Pick<Common, "user"> {
    const own = this.#host.env.processes.uid;
    if (uid === own) return {};
    if (own === 0) return { user: { name, uid, gid } };
    const text = `This daemon runs as user id ${own} and cannot copy files as "${name}"`;
    throw new CallError("refused", text);
  }
}

/** Each rule allows its own paths, and one without says that any will do. */
function limitsOf(grants: readonly Grant[]): Pick<AgentOrder, "paths" | "rule"> {
  const paths = grants.flatMap((grant) => grant.paths ?? []);
  const isAny = grants.some((grant) => grant.paths === undefined);
  return {
    rule: grants.map(({ rule }) => rule).join(" or "),
    ...(isAny ? {} : { paths }),
  };
}

/** "~/a" and "a" lie below the home. */
function absolute(path: string, { home }: Account): string {
  if (path.startsWith("/")) return path;
  const below = path.replace(/^~(?:\/|$)/, "");
  return below === "" ? home : joined(home, below);
}

/** The verbs are guarded, so no other principal gets here. */
function signedBy({ principal }: Pick<Context, "principal">): Signed {
  if (principal.kind === "signed") return principal;
  throw new CallError("refused", "Files are copied on the word of a user only");
}
