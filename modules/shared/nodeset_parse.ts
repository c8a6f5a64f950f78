/**
 * The grammar of nodesets, see nodeset.ts. One pass over the text, no regular expressions; every
 * expansion is counted before it is made, so a short text cannot take much memory. Combining costs
 * only the size of the right-hand set. Problems come back as values: callers place them in a file.
 */
import { errorText, MinimeError } from "../../core/mod.ts";
import {
  NODESET_BRACKETS_MAX,
  NODESET_CHARACTERS_MAX,
  NODESET_DIGITS_MAX,
  NODESET_NAME_CHARACTERS_MAX,
  NODESET_NAMES_MAX,
} from "./limits.ts";
import { digitsEnd } from "./names.ts";

/** What the caller knows about its mesh. */
export type NodesetSource = {
  /** The names of a group; throws when there is no such group. */
  readonly resolve?: ((group: string) => readonly string[]) | undefined;
  /** Every name, for `*` and patterns. */
  readonly all?: (() => readonly string[]) | undefined;
};

export type NodesetLimits = {
  /** Names that the set may expand to. @default NODESET_NAMES_MAX */
  readonly namesMax?: number;
};

export type NodesetProblem = {
  /** In UTF-16 units from 0. */
  readonly offset: number;
  readonly reason: string;
  readonly cause?: unknown;
};

/** The names in no promised order, or in written order with repetitions when `list`; or the problem. */
export function readNodeset(
  text: string,
  source: NodesetSource,
  options: NodesetLimits & { list?: boolean } = {},
): string[] | NodesetProblem {
  const parser = new Parser(text, source, options);
  try {
    return parser.read();
  } catch (error) {
    if (error instanceof Stop) return error.problem;
    throw error;
  }
}

/** Characters of names and addresses: letters, digits and `. _ - : %`. */
export function isNodeCharacter(code: number): boolean {
  return (code >= 0x61 && code <= 0x7a) || (code >= 0x2d && code <= 0x3a && code !== 0x2f) ||
    (code >= 0x41 && code <= 0x5a) || code === 0x5f || code === 0x25;
}

/** Carries a problem up to readNodeset and never further. */
class Stop extends MinimeError {
  readonly problem: NodesetProblem;
  constructor(problem: NodesetProblem) {
    super(problem.reason);
    this.problem = problem;
  }
}

type Range = { low: number; high: number; step: number; width: number };
/** A literal, or the ranges of one bracket. */
type Piece = string | readonly Range[];

class Parser {
  readonly #text: string;
  readonly #source: NodesetSource;
  readonly #list: boolean;
  readonly #namesMax: number;
  #at = 0;
  #expanded = 0;

  constructor(
    text: string,
    source: NodesetSource,
    options: NodesetLimits & { readonly list?: boolean },
  ) {
    this.#text = text;
    this.#source = source;
    this.#list = options.list === true;
    this.#namesMax = options.namesMax ?? NODESET_NAMES_MAX;
  }

