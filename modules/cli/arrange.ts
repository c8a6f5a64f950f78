/**
 * Rewrites a command line into the form that stricli scans, so that the habits of getopt hold:
 * global options may stand before the command, `-wn[1-4]` and `-bw n1` are taken apart, `--name=`
 * is an empty value, and from the first argument of a verbatim command on nothing is an option.
 * What is wrong with the line is left for the scanner to say, except for what it would take as an argument.
 */

import { UsageError } from "../../core/mod.ts";
import type { Arguments } from "../shared/command.ts";
import type { Option } from "../shared/option.ts";
import { didYouMean } from "../shared/suggest.ts";
import { dashed, type Entry, followWords, GLOBAL_OPTIONS, optionsOf } from "./entries.ts";

/** The words of the command first, then its options and arguments. */
export function arrange(entries: readonly Entry[], words: readonly string[]): string[] {
  const { leading, at } = takeLeading(words);
  const unknown = words[at];
  if (unknown !== undefined && isOption(unknown) && !["--help", "-h", "--"].includes(unknown)) {
    throw unknownOption(unknown, GLOBAL_OPTIONS);
  }
  const { entry, path } = followWords(entries, words.slice(at));
  const rest = words.slice(at + path.length);
  if (leading.length > 0 && at === words.length) {
    const hint = 'See "minime --help"';
    const last = leading.at(-1) as string;
    const open = Object.entries(GLOBAL_OPTIONS).find(([name]) => last === `--${dashed(name)}`)?.[1];
    if (open?.kind === "value") throw new UsageError(`Option "${last}" needs a value`, { hint });
    throw new UsageError("No command was given", { hint });
  }
  if (entry?.kind !== "command") return [...path, ...rest];
  return [...path, ...leading, ...arrangeCommand(optionsOf(entry), entry.args ?? {}, rest)];
}

/** Which command a line names, if any: the first word after the options that may stand before it. */
export function commandWord(words: readonly string[]): string | undefined {
  const { at } = takeLeading(words);
  return words[at];
}

/** The global options before the command, and where they end: at --help or at what is none, too. */
function takeLeading(words: readonly string[]): { leading: string[]; at: number } {
  const leading: string[] = [];
  let at = 0;
  while (at < words.length && isOption(words[at] as string)) {
    const word = words[at] as string;
    if (word === "--help" || word === "-h" || word === "--") break;
    const taken = takeOption(GLOBAL_OPTIONS, words, at);
    if (taken === undefined) break;
    leading.push(...taken.words);
    at = taken.next;
  }
  return { leading, at };
}

function arrangeCommand(
  options: Readonly<Record<string, Option>>,
  { verbatim, capitals }: Pick<Arguments, "verbatim" | "capitals">,
  words: readonly string[],
): string[] {
  const result: string[] = [];
  for (let at = 0; at < words.length;) {
    const word = words[at] as string;
    if (word === "--") return [...result, ...words.slice(at)];
    if (!isOption(word)) {
      if (verbatim === true) return [...result, "--", ...words.slice(at)];
      result.push(word);
      at++;
      continue;
    }
    const taken = takeOption(options, words, at) ?? takeCapitals(capitals, word, at);
    result.push(...(taken?.words ?? [word]));
    at = taken?.next ?? at + 1;
    // The scanner takes a one-letter long option for an argument.
    if (taken === undefined && /^--.(=|$)/.test(word)) throw unknownOption(word, options);
  }
  return result;
}

/** "-" alone is a value: stdin. "-5" is a number. */
function isOption(word: string): boolean {
  return /^-[^\d]/.test(word);
}

/** Undefined for an option that is not known; --help is none of ours. */
function takeOption(
  options: Readonly<Record<string, Option>>,
  words: readonly string[],
  at: number,
): { words: string[]; next: number } | undefined {
  const word = words[at] as string;
  if (!word.startsWith("--")) return takeLetters(options, words, at);
  const equals = word.indexOf("=");
  const name = word.slice(2, equals < 0 ? undefined : equals);
  const found = Object.entries(options).find(([key]) => dashed(key) === name);
  if (found === undefined) return undefined;
  if (found[1].kind === "flag") {
    if (equals < 0) return { words: [word], next: at + 1 };
    throw new UsageError(`Option "--${name}" takes no value`);
  }
  if (equals < 0) return takeValue([`--${name}`], words, at + 1);
  return { words: valueWords(`--${name}`, word.slice(equals + 1)), next: at + 1 };
}

function takeCapitals(
  option: string | undefined,
  word: string,
  at: number,
): { words: string[]; next: number } | undefined {
  if (option === undefined || !/^-[A-Z][A-Z0-9]+$/.test(word)) return undefined;
  return { words: [`--${option}`, word.slice(1)], next: at + 1 };
}

function takeLetters(
  options: Readonly<Record<string, Option>>,
  words: readonly string[],
  at: number,
): { words: string[]; next: number } | undefined {
  const word = words[at] as string;
  const result: string[] = [];
  for (let i = 1; i < word.length; i++) {
    const letter = word[i] as string;
    const found = Object.entries(options).find(([, option]) => option.letter === letter);
    if (found === undefined) {
      if (letter !== "h") return undefined;
      result.push("-h");
      continue;
    }
    if (found[1].kind === "flag") {
      if (word[i + 1] === "=") throw new UsageError(`Option "-${letter}" takes no value`);
      result.push(`-${letter}`);
      continue;
    }
    const name = `--${dashed(found[0])}`;
    if (i === word.length - 1) return takeValue([...result, name], words, at + 1);
    const value = word.slice(word[i + 1] === "=" ? i + 2 : i + 1);
    return { words: [...result, ...valueWords(name, value)], next: at + 1 };
  }
  return { words: result, next: at + 1 };
}

/** The next word is the value, unless there is none or it is an option: the scanner says so. */
function takeValue(
  before: string[],
  words: readonly string[],
  at: number,
): { words: string[]; next: number } {
  const value = words[at];
  if (value === undefined || isOption(value)) return { words: before, next: at };
  return { words: [...before, value], next: at + 1 };
}

/** The scanner's `--name=value` takes neither nothing nor a line break; two words take both. */
function valueWords(name: string, value: string): string[] {
  return value.startsWith("-") && value !== "-" ? [`${name}=${value}`] : [name, value];
}

/** Also used by the scanner's own complaints. */
export function unknownOption(
  word: string,
  options: Readonly<Record<string, Option>>,
): UsageError {
  const name = word.replace(/^--?/, "").replace(/=.*/, "");
  if (!word.startsWith("--")) return new UsageError(`Unknown option "${word}"`);
  const names = [...Object.keys(options).map(dashed), "help"];
  const suggestion = didYouMean(name, names).replace(/"([a-z])/g, '"--$1');
  return new UsageError(`Unknown option "--${name}"${suggestion}`);
}
