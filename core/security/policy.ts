/**
 * Who may do what: allow rules only, so their order never matters and what no rule allows is refused
 * (SECURITY.md 3). Empty lists allow nothing. Reading one from a file is policy_file.ts, signing and
 * verifying one is policy_document.ts.
 *
 * Surprising: only users can be granted anything (R6), but for the few verbs that are made for nodes
 * too, and those only by rules that name nodes as such: groups and keys mean users alone. `$user` never
 * means root, which a rule must name; a rule with `commands` grants only verbs that carry an argv,
 * one with `destinations` only verbs that carry where to, one with `paths` only verbs that carry a path.
 */
import { CLOCK_SKEW_MS_MAX } from "../limits.ts";
import { matchesCommand } from "./command_pattern.ts";
import { matchesPattern, quote, quoteList } from "./name.ts";

export interface Policy {
  readonly rules: readonly PolicyRule[];
  readonly limits: PolicyLimits;
}

export interface PolicyRule {
  /** "group:NAME", "user:NAME", "key:64 HEX DIGITS"; "node:NAME", in which `*` is any characters. */
  readonly who: readonly string[];
  /** "*", "module.*", "module.verb". */
  readonly verbs: readonly string[];
  /** "*", "@group", or names with `*` for any characters: which targets. */
  readonly on: readonly string[];
  /** Unix users to run as; "$user" is the one in the certificate. */
  readonly as: readonly string[];
  /** Patterns for argv, word by word: see {@link matchesCommand}. Undefined: any. */
  readonly commands: readonly string[] | undefined;
  /** Patterns for where to: see {@link matchesDestination}. Undefined: any. */
  readonly destinations: readonly string[] | undefined;
  /** Patterns for paths of files: see {@link matchesPath}. @default any */
  readonly paths?: readonly string[] | undefined;
  /** Running at once for one principal on one node. Undefined: no limit. */
  readonly maxProcesses: number | undefined;
}

export interface PolicyLimits {
  /** The longest time from issue to expiry of a signed request. */
  readonly requestTtlMaxMs: number;
  /** How far clocks may be apart. */
  readonly clockSkewMs: number;
  /** "required": guarded verbs but shutdown are refused when the audit record cannot be written. */
  readonly audit: "required" | "optional";
}

export const POLICY_LIMITS_DEFAULT: PolicyLimits = {
  requestTtlMaxMs: 60_000,
  clockSkewMs: CLOCK_SKEW_MS_MAX,
  audit: "required",
};

const NODE = "node:";

/** What a mesh made by boot starts with: members of one group may do everything. */
export function defaultPolicy(opsGroup: string): Policy {
  const everything: PolicyRule = {
    who: [`group:${opsGroup}`],
    verbs: ["*"],
    on: ["*"],
    as: ["root", "$user"],
    commands: undefined,
    destinations: undefined,
    maxProcesses: undefined,
  };
  return { rules: [everything], limits: POLICY_LIMITS_DEFAULT };
}

/** Who asks; an Identity is one. */
export interface PolicyPrincipal {
  readonly type: string;
  readonly name: string;
  readonly groups: readonly string[];
  readonly keyId: string;
  readonly unixUser: string | undefined;
}

export interface Question {
  readonly principal: PolicyPrincipal;
  readonly verb: string;
  /** The unix user asked for; empty: the principal's own, as far as a rule grants "$user". */
  readonly as: string;
  /** Of verbs that run programs. */
  readonly argv?: readonly string[];
  /** It brings variables or a folder, which decide what a command does. @default false */
  readonly bendsCommand?: boolean;
  /** Of verbs that open a connection: {@link formatDestination}. */
  readonly destination?: string;
  /** Of verbs that read or write files. */
  readonly path?: string;
  /** Whether the verb is one of those that may be granted to nodes. @default false */
  readonly forNodes?: boolean;
  /** The target that judges, from its own certificate. */
  readonly self: { readonly name: string; readonly groups: readonly string[] };
}

/** What one rule that fits allows, as far as only the verb can tell whether it is kept. */
export interface Grant {
  /** For the audit: "allow[0]", by its place in the policy. */
  readonly rule: string;
  /** Running at once for this principal on this node; undefined: any number. */
  readonly maxProcesses: number | undefined;
  /** These paths only; the verb holds the real one, without links, to them. @default any */
  readonly paths?: readonly string[];
}

