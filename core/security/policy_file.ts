/**
 * Policy from the plain object that a TOML file or a signed document gives, and back. Strict: an
 * unknown key, prefix or pattern refuses the whole, with an error that begins with its path, such as
 * `allow[0].who[1]: …`. The caller puts the file's name before it and keeps the old policy.
 */
import { UsageError } from "../errors.ts";
import {
  POLICY_CLOCK_SKEW_MS_MAX,
  POLICY_ITEMS_MAX,
  POLICY_REQUEST_TTL_MS_MAX,
  POLICY_REQUEST_TTL_MS_MIN,
  POLICY_TEXT_CHARACTERS_MAX,
} from "../limits.ts";
import { isName, isNamePattern, isUnixUser, quote } from "./name.ts";
import {
  namesOfPath,
  type Policy,
  POLICY_LIMITS_DEFAULT,
  type PolicyLimits,
  type PolicyRule,
} from "./policy.ts";

export interface ParsePolicyOptions {
  /** Every verb that exists: a pattern that fits none is refused. @default not checked */
  readonly verbs?: readonly string[];
}

/** UsageError whose text begins with the path of the first thing that is wrong. */
export function parsePolicy(value: unknown, options: ParsePolicyOptions = {}): Policy {
  const file = readObject(value, { path: "policy", keys: ["allow", "limits"] });
  const allow = file.get("allow");
  const rules = allow === undefined
    ? []
    : readList(allow, "allow").map((rule, index) => readRule(rule, `allow[${index}]`, options));
  return { rules, limits: readLimits(file.get("limits")) };
}

/** The plain object that {@link parsePolicy} reads as the same policy. */
export function formatPolicy(policy: Policy): Record<string, unknown> {
  return {
    allow: policy.rules.map((rule) => ({
      who: [...rule.who],
      verbs: [...rule.verbs],
      on: [...rule.on],
      as: [...rule.as],
      ...rule.commands && { commands: [...rule.commands] },
      ...rule.destinations && { destinations: [...rule.destinations] },
      ...rule.paths && { paths: [...rule.paths] },
      ...rule.maxProcesses !== undefined && { max_processes: rule.maxProcesses },
    })),
    limits: {
      request_ttl_max: `${policy.limits.requestTtlMaxMs}ms`,
      clock_skew: `${policy.limits.clockSkewMs}ms`,
      audit: policy.limits.audit,
    },
  };
}

const RULE_KEYS = [
  "who",
  "verbs",
  "on",
  "as",
  "commands",
  "destinations",
  "paths",
  "max_processes",
];

function readRule(value: unknown, path: string, options: ParsePolicyOptions): PolicyRule {
  const rule = readObject(value, { path, keys: RULE_KEYS });
  for (const key of ["who", "verbs", "on"]) {
    if (!rule.has(key)) {
      throw wrong(`${path}.${key}`, "is missing: without it, the rule allows nothing");
    }
  }
  const texts = (key: string, check: (text: string) => string | undefined) =>
    readTexts(rule.get(key) ?? [], { path: `${path}.${key}`, check });
  return {
    who: texts("who", whyNotWho).map((who) => who.startsWith("key:") ? who.toLowerCase() : who),
    verbs: texts("verbs", (text) => whyNotVerbs(text, options.verbs)),
    on: texts("on", whyNotOn),
    as: texts("as", whyNotAs),
    commands: rule.has("commands") ? texts("commands", whyNotCommand) : undefined,
    destinations: rule.has("destinations") ? texts("destinations", whyNotDestination) : undefined,
    ...(rule.has("paths") ? { paths: texts("paths", whyNotPath) } : {}),
    maxProcesses: readCount(rule.get("max_processes"), `${path}.max_processes`),
  };
}

function readLimits(value: unknown): PolicyLimits {
  if (value === undefined) return POLICY_LIMITS_DEFAULT;
  const limits = readObject(value, {
    path: "limits",
    keys: ["request_ttl_max", "clock_skew", "audit"],
  });
  const audit = limits.get("audit") ?? POLICY_LIMITS_DEFAULT.audit;
  if (audit !== "required" && audit !== "optional") {
    throw wrong("limits.audit", `is ${show(audit)}, wanted is "required" or "optional"`);
  }
  return {
    audit,
    requestTtlMaxMs: readDuration(limits.get("request_ttl_max"), {
      path: "limits.request_ttl_max",
      byDefault: POLICY_LIMITS_DEFAULT.requestTtlMaxMs,
      min: POLICY_REQUEST_TTL_MS_MIN,
      max: POLICY_REQUEST_TTL_MS_MAX,
    }),
    clockSkewMs: readDuration(limits.get("clock_skew"), {
      path: "limits.clock_skew",
      byDefault: POLICY_LIMITS_DEFAULT.clockSkewMs,
      min: 0,
      max: POLICY_CLOCK_SKEW_MS_MAX,
    }),
  };
}

function whyNotWho(text: string): string | undefined {
  const [prefix, rest] = split(text);
  if (prefix === "group" || prefix === "user") {
    return isName(rest) ? undefined : `${quote(rest)} is no name`;
  }
  if (prefix === "node") {
    return isNamePattern(rest) ? undefined : `${quote(rest)} is no name, nor a pattern of one`;
  }
  if (prefix === "key") {
    return isKeyId(rest) ? undefined : "a key id has 64 hexadecimal digits";
  }
  return `wanted is "group:NAME", "user:NAME", "key:HEX" or "node:NAME"`;
}

