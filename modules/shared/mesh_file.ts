/**
 * The mesh file: one TOML schema for both boots, read without any I/O. A host says more than
 * `[defaults]`, and that more than what is built in:
 *
 *   name = "lab"
 *   [[hosts]]
 *   names = "n[01-16]"            # a nodeset; each name is one host
 *   address = "10.0.0.[11-26]"    # as many, in the same order; left out: the names are resolved
 *   [groups]
 *   io = "n[01-02]"
 *
 * The result is plain and frozen, hosts and groups are naturally sorted, and membership stands in
 * both. Every problem of the file is told at once, see mesh_file_errors.ts.
 */
import { parse, TomlError } from "smol-toml";
import { isName, parsePolicy, UsageError } from "../../core/mod.ts";
import { parseDuration } from "./duration.ts";
import { offsetOf } from "./excerpt.ts";
import type { DaemonLogLevel } from "./log_level.ts";
import { MESH_FILE_DEPTH_MAX } from "./limits.ts";
import { buildMesh, draftHosts, type GroupDraft, type HostDraft } from "./mesh_file_build.ts";
import {
  BOOT,
  HOOK_EVENTS,
  HOOKS,
  HOST,
  isTable,
  MESH,
  NAME_RULE,
  readTable,
  SETTINGS,
  type Settings,
} from "./mesh_file_schema.ts";
import { describeValue, MeshFileProblems } from "./mesh_file_errors.ts";

export type MeshFile = {
  readonly name: string;
  /** Daemons that start with their machines find each other by multicast DNS too. */
  readonly discover: boolean;
  readonly hosts: readonly MeshHost[];
  readonly groups: readonly MeshGroup[];
  readonly boot: MeshBoot;
  /** As written, and known to be good for `parsePolicy`; `{}` when the file has none. */
  readonly policy: MeshPolicy;
  /** Absent: nothing is run. */
  readonly hooks?: MeshHooks;
};

export type MeshHost = {
  readonly name: string;
  /** The name itself when the file gives none, 127.0.0.1 for the launcher "local". No brackets. */
  readonly address: string;
  /** Where its own segment reaches it, when that is another address. */
  readonly innerAddress?: string;
  /** Hosts of this file through which ssh jumps, in the order in which to try; absent: directly. */
  readonly via?: readonly string[];
  /** Absent: whatever the user's ssh configuration says. The same for sshPort and identityFile. */
  readonly user?: string;
  readonly sshPort?: number;
  readonly identityFile?: string;
  /** Where the daemon listens; 0: any free port, which it reports. */
  readonly port: number;
  /** Sorted; from the host and from `[groups]`. */
  readonly groups: readonly string[];
  readonly segment: string;
  readonly gateway: boolean;
  /** Endpoints; empty: TCP on all addresses at `port`. */
  readonly listen: readonly string[];
  readonly launcher: "ssh" | "local";
  /** Absent: the default folder of the user there. */
  readonly home?: string;
  /** False for a host that is a node but runs no programs unless it is named (LAM's schedule=no). */
  readonly schedule: boolean;
  /** How many processors programs may count on; absent: what the machine has. */
  readonly cpus?: number;
  /** What the daemon logs; absent: what is built in. */
  readonly logLevel?: DaemonLogLevel;
};

export type MeshGroup = { readonly name: string; readonly members: readonly string[] };

export type MeshBoot = {
  /** Hosts that are booted at the same time. */
  readonly window: number;
  readonly connectTimeoutMs: number;
  readonly timeoutMs: number;
  readonly strictHostKey: "yes" | "accept-new";
};

/** The administrator's program for what becomes of nodes. */
export type MeshHooks = {
  readonly program: string;
  readonly events: readonly (typeof HOOK_EVENTS)[number][];
  readonly timeoutMs: number;
};

export type MeshPolicy = Readonly<Record<string, unknown>>;

/** How long a hook may run unless the file says otherwise. */
export const HOOK_MS_DEFAULT = 30_000;

export const BOOT_DEFAULTS: MeshBoot = Object.freeze({
  window: 32,
  connectTimeoutMs: 10_000,
  timeoutMs: 60_000,
  strictHostKey: "yes",
});

/**
 * @param options.file the name that error texts show
 * @throws UsageError with every problem as `file:line:column: what`, the line and a caret
 */
export function parseMeshFile(text: string, options: { file: string }): MeshFile {
  const problems = new MeshFileProblems(options.file, text);
  const source = readToml(text, problems);
  const top = readTable(problems, [], source, MESH);
  const ports = typeof source["port"] === "number" ? { port: source["port"] } : {};
  const defaults = readDefaults(problems, source["defaults"]);
  const drafts = readHosts(problems, source["hosts"], { ...ports, ...defaults });
  const groups = readGroups(problems, source["groups"]);
  const boot = readBoot(problems, source["boot"]);
  const policy = readPolicy(problems, source["policy"]);
  const hooks = readHooks(problems, source["hooks"]);
  if (Array.isArray(source["hosts"]) && source["hosts"].length === 0) {
    problems.addAt(["hosts"], "A mesh needs at least one host");
  }
  const { name = "", discover = false } = top ?? {};
  return buildMesh({ name, discover, drafts, groups, boot, policy, ...hooks }, problems);
}

