/**
 * The keys of a mesh file and what each may hold, as valibot schemas. Messages are the second half of
 * a sentence, `must be …`; `readTable` puts the key before and the value after. Values that end up
 * in the argv of ssh can never look like one of its options.
 */
import * as v from "valibot";
import { isName, isUnixUser, UsageError } from "../../core/mod.ts";
import { parseDuration } from "./duration.ts";
import { LOG_LEVELS } from "./log_level.ts";
import { MESH_FILE_TEXT_CHARACTERS_MAX, NODESET_CHARACTERS_MAX } from "./limits.ts";
import { describeValue, type MeshFileProblems } from "./mesh_file_errors.ts";
import { isNodeCharacter } from "./nodeset_parse.ts";
import { didYouMean } from "./suggest.ts";
import { printable } from "./text.ts";
import type { TomlPath } from "./toml_locator.ts";

/** What makes a name, for error texts. */
export const NAME_RULE = "a-z, 0-9, and inside also . _ -";

const name = text(`must be a name (${NAME_RULE})`, isName);
const port = integer("must be a port from 0 to 65535 (0: any free one)", 0, 65_535);
const nodeset = text('must be a nodeset such as "n[1-16]"', () => true, NODESET_CHARACTERS_MAX);
const path = text("must be a path", isPath);
const duration = text('must be a duration such as "10s"', isDuration);

/** What a host can say about itself and `[defaults]` about all. */
export const SETTINGS = {
  user: v.optional(text("must be a user's name", isUnixUser)),
  ssh_port: v.optional(integer("must be a port from 1 to 65535", 1, 65_535)),
  identity_file: v.optional(path),
  port: v.optional(port),
  groups: v.optional(v.array(name, "must be a list of names")),
  segment: v.optional(name),
  gateway: v.optional(v.boolean("must be true or false")),
  via: v.optional(nodeset),
  listen: v.optional(texts(
    "must be a list of endpoints",
    'must be an endpoint such as "tcp:0.0.0.0:7117" or "unix:/run/minime.sock"',
    isListenEndpoint,
  )),
  launcher: v.optional(v.picklist(["ssh", "local"], 'must be "ssh" or "local"')),
  home: v.optional(path),
  schedule: v.optional(v.boolean("must be true or false")),
  cpus: v.optional(integer("must be a number of processors, at least 1", 1, 65_535)),
  log_level: v.optional(v.picklist(LOG_LEVELS, 'must be "debug" or "info"')),
};

export const HOST = {
  names: nodeset,
  address: v.optional(nodeset),
  inner_address: v.optional(nodeset),
  ...SETTINGS,
};

export const BOOT = {
  window: v.optional(integer("must be a number of hosts from 1 to 1024", 1, 1_024)),
  connect_timeout: v.optional(duration),
  timeout: v.optional(duration),
  strict_host_key: v.optional(
    v.picklist(["yes", "accept-new"], 'must be "yes" or "accept-new"'),
  ),
};

/** What can become of a node. */
export const HOOK_EVENTS = ["join", "leave", "failure"] as const;

export const HOOKS = {
  program: text('must be an absolute path such as "/etc/minime/on-node"', isAbsolutePath),
  events: v.optional(v.array(
    v.picklist(HOOK_EVENTS, 'must be "join", "leave" or "failure"'),
    "must be a list of events",
  )),
  timeout: v.optional(duration),
};

const table = v.custom<Record<string, unknown>>(isTable, "must be a table");

/** The whole file; the tables in it are read one by one, so that a bad one hides no other's problems. */
export const MESH = {
  name,
  port: v.optional(port),
  discover: v.optional(v.boolean("must be true or false")),
  defaults: v.optional(table),
  hosts: v.array(table, "must be a list of tables, written [[hosts]]"),
  groups: v.optional(table),
  boot: v.optional(table),
  policy: v.optional(table),
  hooks: v.optional(table),
};

export type Settings = v.InferOutput<v.ObjectSchema<typeof SETTINGS, undefined>>;

/** The table at `path` if all its values fit; every problem is told, also of keys that nobody knows. */
export function readTable<const Entries extends v.ObjectEntries>(
  problems: MeshFileProblems,
  path: TomlPath,
  value: unknown,
  entries: Entries,
): v.InferOutput<v.ObjectSchema<Entries, undefined>> | undefined {
  // By hand: valibot tells the first unknown key only, and passes over names such as "constructor".
  for (const key of Object.keys(value ?? {})) {
    if (Object.hasOwn(entries, key)) continue;
    const suggestion = didYouMean(key, Object.keys(entries));
    const quoted = JSON.stringify(printable(key, 60));
    problems.addAtKey([...path, key], `Unknown key ${quoted}${suggestion}`);
  }
  const result = v.safeParse(v.object(entries), value);
  if (result.success) return result.output;
  for (const issue of result.issues) {
    const inner = (issue.path ?? []).map((item) => item.key as string | number);
    const key = JSON.stringify(inner.findLast((part) => typeof part === "string"));
    const last = inner.at(-1);
    const label = typeof last === "number" ? `Item ${last + 1} of ${key}` : `Key ${key}`;
    const message = issue.input === undefined
      ? `${label} is missing`
      : `${label} ${issue.message}, not ${describeValue(issue.input)}`;
    problems.addAt([...path, ...inner], message);
  }
  return undefined;
}

/** What TOML calls a table; lists and dates are none. */
export function isTable(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value) &&
    !(value instanceof Date);
}

/** An address that ssh and a dialler take: a host's name, IPv4, or IPv6 without brackets. */
export function isAddress(address: string): boolean {
  if (address.length === 0 || address.length > 253 || address.startsWith("-")) return false;
  for (let i = 0; i < address.length; i++) {
    if (!isNodeCharacter(address.charCodeAt(i))) return false;
  }
  return true;
}

function text(
  message: string,
  fits: (text: string) => boolean,
  max = MESH_FILE_TEXT_CHARACTERS_MAX,
) {
  return v.pipe(
    v.string(message),
    v.check((value) => value.length <= max && fits(value), message),
  );
}

function texts(listMessage: string, message: string, fits: (text: string) => boolean) {
  return v.array(text(message, fits), listMessage);
}

function integer(message: string, min: number, max: number) {
  return v.pipe(
    v.number(message),
    v.check((value) => Number.isInteger(value) && value >= min && value <= max, message),
  );
}

function isPlain(value: string): boolean {
  return value !== "" && printable(value) === value;
}

function isPath(value: string): boolean {
  return isPlain(value) && !value.startsWith("-");
}

function isAbsolutePath(value: string): boolean {
  return isPlain(value) && value.startsWith("/");
}

function isDuration(value: string): boolean {
  try {
    return parseDuration(value) > 0;
  } catch (error) {
    if (error instanceof UsageError) return false;
    throw error;
  }
}

/** `tcp:HOST:PORT` with an IPv6 host in brackets, or `unix:/path`. */
function isListenEndpoint(value: string): boolean {
  if (value.startsWith("unix:/")) return isPlain(value);
  if (!value.startsWith("tcp:")) return false;
  const colon = value.lastIndexOf(":");
  const digits = value.slice(colon + 1);
  const host = value.slice(4, colon);
  const isIpv6 = host.startsWith("[") && host.endsWith("]");
  if (digits === "" || digits.length > 5 || String(Number(digits)) !== digits) return false;
  if (Number(digits) > 65_535) return false;
  return isIpv6 ? isAddress(host.slice(1, -1)) : isAddress(host) && !host.includes(":");
}