  read(): string[] {
    if (this.#text.length > NODESET_CHARACTERS_MAX) {
      this.#fail(0, `Text has more than ${NODESET_CHARACTERS_MAX} characters`);
    }
    const names = new Set<string>();
    const inOrder: string[] = [];
    const excluded: string[] = [];
    let operator = ",";
    this.#skipSpace();
    while (this.#at < this.#text.length) {
      const exclude = this.#text[this.#at] === "-" && operator === "," && !this.#list;
      if (exclude) this.#at++;
      const term = this.#term();
      if (this.#list) { for (const name of term) inOrder.push(name); }
      else if (exclude) { for (const name of term) excluded.push(name); }
      else combine(names, operator, term);
      operator = this.#operator();
    }
    for (const name of excluded) names.delete(name);
    return this.#list ? inOrder : [...names];
  }

  /** The operator before the next term; space alone is a comma. */
  #operator(): string {
    this.#skipSpace();
    const at = this.#at;
    const character = this.#text[at];
    if (character === undefined || !",!&^".includes(character)) return ",";
    if (this.#list && character !== ",") {
      this.#fail(at, `Operator "${character}" cannot stand in a plain list`);
    }
    this.#at++;
    this.#skipSpace();
    if (this.#at === this.#text.length) this.#fail(at, `Nothing follows "${character}"`);
    return character;
  }

  #term(): readonly string[] {
    const start = this.#at;
    const isGroup = this.#text[start] === "@";
    if (isGroup) this.#at++;
    if (this.#text[this.#at] === "-") this.#fail(this.#at, 'A name cannot start with "-"');
    const { pieces, pattern } = this.#pieces(start);
    if (pieces.length === 0) this.#failAtTerm(isGroup);
    const words = expand(pieces);
    if (this.#list && (isGroup || pattern)) {
      this.#fail(start, "Groups and patterns cannot stand in a plain list");
    }
    if (isGroup && pattern && words[0] !== "*") this.#fail(start, "A group's name has no pattern");
    if (pattern) return this.#matching(start, words);
    return isGroup ? this.#groups(start, words) : words;
  }

  /** Literals and brackets up to the end of the term, counted but not yet expanded. */
  #pieces(start: number): { pieces: Piece[]; pattern: boolean } {
    const pieces: Piece[] = [];
    let pattern = false;
    let characters = 0;
    let brackets = 0;
    let count = 1;
    for (;;) {
      const from = this.#at;
      while (this.#isLiteral(this.#at)) {
        pattern ||= isWildcard(this.#text.charCodeAt(this.#at));
        this.#at++;
      }
      if (this.#at > from) pieces.push(this.#text.slice(from, this.#at));
      characters += this.#at - from;
      if (characters > NODESET_NAME_CHARACTERS_MAX) {
        this.#fail(start, `Name has more than ${NODESET_NAME_CHARACTERS_MAX} characters`);
      }
      if (this.#text[this.#at] !== "[") break;
      if (++brackets > NODESET_BRACKETS_MAX) {
        this.#fail(this.#at, `Name has more than ${NODESET_BRACKETS_MAX} brackets`);
      }
      const ranges = this.#bracket();
      characters += ranges.reduce((most, range) => Math.max(most, rangeWidth(range)), 0);
      count *= ranges.reduce((sum, range) => sum + rangeCount(range), 0);
      this.#reserve(start, this.#expanded + count);
      pieces.push(ranges);
    }
    if (pieces.length > 0) this.#expanded += count;
    this.#reserve(start, this.#expanded);
    return { pieces, pattern };
  }

  /** `[1-3,007,10-20/2]` */
  #bracket(): Range[] {
    const open = this.#at++;
    const ranges: Range[] = [];
    for (;;) {
      this.#skipSpace();
      ranges.push(this.#range(open));
      this.#skipSpace();
      const character = this.#text[this.#at];
      if (character === undefined) this.#fail(open, "Bracket is never closed");
      if (character !== "," && character !== "]") {
        this.#fail(this.#at, `Expected "," or "]" but found ${quote(this.#text, this.#at)}`);
      }
      this.#at++;
      if (character === "]") return ranges;
    }
  }

  #range(open: number): Range {
    const start = this.#at;
    const first = this.#number(open);
    const padded = first.length > 1 && first.startsWith("0");
    const range = {
      low: Number(first),
      high: Number(first),
      step: 1,
      width: padded ? first.length : 0,
    };
    if (this.#text[this.#at] !== "-") return range;
    this.#at++;
    const at = this.#at;
    const last = this.#number(open);
    if (last.length > 1 && last.startsWith("0") && last.length !== range.width) {
      this.#fail(at, `Padding of "${first}" and "${last}" differs`);
    }
    range.high = Number(last);
    if (range.high < range.low) this.#fail(start, `Range ${first}-${last} counts down`);
    if (this.#text[this.#at] !== "/") return range;
    const slash = this.#at++;
    range.step = Number(this.#number(open));
    if (range.step === 0) this.#fail(slash, "Step is 0");
    return range;
  }

  #number(open: number): string {
    const start = this.#at;
    this.#at = digitsEnd(this.#text, start);
    if (start === this.#text.length) this.#fail(open, "Bracket is never closed");
    if (this.#at === start) {
      this.#fail(start, `Expected a number but found ${quote(this.#text, start)}`);
    }
    if (this.#at - start > NODESET_DIGITS_MAX) {
      this.#fail(start, `Number has more than ${NODESET_DIGITS_MAX} digits`);
    }
    return this.#text.slice(start, this.#at);
  }

  #groups(start: number, groups: readonly string[]): readonly string[] {
    const { resolve } = this.#source;
    if (resolve === undefined) this.#fail(start, "Groups are not known here");
    const found: string[] = [];
    for (const group of groups) {
      const members = this.#ask(start, () => resolve(group));
      this.#reserve(start, this.#expanded += members.length);
      for (const name of members) found.push(name);
    }
    return found;
  }

  #matching(start: number, patterns: readonly string[]): readonly string[] {
    const { all } = this.#source;
    if (all === undefined) this.#fail(start, "All names are not known here");
    const names = this.#ask(start, all);
    this.#reserve(start, this.#expanded += names.length * patterns.length);
    return patterns.flatMap((pattern) => names.filter((name) => matches(name, pattern)));
  }

  /** Calls the caller's function; what it throws becomes a problem at the term that asked. */
  #ask(start: number, what: () => readonly string[]): readonly string[] {
    try {
      return what();
    } catch (error) {
      throw new Stop({ offset: start, reason: errorText(error), cause: error });
    }
  }

  #reserve(start: number, count: number): void {
    if (count > this.#namesMax) {
      this.#fail(start, `Set expands to more than ${this.#namesMax} names`);
    }
  }

  #skipSpace(): void {
    while (" \t\r\n".includes(this.#text[this.#at] ?? "x")) this.#at++;
  }

  #isLiteral(at: number): boolean {
    const code = this.#text.charCodeAt(at);
    return isNodeCharacter(code) || isWildcard(code);
  }

  #failAtTerm(isGroup: boolean): never {
    const character = this.#text[this.#at];
    if (isGroup) this.#fail(this.#at - 1, `No group's name follows "@"`);
    if (character === undefined) this.#fail(this.#at - 1, "A name is missing");
    if (",!&^".includes(character)) this.#fail(this.#at, `Nothing stands before "${character}"`);
    if (character === "]") this.#fail(this.#at, `"]" closes no bracket`);
    this.#fail(this.#at, `Unexpected ${quote(this.#text, this.#at)}`);
  }

