/**
 * The contract between the command line and the modules. A module's commands.ts exports its
 * commands as plain data and imports nothing that does work: `load` brings in the implementation
 * only when the command runs, so that `minime version` pays for nothing else.
 *
 *   export const upOptions = { ...NODES, ...JSON_OUTPUT, ...FOLD };
 *   export const up = command({
 *     name: "uptime", brief: "Show how long nodes are up", examples: [["minime uptime -b", "…"]],
 *     options: upOptions, load: () => import("./uptime_command.ts").then((m) => m.runUptime),
 *   });
 *   // uptime_command.ts:
 *   export async function runUptime(c: CommandContext, o: OptionsOf<typeof upOptions>) {…}
 */

import type { Caller, Environment, SignedBytes } from "../../core/mod.ts";
import type { MeshHome, MeshHomes } from "./mesh_home.ts";
import { type Completion, flag, list, type Options, type OptionsOf } from "./option.ts";
import type { Output } from "./output.ts";
import type { StandardInput } from "./terminal.ts";

/** What a command gets besides its options and arguments. */
export interface CommandContext {
  readonly env: Environment;
  readonly out: Output;
  readonly stdin: StandardInput;
  /** Stdout is a terminal. */
  readonly isTerminal: boolean;
  readonly stderrIsTerminal: boolean;
  /** Stderr is read by systemd's journal, which takes a line's level from before it (sd-daemon(3)). */
  readonly stderrIsJournal: boolean;
  /** Width of the terminal; undefined when stdout is none: then nothing is cut. */
  readonly columns: number | undefined;
  readonly rows: number | undefined;
  /** Aborts at ^C, SIGTERM, SIGHUP, and when the reader of stdout went away. */
  readonly signal: AbortSignal;
  /** Until disposed SIGHUP runs this and stops nothing: to daemons it says "read your files". */
  takeHangUp(run: () => void): Disposable;
  /**
   * Until disposed ^C, SIGTERM and SIGHUP run this and stop nothing: for a command that has something
   * to do with them, or with `only` some, while the others stop it. `count` is how many there were; the
   * third ends the program as always.
   */
  takeSignals(
    run: (signal: StopSignal, count: number) => void,
    which?: { readonly only?: readonly StopSignal[] },
  ): Disposable;
  /** What --mesh or MINIME_MESH named. */
  readonly meshName: string | undefined;
  readonly homes: MeshHomes;
  /** The home of the chosen mesh; notes which one it is when nobody named it and there are several. */
  home(): Promise<MeshHome>;
  /** The nearest living node of the chosen mesh: the local daemon, or another. The caller closes it. */
  connect(options?: ConnectOptions): Promise<MeshClient>;
  /**
   * A connection that ends in exactly that node, for verbs that stream: nobody between this program and
   * the node can read or add anything, and what {@link MeshClient.sign} signs is good for this connection
   * alone. The caller closes it. Rejects with ConnectionError when the node cannot be reached, and with
   * UsageError when the mesh has no such node.
   */
  session(node: string, options?: Omit<ConnectOptions, "node">): Promise<MeshClient>;
}

/** Signals by which a command is asked to stop. */
export type StopSignal = "SIGINT" | "SIGTERM" | "SIGHUP";

export interface ConnectOptions {
  /** The mesh of this name. @default the chosen one */
  readonly mesh?: string;
  /** This node and no other. */
  readonly node?: string;
  /** How long to try, in all. @default the client's own limit */
  readonly timeoutMs?: number;
}

export interface SignOptions {
  /** Names of the nodes that may act on it. */
  readonly targets: readonly string[];
  /**
   * The unix user to run as; "" leaves it to the policy, "$user" is the one in the certificate, if it
   * names one. @default ""
   */
  readonly as?: string;
  /** How long from now it may be started. @default 5000 */
  readonly ttlMs?: number;
}