/** Syntax errors end it here: nothing after one can be trusted. */
function readToml(text: string, problems: MeshFileProblems): Record<string, unknown> {
  try {
    return parse(text, { maxDepth: MESH_FILE_DEPTH_MAX });
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const first = error.message.split("\n", 1)[0] ?? "";
    const reason = first.replace(/^Invalid TOML document: /, "");
    const offset = offsetOf(text, error);
    // The parser sees a line break in a string; the person forgot a quote.
    const isOpen = /^control characters .* strings/i.test(reason) &&
      /^\r?\n/.test(text.slice(offset));
    const problem = isOpen ? "String is not closed on its line" : reason;
    problems.add(offset, problem.charAt(0).toUpperCase() + problem.slice(1));
    problems.throwIfAny();
    throw error;
  }
}

function readDefaults(problems: MeshFileProblems, value: unknown): Settings {
  return isTable(value) ? readTable(problems, ["defaults"], value, SETTINGS) ?? {} : {};
}

function readHosts(problems: MeshFileProblems, value: unknown, defaults: Settings): HostDraft[] {
  if (!Array.isArray(value)) return [];
  return value.flatMap((item: unknown, i) => {
    if (!isTable(item)) return []; // told by MESH
    const row = readTable(problems, ["hosts", i], item, HOST);
    if (row === undefined) return [];
    const places = {
      names: problems.offsetOf(["hosts", i, "names"]),
      address: problems.offsetOf(["hosts", i, "address"]),
      innerAddress: problems.offsetOf(["hosts", i, "inner_address"]),
      via: problems.offsetOf(row.via === undefined ? ["defaults", "via"] : ["hosts", i, "via"]),
    };
    return draftHosts({ ...defaults, ...row }, places, problems);
  });
}

function readGroups(problems: MeshFileProblems, value: unknown): GroupDraft[] {
  if (!isTable(value)) return [];
  return Object.entries(value).flatMap(([name, nodeset]) => {
    const path = ["groups", name];
    if (!isName(name)) {
      problems.addAtKey(
        path,
        `Group ${describeValue(name)} is no name (${NAME_RULE})`,
      );
    } else if (typeof nodeset !== "string") {
      problems.addAt(path, `Group "${name}" must be a nodeset, not ${describeValue(nodeset)}`);
    } else return [{ name, nodeset, offset: problems.offsetOf(path) }];
    return [];
  });
}

function readBoot(problems: MeshFileProblems, value: unknown): MeshBoot {
  if (!isTable(value)) return BOOT_DEFAULTS;
  const boot = readTable(problems, ["boot"], value, BOOT) ?? {};
  const ms = (text: string | undefined, otherwise: number) =>
    text === undefined ? otherwise : parseDuration(text);
  return {
    window: boot.window ?? BOOT_DEFAULTS.window,
    connectTimeoutMs: ms(boot.connect_timeout, BOOT_DEFAULTS.connectTimeoutMs),
    timeoutMs: ms(boot.timeout, BOOT_DEFAULTS.timeoutMs),
    strictHostKey: boot.strict_host_key ?? BOOT_DEFAULTS.strictHostKey,
  };
}

function readHooks(problems: MeshFileProblems, value: unknown): { readonly hooks?: MeshHooks } {
  const row = isTable(value) ? readTable(problems, ["hooks"], value, HOOKS) : undefined;
  if (row === undefined) return {};
  const { program, events = HOOK_EVENTS, timeout } = row;
  const timeoutMs = timeout === undefined ? HOOK_MS_DEFAULT : parseDuration(timeout);
  return { hooks: { program, events: [...new Set(events)], timeoutMs } };
}

/** The core judges; each rule alone, so that a bad one hides no other's problem. */
function readPolicy(problems: MeshFileProblems, value: unknown): MeshPolicy {
  if (!isTable(value)) return {};
  const before = problems.count;
  for (const [key, part] of Object.entries(value)) {
    if (key !== "allow" || !Array.isArray(part)) checkPolicy(problems, { [key]: part }, 0);
    else part.forEach((rule: unknown, i) => checkPolicy(problems, { allow: [rule] }, i));
  }
  if (problems.count === before) checkPolicy(problems, value, 0); // what concerns all rules
  return value;
}

/** `rule` is the index in the file of the first rule in `policy`. */
function checkPolicy(problems: MeshFileProblems, policy: MeshPolicy, rule: number): void {
  try {
    parsePolicy(policy);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    const text = error.message.replace(/^allow\[0\]/, `allow[${rule}]`);
    const path = text.slice(0, text.indexOf(": ")).replace(/^policy\.?/, "");
    // `allow[0].who[1]` as keys and indices.
    const parts = path.split(/[.[]/).filter((part) => part !== "").map((part) =>
      part.endsWith("]") ? Number(part.slice(0, -1)) : part
    );
    problems.addAt(["policy", ...parts], `Policy ${text}`);
  }
}
