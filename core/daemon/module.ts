/**
 * What a module is: a plain object with a name, a table of verbs, start and stop. It is reached
 * only through its internal endpoint, by the same calls as a module on another machine, and never
 * imports another module. modules/mod.ts lists the makers in start order.
 */

import type { GenericSchema, InferOutput } from "valibot";
import type { Environment } from "../environment/environment.ts";
import type { Conduit, Peer } from "../conduit/conduit.ts";
import type { EndToEnd } from "../conduit/end_to_end.ts";
import type { Log } from "../log.ts";
import type { Identity } from "../security/chain.ts";
import type { Grant } from "../security/policy.ts";
import type { MeshSecret } from "../security/trust.ts";
import type { Caller } from "./call.ts";
import type { Documents } from "./documents.ts";
import type { Links } from "./links.ts";
import type { SignedBytes } from "./module_signature.ts";
import type { NodeRequest } from "./node_request.ts";

/**
 * Who may execute a verb (SECURITY.md 3):
 * - `internal`: modules of this daemon only
 * - `link`: any valid node over a link, and modules
 * - `read`: any valid certificate of the mesh, the owner of the unix socket, and modules
 * - `local`: the owner of the unix socket, and modules: what concerns this very daemon
 * - `join`: who shows a token that a module of this daemon knows
 * - `guarded`: nobody, unless a user's signed request is allowed by the policy
 * - `root`: who may read, too, for it takes a document that the root key has signed, and checks that
 */
export type ActionClass = "internal" | "link" | "read" | "local" | "join" | "guarded" | "root";

/** On whose authority a handler runs. */
export type Principal =
  | { readonly kind: "module"; readonly name: string }
  | { readonly kind: "local" }
  | { readonly kind: "nobody" }
  | { readonly kind: "joiner"; readonly token: string }
  | { readonly kind: "node"; readonly identity: Identity }
  | { readonly kind: "user"; readonly identity: Identity }
  /**
   * A guarded verb: verified signature of a user (or of a node, where {@link Verb.forNodes} says so),
   * allowed by `rule`, to be run as unix user `as`.
   */
  | {
    readonly kind: "signed";
    readonly identity: Identity;
    readonly requestId: string;
    readonly as: string;
    /** The rule allows certain commands only: nothing else may decide what such a command does. */
    readonly commandsOnly: boolean;
    /** See {@link Judgement}. @default none */
    readonly others?: readonly Grant[];
  } & Grant;

/** What a handler gets besides its arguments. */
export interface Context {
  readonly principal: Principal;
  readonly peer: Peer;
  /**
   * Aborts when the caller cancels, its deadline passes or its conduit dies. Not at the start of a
   * shutdown, in which what runs may finish: who runs for long watches {@link ModuleHost.stopping}.
   */
  readonly signal: AbortSignal;
  /** Milliseconds left of the caller's patience when the handler started; 0 means no deadline. */
  readonly deadlineMs: number;
  /**
   * The request came by the very session to which the user has bound it, or by the owner's socket:
   * what comes in comes from who signed the request.
   */
  readonly bound: boolean;
  /**
   * The stream of items into the request. Of a guarded verb it is empty unless the request is bound:
   * nobody on the way may add to what a user has signed. See {@link Verb.checksInput}.
   */
  readonly input: AsyncIterable<unknown>;
}

/** A handler returns its reply; one that streams is a generator: it yields items, returns the reply. */
export type Handler<Args> = (
  args: Args,
  context: Context,
) => Promise<unknown> | AsyncGenerator<unknown, unknown, void> | unknown;

export interface Verb {
  readonly action: ActionClass;
  /**
   * Of a guarded verb: whether the policy can grant it to nodes, in rules that name them. Being a
   * node alone grants nothing (R6). @default false
   */
  readonly forNodes?: boolean;
  readonly args: GenericSchema;
  readonly reply: GenericSchema;
  readonly handle: Handler<unknown>;
  /**
   * Of a guarded verb: it verifies by itself who made each item of its input, so it gets what a group
   * operation brings. @default false
   */
  readonly checksInput?: boolean;
  /**
   * Executed until the daemon has stopped: it carries conduits that still have to say goodbye.
   * @default false
   */
  readonly untilStopped?: boolean;
  /** What the audit says of a reply, in a few words. @default nothing */
  readonly outcome?: (reply: unknown) => string;
}

