/**
 * Options of commands as data: what `--interval 2s` or `-b` looks like, and the type that the
 * command gets. Names are camelCase here and kebab-case on the command line. An option without a
 * default is `undefined` when it was not given; a flag is then false, a repeatable one empty.
 */

import { UsageError } from "../../core/mod.ts";
import { formatDuration, parseDuration } from "./duration.ts";

/** Where shell completion takes values from. "nodes" knows nodesets; "files" leaves it to the shell. */
export type Completion = "nodes" | "groups" | "meshes" | "commands" | "shells" | "files";

interface OptionBase {
  /** One line for --help; starts upper case, no period. */
  readonly brief: string;
  /** The short form: one letter. */
  readonly letter?: string;
}

export interface FlagOption extends OptionBase {
  readonly kind: "flag";
}

export interface ValueOption<T = unknown, Given extends boolean = boolean> extends OptionBase {
  readonly kind: "value";
  /** Upper case, as it stands in the help: "NODESET". */
  readonly placeholder: string;
  /** Throws UsageError with what is wrong and what would be right. */
  readonly parse: (text: string) => T;
  /** As it would be typed. */
  readonly default?: string;
  /** The only values there are, for help and completion. */
  readonly choices?: readonly string[];
  readonly completion?: Completion;
  /** Never set: carries in the type whether there is always a value. */
  readonly given?: Given;
}

export interface ListOption<T = unknown> extends OptionBase {
  readonly kind: "list";
  readonly placeholder: string;
  readonly parse: (text: string) => T;
  readonly completion?: Completion;
}

export type Option = FlagOption | ValueOption | ListOption;
export type Options = Readonly<Record<string, Option>>;

/** What a command gets for the options that it declares. */
export type OptionsOf<O extends Options> = {
  readonly [K in keyof O]: O[K] extends FlagOption ? boolean
    : O[K] extends ListOption<infer T> ? readonly T[]
    : O[K] extends ValueOption<infer T, true> ? T
    : O[K] extends ValueOption<infer T, boolean> ? T | undefined
    : never;
};

interface Extras {
  readonly letter?: string;
  readonly placeholder?: string;
  readonly completion?: Completion;
}
type Limit = Extras & { readonly mostMs?: number };
type WithDefault = Extras & { readonly default: string };

/** `--name`: true when given. */
export function flag(brief: string, extras: { letter?: string } = {}): FlagOption {
  return { kind: "flag", brief, ...extras };
}

/** `--name VALUE` with a parser of its own. */
export function value<T>(
  brief: string,
  parse: (text: string) => T,
  extras: WithDefault & { choices?: readonly string[] },
): ValueOption<T, true>;
export function value<T>(
  brief: string,
  parse: (text: string) => T,
  extras?: Extras & { choices?: readonly string[] },
): ValueOption<T, false>;
export function value<T>(
  brief: string,
  parse: (text: string) => T,
  extras: Extras & { default?: string; choices?: readonly string[] } = {},
): ValueOption<T> {
  return { kind: "value", brief, parse, placeholder: "VALUE", ...extras };
}

/** `--name TEXT`. */
export function text(brief: string, extras: WithDefault): ValueOption<string, true>;
export function text(brief: string, extras?: Extras): ValueOption<string, false>;
export function text(brief: string, extras: Extras & { default?: string } = {}): ValueOption {
  return value(brief, (given) => given, { placeholder: "TEXT", ...extras });
}

/** `--name N`: a whole number within bounds. */
export function whole(
  brief: string,
  bounds: { minimum: number; maximum: number },
  extras: WithDefault,
): ValueOption<number, true>;
export function whole(
  brief: string,
  bounds: { minimum: number; maximum: number },
  extras?: Extras,
): ValueOption<number, false>;
export function whole(
  brief: string,
  bounds: { minimum: number; maximum: number },
  extras: Extras & { default?: string } = {},
): ValueOption {
  const parse = (given: string): number => {
    const number = /^\d{1,15}$/.test(given) ? Number(given) : NaN;
    if (number >= bounds.minimum && number <= bounds.maximum) return number;
    throw new UsageError(
      `"${given}" is not a whole number from ${bounds.minimum} to ${bounds.maximum}`,
    );
  };
  return value(brief, parse, { placeholder: "N", ...extras });
}

/** `--name 1m30s`, as milliseconds. */
export function duration(brief: string, extras: WithDefault): ValueOption<number, true>;
export function duration(brief: string, extras?: Extras): ValueOption<number, false>;
export function duration(brief: string, extras: Extras & { default?: string } = {}): ValueOption {
  return value(brief, parseDuration, { placeholder: "TIME", ...extras });
}

/** As {@link duration}, for how long something may take: more than nothing, and `mostMs` at most. */
export function timeLimit(brief: string, extras: Limit & WithDefault): ValueOption<number, true>;
export function timeLimit(brief: string, extras?: Limit): ValueOption<number, false>;
export function timeLimit(
  brief: string,
  { mostMs = Infinity, ...extras }: Limit & { default?: string } = {},
): ValueOption {
  const parse = (given: string): number => {
    const ms = parseDuration(given);
    if (ms <= 0) throw new UsageError(`"${given}" leaves no time at all`);
    if (ms <= mostMs) return ms;
    throw new UsageError(`"${given}" is too long: ${formatDuration(mostMs)} is the most`);
  };
  return value(brief, parse, { placeholder: "TIME", ...extras });
}

/** `--name a|b|c`. */
export function choice<const C extends string>(
  brief: string,
  choices: readonly C[],
  extras: WithDefault & { readonly default: C },
): ValueOption<C, true>;
export function choice<const C extends string>(
  brief: string,
  choices: readonly C[],
  extras?: Extras,
): ValueOption<C, false>;
export function choice(
  brief: string,
  choices: readonly string[],
  extras: Extras & { default?: string } = {},
): ValueOption {
  const parse = (given: string): string => {
    if (choices.includes(given)) return given;
    throw new UsageError(`"${given}" is none of ${choices.join(", ")}`);
  };
  return value(brief, parse, { placeholder: choices.join("|"), choices, ...extras });
}

/** `--name VALUE` with a parser of its own, as often as one likes. */
export function listOf<T>(
  brief: string,
  parse: (text: string) => T,
  extras: Extras = {},
): ListOption<T> {
  return { kind: "list", brief, parse, placeholder: "VALUE", ...extras };
}

/** `--name VALUE`, as often as one likes. */
export function list(brief: string, extras: Extras = {}): ListOption<string> {
  return { kind: "list", brief, parse: (given) => given, placeholder: "TEXT", ...extras };
}
