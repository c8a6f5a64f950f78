/**
 * Durations in milliseconds as people write and read them. Three forms: `parseDuration` reads
 * "90s", "1h30m", "1 min 5 s"; `formatDuration` is short and rounded down, for tables; and
 * `writeDuration` is exact, for files.
 */
import { UsageError } from "../../core/mod.ts";
import { DURATION_MS_MAX, QUANTITY_CHARACTERS_MAX } from "./limits.ts";
import { digitsEnd, isDigit } from "./names.ts";
import { printable } from "./text.ts";

/** Largest first; each may stand once, in this order. */
const UNITS: readonly { readonly names: readonly string[]; readonly ms: number }[] = [
  { names: ["w"], ms: 604_800_000 },
  { names: ["d"], ms: 86_400_000 },
  { names: ["h"], ms: 3_600_000 },
  { names: ["m", "min"], ms: 60_000 },
  { names: ["s"], ms: 1_000 },
  { names: ["ms"], ms: 1 },
];

/** Whole milliseconds. @throws UsageError that quotes the text and says what is wrong */
export function parseDuration(text: string): number {
  const problem = (reason: string) =>
    new UsageError(`Cannot read duration ${JSON.stringify(printable(text, 80))}: ${reason}`, {
      hint: "Write a number and a unit: 250ms, 10s, 5m, 1h30m, 2d",
    });
  if (text.length > QUANTITY_CHARACTERS_MAX) throw problem("it is too long");
  const words = text.trim();
  if (words === "0") return 0;
  if (words === "") throw problem("it is empty");
  let total = 0;
  let smallest = Infinity;
  let at = 0;
  while (at < words.length) {
    const number = readNumber(words, at);
    if (number === undefined) throw problem("it must start with a number");
    at = skipSpaces(words, at + number.length);
    const from = at;
    while (at < words.length && isLetter(words.charCodeAt(at))) at++;
    const name = words.slice(from, at);
    const unit = UNITS.find((entry) => entry.names.includes(name));
    if (name === "") throw problem(`${JSON.stringify(number)} has no unit`);
    if (unit === undefined) throw problem(`there is no unit ${JSON.stringify(name)}`);
    if (unit.ms >= smallest) throw problem("larger units come first, and each once");
    smallest = unit.ms;
    total += Number(number) * unit.ms;
    at = skipSpaces(words, at);
  }
  if (total > DURATION_MS_MAX) throw problem("it is longer than 100 years");
  return Math.round(total);
}

/** "0 ms", "250 ms", "12 s", "1 min 5 s", "2 h 3 min", "3 d 4 h": two units at most, rounded down. */
export function formatDuration(ms: number): string {
  if (!Number.isFinite(ms)) return "-";
  const sign = ms < 0 ? "-" : "";
  const whole = Math.floor(Math.abs(ms));
  if (whole < 1_000) return `${sign}${whole} ms`;
  const seconds = Math.floor(whole / 1_000);
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(minutes / 60);
  if (minutes === 0) return `${sign}${seconds} s`;
  if (hours === 0) return sign + pair(minutes, "min", seconds % 60, "s");
  if (hours < 24) return sign + pair(hours, "h", minutes % 60, "min");
  return sign + pair(Math.floor(hours / 24), "d", hours % 24, "h");
}

/** The exact duration in the shortest form that `parseDuration` reads back: "1h30m", "250ms". */
export function writeDuration(ms: number): string {
  if (ms === 0) return "0";
  let rest = Math.round(ms);
  let text = "";
  for (const unit of UNITS.slice(1)) {
    const count = Math.floor(rest / unit.ms);
    if (count > 0) text += `${count}${unit.names[0]}`;
    rest -= count * unit.ms;
  }
  return text;
}

function pair(large: number, largeUnit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${large} ${largeUnit}` : `${large} ${largeUnit} ${small} ${smallUnit}`;
}

/** The text of the decimal number at `at`: digits, and a fraction with digits on both sides. */
function readNumber(text: string, at: number): string | undefined {
  let end = digitsEnd(text, at);
  if (end === at) return undefined;
  if (text[end] === "." && isDigit(text.charCodeAt(end + 1))) end = digitsEnd(text, end + 1);
  return text.slice(at, end);
}

function skipSpaces(text: string, at: number): number {
  let end = at;
  while (text[end] === " ") end++;
  return end;
}

function isLetter(code: number): boolean {
  return code >= 0x61 && code <= 0x7a;
}