function split(text: string): [prefix: string, rest: string] {
  const colon = text.indexOf(":");
  return colon < 0 ? ["", text] : [text.slice(0, colon), text.slice(colon + 1)];
}

function isKeyId(text: string): boolean {
  return text.length === 64 && [...text].every((digit) => "0123456789abcdefABCDEF".includes(digit));
}

function whyNotVerbs(text: string, known: readonly string[] | undefined): string | undefined {
  const module = text.endsWith(".*") ? text.slice(0, -2) : undefined;
  if (text !== "*" && !isName(module ?? text)) {
    return `wanted is "*", "module.*" or "module.verb"`;
  }
  if (text === "*" || known === undefined) return undefined;
  const exists = module === undefined
    ? known.includes(text)
    : known.some((verb) => verb.startsWith(`${module}.`));
  return exists ? undefined : "there is no such verb";
}

function whyNotOn(text: string): string | undefined {
  if (text.startsWith("@") ? isName(text.slice(1)) : isNamePattern(text)) return undefined;
  return `wanted is "*", "@group" or a name of a node, in which "*" stands for any characters`;
}

function whyNotAs(text: string): string | undefined {
  if (text === "$user" || isUnixUser(text)) return undefined;
  return `wanted is "$user" or the name of a unix user`;
}

function whyNotCommand(text: string): string | undefined {
  return text.trim() === "" ? "wanted are words of a command line" : undefined;
}

/** Lower case, since that is how they are compared. */
function whyNotDestination(text: string): string | undefined {
  const found = DESTINATION.exec(text);
  const port = found?.[1];
  const isPort = port === "*" || (Number(port) >= 1 && Number(port) <= PORT_MAX);
  if (found !== null && isPort && text === text.toLowerCase()) return undefined;
  return `wanted is "HOST:PORT" in lower case, in which "*" stands for any port or any characters ` +
    `of the host; IPv6 in brackets`;
}

function whyNotPath(text: string): string | undefined {
  if (namesOfPath(text) !== undefined) return undefined;
  return `wanted is an absolute path without "." and "..", in which "*" stands for any characters of a name`;
}

const DESTINATION = /^(?:\[[0-9a-f:.*]+\]|[^[\]:\s]+):(\d{1,5}|\*)$/;
const PORT_MAX = 65_535;

function readObject(
  value: unknown,
  options: { path: string; keys: readonly string[] },
): Map<string, unknown> {
  const { path, keys } = options;
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw wrong(path, `is ${show(value)}, wanted is a table`);
  }
  const entries = new Map<string, unknown>(Object.entries(value));
  for (const key of entries.keys()) {
    if (!keys.includes(key)) {
      throw wrong(`${path}.${key.slice(0, 40)}`, `is unknown, known are ${keys.join(", ")}`);
    }
  }
  return entries;
}

function readList(value: unknown, path: string): readonly unknown[] {
  if (!Array.isArray(value)) throw wrong(path, `is ${show(value)}, wanted is a list`);
  if (value.length > POLICY_ITEMS_MAX) {
    throw wrong(path, `has ${value.length} items, ${POLICY_ITEMS_MAX} is the most`);
  }
  return value;
}

function readTexts(
  value: unknown,
  options: { path: string; check: (text: string) => string | undefined },
): readonly string[] {
  return readList(value, options.path).map((item, index) => {
    const path = `${options.path}[${index}]`;
    if (typeof item !== "string") throw wrong(path, `is ${show(item)}, wanted is text`);
    if (item.length > POLICY_TEXT_CHARACTERS_MAX) {
      throw wrong(path, `has ${item.length} characters, ${POLICY_TEXT_CHARACTERS_MAX} is the most`);
    }
    const why = options.check(item);
    if (why !== undefined) throw wrong(path, `is ${quote(item)}: ${why}`);
    return item;
  });
}

function readCount(value: unknown, path: string): number | undefined {
  if (value === undefined) return undefined;
  if (typeof value === "number" && Number.isSafeInteger(value) && value > 0) return value;
  throw wrong(path, `is ${show(value)}, wanted is a whole number above 0`);
}

function readDuration(
  value: unknown,
  options: { path: string; byDefault: number; min: number; max: number },
): number {
  const { path, byDefault, min, max } = options;
  if (value === undefined) return byDefault;
  const found = typeof value === "string" && value.length < 20
    ? /^(\d+)(ms|s|m|h)$/.exec(value)
    : null;
  const unit = found?.[2];
  if (unit === undefined) {
    throw wrong(path, `is ${show(value)}, wanted is a time such as "500ms", "60s" or "5m"`);
  }
  const ms = Number(found?.[1]) * (UNITS_MS.get(unit) ?? NaN);
  if (ms >= min && ms <= max) return ms;
  throw wrong(path, `is ${show(value)}, wanted are ${min} ms to ${max} ms`);
}

const UNITS_MS: ReadonlyMap<string, number> = new Map([
  ["ms", 1],
  ["s", 1_000],
  ["m", 60_000],
  ["h", 3_600_000],
]);

function show(value: unknown): string {
  if (typeof value === "string") return quote(value);
  if (Array.isArray(value)) return "a list";
  return typeof value === "object" && value !== null ? "a table" : String(value);
}

function wrong(path: string, why: string): UsageError {
  return new UsageError(`${path}: ${why}`);
}