/** Declares a verb with its handler typed by its schemas. */
export function verb<const A extends GenericSchema, const R extends GenericSchema>(
  declaration: {
    readonly action: ActionClass;
    readonly forNodes?: boolean;
    readonly args: A;
    readonly reply: R;
    readonly checksInput?: boolean;
    readonly untilStopped?: boolean;
    readonly outcome?: (reply: InferOutput<R>) => string;
    readonly handle: (
      args: InferOutput<A>,
      context: Context,
    ) =>
      | Promise<InferOutput<R>>
      | InferOutput<R>
      | AsyncGenerator<unknown, InferOutput<R>, void>;
  },
): Verb {
  return declaration as unknown as Verb;
}

/** What the daemon offers its modules. */
export interface ModuleHost {
  readonly env: Environment;
  /** As of now: its certificate may be renewed. */
  readonly self: Identity;
  /**
   * From now on this chain is ours, leaf first: shown in handshakes, and to all neighbours at once.
   * Throws AuthenticationError unless it is valid and says the same of the same keys.
   */
  renewed(chain: readonly Uint8Array[]): Identity;
  /** Random per process start, 32 hex digits. */
  readonly instance: string;
  /** The module's own. */
  readonly log: Log;
  /** Aborts when the daemon starts to shut down. */
  readonly stopping: AbortSignal;
  readonly links: Links;
  /** From now on who shows a token of which `find` knows the key may execute verbs of class join. */
  joining(find: (tokenId: Uint8Array) => MeshSecret | undefined): void;
  /** The same for who shows the mesh's PSK in place of a token: nodes whose certificate has expired. */
  reviving(): void;
  /** The signed documents of the mesh that count here. */
  readonly documents: Documents;
  /** Conduits dialled for some messages; no links of the mesh. */
  readonly onDemand: Links;
  /**
   * Serves a conduit that a module made, whose peer the module has proven as a front does. It is no
   * link, whoever the peer is.
   */
  adopt(conduit: Conduit): void;
  /** Handshakes with this daemon's keys, for conduits that run through others. */
  readonly endToEnd: EndToEnd;
  /** The module of that name in this daemon, through `internal:NAME`. */
  module(name: string): Caller;
  /** Endpoints on which this daemon really listens. */
  endpoints(): readonly string[];
  /**
   * Signs a module's document with the node's key: over `domain`, such as "minime-advert-v1", a NUL
   * and the bytes. Throws when the domain is none or is one of the core's own documents.
   */
  sign(domain: string, bytes: Uint8Array): Uint8Array;
  /** Whether {@link ModuleHost.sign} made this signature in a daemon with that key. Never throws. */
  verify(domain: string, signed: SignedBytes): boolean;
  /**
   * A request signed by this node's key, for guarded verbs that can be granted to nodes; no target
   * takes it for any other.
   */
  signRequest(fields: NodeRequest): Uint8Array;
  /**
   * Who shows these certificates (leaf first), as of now: mesh, validity and revocation checked.
   * Throws AuthenticationError. `allowExpired` is for renewal alone.
   */
  verifyChain(
    chain: readonly Uint8Array[],
    options?: { readonly allowExpired?: boolean },
  ): Identity;
  /** Begins the orderly shutdown; resolves at once. */
  shutdown(reason: string, how?: StopHow): void;
}

/** In which sense a daemon stops. */
export interface StopHow {
  /**
   * This node is taken down, or not: it goes on in another life of its daemon, for which some things
   * wait. @default as a daemon of its kind does when it is told no more
   */
  readonly forGood?: boolean;
}

export interface Module {
  readonly name: string;
  readonly verbs: Readonly<Record<string, Verb>>;
  start(host: ModuleHost): Promise<void>;
  /** Also called after a start that failed half-way. */
  stop(how: StopHow): Promise<void>;
}