export type Judgement =
  | Grant & {
    readonly allowed: true;
    /** As whom; empty when nobody was asked for and no rule that fits grants "$user". */
    readonly as: string;
    /** The rule allows certain commands only. */
    readonly commandsOnly: boolean;
    /** Of other rules that fit, when this one has a limit: each counts as a whole. */
    readonly others?: readonly Grant[];
  }
  | { readonly allowed: false; readonly why: string };

/**
 * Allowed when a rule fits as a whole: by the one that limits least of those that do. Otherwise why the
 * nearest rule does not.
 */
export function judge(policy: Policy, question: Question): Judgement {
  const { principal, verb } = question;
  const whose = `${principal.type} ${quote(principal.name)} (groups ${
    quoteList(principal.groups)
  })`;
  if (principal.type !== "user" && !(principal.type === "node" && question.forNodes)) {
    return refuse(`Policy grants ${quote(verb)} to users only, this is ${whose}`);
  }
  const fitting: Fitting[] = [];
  let nearest = { index: 0, fit: 0 };
  for (const [index, rule] of policy.rules.entries()) {
    const fit = fitOf(rule, question);
    if (fit === ASPECTS.length) fitting.push(fittingOf(rule, index, question));
    else if (fit > nearest.fit) nearest = { index, fit };
  }
  const [best, ...rest] = fitting.sort(byLimits);
  if (best !== undefined) {
    const others = rest.filter(({ as }) => as === best.as).map(({ grant }) => grant);
    const { grant, as, commandsOnly } = best;
    const isLimited = grant.maxProcesses !== undefined || grant.paths !== undefined;
    const more = isLimited && others.length > 0 ? { others } : {};
    return { allowed: true, ...grant, as, commandsOnly, ...more };
  }
  if (nearest.fit === OWN) {
    const rule = `Rule allow[${nearest.index}]`;
    return refuse(`${rule} allows certain commands only, with no variables or folder of your own`);
  }
  return refuse(`Policy has no rule for ${whose}${lacking(nearest.fit, question)}`);
}

interface Fitting {
  readonly grant: Grant;
  readonly as: string;
  readonly commandsOnly: boolean;
}

function fittingOf(rule: PolicyRule, index: number, question: Question): Fitting {
  const { maxProcesses, paths, commands } = rule;
  const limits = { maxProcesses, ...(paths === undefined ? {} : { paths }) };
  return {
    grant: { rule: `allow[${index}]`, ...limits },
    as: resolveAs(rule, question) ?? "",
    commandsOnly: commands !== undefined,
  };
}

/** First who is somebody, then who may run most at once, then who may do so anywhere. */
function byLimits(a: Fitting, b: Fitting): number {
  const [least, most] = [a, b].map(({ as, grant: { maxProcesses, paths }, commandsOnly }) => [
    Number(as === ""),
    -(maxProcesses ?? Number.MAX_SAFE_INTEGER),
    Number(paths !== undefined),
    Number(commandsOnly),
  ]) as [number[], number[]];
  return least.map((value, at) => value - (most[at] ?? 0)).find((value) => value !== 0) ?? 0;
}

/**
 * Whether "HOST:PORT" fits a pattern such as "10.0.0.*:443" or "*:*". Names are compared as they were
 * asked for: "localhost" and "127.0.0.1" are two destinations. A pattern that is a piece of an address
 * fits addresses alone, or "10.0.0.attacker.example" would be in the network "10.0.0.*".
 */
export function matchesDestination(pattern: string, destination: string): boolean {
  const [host, port] = splitDestination(pattern);
  const [toHost, toPort] = splitDestination(destination);
  if (isAddressPattern(host) && !isAddress(toHost)) return false;
  return matchesPattern(host, toHost) && (port === "*" || port === toPort);
}

/**
 * Whether an absolute path, or a folder above it, fits a pattern such as "/srv/n*", where `*` stands
 * for any characters within one name. A path with `.`, `..` or an empty name in it fits nothing.
 */
export function matchesPath(pattern: string, path: string): boolean {
  const names = namesOfPath(path);
  const patterns = namesOfPath(pattern);
  if (names === undefined || patterns === undefined || names.length < patterns.length) return false;
  return patterns.every((each, index) => matchesPattern(each, names[index] ?? ""));
}

/** Undefined unless it is absolute and says where it leads. A slash at its end means nothing. */
export function namesOfPath(path: string): string[] | undefined {
  if (path === "/") return [];
  if (!path.startsWith("/")) return undefined;
  const names = path.slice(1).split("/");
  if (names.at(-1) === "") names.pop();
  return names.some((name) => name === "" || name === "." || name === "..") ? undefined : names;
}

