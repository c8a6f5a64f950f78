/**
 * Patterns for the argv of a program, as rules with `commands` have them (SECURITY.md 3): word by word,
 * never through a shell. A `*` must not lead out of the folder before it: it stands for no `/`, and for
 * no name that leads elsewhere. A word `*` alone says that any word will do.
 */
import { matchesPattern } from "./name.ts";

/**
 * Whether argv fits a pattern such as "/usr/bin/lscpu *": as many words, each fitting its own. A word
 * that is `*` alone fits any, also `..` and options; as the last of several it stands for any number of
 * words, also none. In a longer word `*` stands for any characters within one name: between two `/`,
 * or in a word without. Only what an option is set to (`--name=*`, without a `/`) may be any text.
 */
export function matchesCommand(pattern: string, argv: readonly string[]): boolean {
  const words = pattern.split(" ").filter((word) => word !== "");
  const open = words.length > 1 && words.at(-1) === "*";
  if (open) words.pop();
  if (open ? argv.length < words.length : argv.length !== words.length) return false;
  return words.every((word, index) => {
    const given = argv[index] ?? "";
    return word === "*" || (index > 0 && fitsOption(word, given)) || fitsNames(word, given);
  });
}

/** "--name=*": what the value means, and whether it is a path, nobody knows. */
function fitsOption(pattern: string, word: string): boolean {
  const [name, value] = splitOption(pattern);
  const [givenName, givenValue] = splitOption(word);
  if (pattern.includes("/") || value === undefined || givenValue === undefined) return false;
  return fitsNames(name, givenName) && matchesPattern(value, givenValue);
}

function splitOption(word: string): [name: string, value: string | undefined] {
  const at = word.indexOf("=");
  return at < 0 ? [word, undefined] : [word.slice(0, at), word.slice(at + 1)];
}

/** The same number of names between slashes, each fitting its own. */
function fitsNames(pattern: string, word: string): boolean {
  const patterns = pattern.split("/");
  const names = word.split("/");
  return patterns.length === names.length &&
    patterns.every((each, index) => fitsName(each, names[index] ?? ""));
}

function fitsName(pattern: string, name: string): boolean {
  if (name === "" || name === "." || name === "..") return pattern === name;
  return matchesPattern(pattern, name);
}