  #fail(offset: number, reason: string): never {
    throw new Stop({ offset, reason });
  }
}

function combine(names: Set<string>, operator: string, term: readonly string[]): void {
  if (operator === ",") {
    for (const name of term) names.add(name);
  } else if (operator === "!") {
    for (const name of term) names.delete(name);
  } else if (operator === "&") {
    const kept = term.filter((name) => names.has(name));
    names.clear();
    for (const name of kept) names.add(name);
  } else {
    for (const name of new Set(term)) if (!names.delete(name)) names.add(name);
  }
}

function expand(pieces: readonly Piece[]): string[] {
  let names = [""];
  for (const piece of pieces) {
    if (typeof piece === "string") {
      names = names.length === 1 ? [names[0] + piece] : names.map((name) => name + piece);
      continue;
    }
    const indices = piece.flatMap(indicesOf);
    names = names.flatMap((name) => indices.map((index) => name + index));
  }
  return names;
}

function indicesOf(range: Range): string[] {
  const indices: string[] = [];
  for (let value = range.low; value <= range.high; value += range.step) {
    indices.push(String(value).padStart(range.width, "0"));
  }
  return indices;
}

function rangeCount(range: Range): number {
  return Math.floor((range.high - range.low) / range.step) + 1;
}

/** Digits of the longest index. */
function rangeWidth(range: Range): number {
  return Math.max(range.width, String(range.high).length);
}

function isWildcard(code: number): boolean {
  return code === 0x2a || code === 0x3f;
}

/** `*` is any text, `?` one character. Goes back only to the last star, so it costs at most the product. */
function matches(name: string, pattern: string): boolean {
  let n = 0;
  let p = 0;
  let star = -1;
  let resume = 0;
  while (n < name.length) {
    if (pattern[p] === "*") {
      star = p++;
      resume = n;
    } else if (pattern[p] === "?" || (p < pattern.length && pattern[p] === name[n])) {
      n++;
      p++;
    } else if (star >= 0) {
      p = star + 1;
      n = ++resume;
    } else return false;
  }
  while (pattern[p] === "*") p++;
  return p === pattern.length;
}

function quote(text: string, at: number): string {
  const code = text.codePointAt(at) ?? 0;
  return JSON.stringify(String.fromCodePoint(code));
}