/** "10.0.0.*", "[fd00::*]": not "*", which is anywhere. */
function isAddressPattern(host: string): boolean {
  return host.startsWith("[") || /^[\d.*]*[\d.][\d.*]*$/.test(host);
}

/** Written in full: "10.1" and "010.0.0.1" are other addresses than they look like. */
function isAddress(host: string): boolean {
  return /^\[[0-9a-f:.]*:[0-9a-f:.]*\]$/.test(host) ||
    /^(?:(?:\d|[1-9]\d|1\d\d|2[0-4]\d|25[0-5])(?:\.(?!$)|$)){4}$/.test(host);
}

/** "db:5432", "[fd00::1]:443"; names in lower case, since they mean the same. */
export function formatDestination(host: string, port: number): string {
  const name = host.toLowerCase();
  return name.includes(":") ? `[${name}]:${port}` : `${name}:${port}`;
}

function splitDestination(text: string): [host: string, port: string] {
  const colon = text.lastIndexOf(":");
  return [text.slice(0, colon), text.slice(colon + 1)];
}

type Aspect = (rule: PolicyRule, question: Question) => boolean;

/** In the order in which a refusal names what is lacking. */
const ASPECTS: readonly Aspect[] = [
  (rule, { principal }) => rule.who.some((who) => isWho(who, principal)),
  (rule, { verb }) => rule.verbs.some((pattern) => matchesVerb(pattern, verb)),
  (rule, { self }) => rule.on.some((on) => isOn(on, self)),
  (rule, question) => resolveAs(rule, question) !== undefined,
  (rule, { argv }) =>
    rule.commands === undefined ||
    (argv !== undefined && rule.commands.some((command) => matchesCommand(command, argv))),
  (rule, { destination }) =>
    rule.destinations === undefined ||
    (destination !== undefined &&
      rule.destinations.some((pattern) => matchesDestination(pattern, destination))),
  (rule, { path }) =>
    rule.paths === undefined ||
    (path !== undefined && rule.paths.some((pattern) => matchesPath(pattern, path))),
  (rule, { bendsCommand = false }) => rule.commands === undefined || !bendsCommand,
];

const COMMANDS = 4;
const DESTINATIONS = 5;
const PATHS = 6;
const OWN = 7;

function fitOf(rule: PolicyRule, question: Question): number {
  const lacking = ASPECTS.findIndex((aspect) => !aspect(rule, question));
  return lacking < 0 ? ASPECTS.length : lacking;
}

function lacking(aspect: number, question: Question): string {
  const { verb, self, as, argv, destination, path } = question;
  const parts = [
    "",
    ` which allows ${quote(verb)}`,
    ` on ${quote(self.name)} (groups ${quoteList(self.groups)})`,
    `${as === "" ? "" : ` as unix user ${quote(as)}`}`,
  ];
  const given = aspect === COMMANDS
    ? argv ? ` with the command ${quoteList(argv)}` : " without a command"
    : aspect === DESTINATIONS
    ? destination ? ` to ${quote(destination)}` : " without a destination"
    : aspect === PATHS
    ? path === undefined ? " without a path" : ` with the path ${quote(path)}`
    : "";
  return parts.slice(0, aspect + 1).join("") + given;
}

function isWho(who: string, principal: PolicyPrincipal): boolean {
  if (principal.type === "node") {
    return who.startsWith(NODE) && matchesPattern(who.slice(NODE.length), principal.name);
  }
  return who === `user:${principal.name}` || who === `key:${principal.keyId}` ||
    principal.groups.some((group) => who === `group:${group}`);
}

function matchesVerb(pattern: string, verb: string): boolean {
  if (pattern === "*" || pattern === verb) return true;
  return pattern.endsWith(".*") && verb.startsWith(pattern.slice(0, -1));
}

function isOn(on: string, self: Question["self"]): boolean {
  if (on.startsWith("@")) return self.groups.includes(on.slice(1));
  return matchesPattern(on, self.name);
}

/** The user to run as, empty for nobody in particular; undefined when the rule does not grant it. */
function resolveAs(rule: PolicyRule, question: Question): string | undefined {
  const { as, principal: { unixUser } } = question;
  const own = rule.as.includes("$user") && unixUser !== "root" ? unixUser : undefined;
  if (as === "") return own ?? "";
  return as === own || rule.as.includes(as) && as !== "$user" ? as : undefined;
}

function refuse(why: string): Judgement {
  return { allowed: false, why };
}