/** A connection to one daemon of a mesh, as this user. */
export interface MeshClient extends Caller, AsyncDisposable {
  readonly meshName: string;
  /** The daemon at the other end. */
  readonly via: {
    readonly name: string;
    readonly endpoint: string;
    /** By the certificate that it showed; undefined: a socket of this machine. */
    readonly groups: readonly string[] | undefined;
    /** What of the protocol it knows that came to it later, see REVISION. */
    readonly revision: number;
  };
  /**
   * A request signed by the user's key (SECURITY.md 4), for guarded verbs. In a session it is bound to
   * it, and so can only be sent there.
   */
  sign(verb: string, args: unknown, options: SignOptions): Promise<Uint8Array>;
  /** The user's signature over a module's document, which ModuleHost.verify verifies. */
  signBytes(domain: string, signed: Pick<SignedBytes, "bytes" | "content">): Promise<Uint8Array>;
  /** Idempotent. */
  close(): Promise<void>;
}

/** What the arguments that are no options are. */
export interface Arguments {
  /** As in the help: "NODE", "CMD". */
  readonly placeholder: string;
  readonly brief: string;
  /** @default 0 */
  readonly minimum?: number;
  /** @default no limit */
  readonly maximum?: number;
  readonly completion?: Completion;
  /** From the first argument on everything belongs to it, options too: `exec -w n1 ls -l`. */
  readonly verbatim?: boolean;
  /** An option whose value may stand for itself, in capitals: "signal" lets `-KILL` be `--signal KILL`. */
  readonly capitals?: string;
}

/** Returns an exit code of exit_code.ts; nothing means 0. Errors are thrown, never printed. */
export type Run<O extends Options = Options> = (
  context: CommandContext,
  options: OptionsOf<O>,
  args: readonly string[],
) => Promise<number | void>;

export interface Command {
  readonly kind: "command";
  readonly name: string;
  /** One line; starts upper case, no period. */
  readonly brief: string;
  /** Paragraphs for --help, after the brief. */
  readonly description?: string;
  readonly examples: readonly [Example, ...Example[]];
  readonly options: Options;
  readonly args?: Arguments;
  /** Left out of lists and completion. */
  readonly hidden?: boolean;
  readonly load: () => Promise<Run>;
}

/** What to type, and what it does. */
export type Example = readonly [line: string, meaning: string];

/** Commands under one word: `minime nodeset fold`. */
export interface CommandGroup {
  readonly kind: "group";
  readonly name: string;
  readonly brief: string;
  readonly description?: string;
  readonly examples: readonly [Example, ...Example[]];
  readonly commands: readonly Command[];
  readonly hidden?: boolean;
}

/** A command, or a group of them, by the name that is typed; what else it is, is loaded when somebody asks. */
export interface ListedCommand {
  readonly name: string;
  readonly load: () => Promise<Command | CommandGroup>;
}

/** Checks that `load` brings a function which fits the options. */
export function command<O extends Options>(
  declaration: Omit<Command, "kind" | "options" | "load"> & {
    readonly options: O;
    readonly load: () => Promise<Run<O>>;
  },
): Command {
  return { kind: "command", ...declaration } as Command;
}

/** Several commands under one word. */
export function group(declaration: Omit<CommandGroup, "kind">): CommandGroup {
  return { kind: "group", ...declaration };
}

/** Spread this into the options of a command that works on nodes; read it with readSelection. */
export const NODES = {
  nodes: list("Nodes, as a nodeset; ^FILE reads it from a file, - from stdin; repeatable", {
    letter: "w",
    placeholder: "NODESET",
    completion: "nodes",
  }),
  exclude: list("Leave these nodes out; repeatable", {
    letter: "x",
    placeholder: "NODESET",
    completion: "nodes",
  }),
  group: list("Nodes of this group; repeatable", {
    letter: "g",
    placeholder: "GROUP",
    completion: "groups",
  }),
  all: flag("All nodes of the mesh", { letter: "a" }),
} as const satisfies Options;

/** For a command that prints data. */
export const JSON_OUTPUT = {
  json: flag("Print JSON"),
} as const satisfies Options;

/** For a command that can fold nodes with equal answers. */
export const FOLD = {
  fold: flag("Fold nodes with equal answers into one nodeset", { letter: "b" }),
} as const satisfies Options;

export type { Completion, Option, Options, OptionsOf } from "./option.ts";
export type { Output } from "./output.ts";
export type { StandardInput } from "./terminal.ts";
