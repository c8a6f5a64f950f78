/**
 * Amounts of bytes as people write and read them. Printed in decimal units (1 MB = 1,000,000 bytes)
 * as disks and networks are; read in both: "64k", "1.5 GiB", "38.1 MB", "10".
 */
import { UsageError } from "../../core/mod.ts";
import { readNumber } from "./duration.ts";
import { QUANTITY_CHARACTERS_MAX } from "./limits.ts";
import { printable } from "./text.ts";

const PREFIXES = ["", "k", "m", "g", "t", "p"];

/** "0 B", "999 B", "1.0 kB", "38.1 MB", "120 GB": three figures, rounded. */
export function formatSize(bytes: number): string {
  if (!Number.isFinite(bytes)) return "-";
  const sign = bytes < 0 ? "-" : "";
  let value = Math.abs(bytes);
  if (value < 999.5) return `${sign}${Math.round(value)} B`;
  let unit = 0;
  while (value >= 999.5 && unit < PREFIXES.length - 1) {
    value /= 1_000;
    unit++;
  }
  const figures = value < 99.95 ? value.toFixed(1) : String(Math.round(value));
  return `${sign}${figures} ${["B", "kB", "MB", "GB", "TB", "PB"][unit]}`;
}

/** Whole bytes; a number alone counts bytes. @throws UsageError that quotes the text */
export function parseSize(text: string): number {
  const problem = (reason: string) =>
    new UsageError(`Cannot read size ${JSON.stringify(printable(text, 80))}: ${reason}`, {
      hint: "Write a number and a unit: 512, 64k, 38.1 MB, 1.5 GiB",
    });
  if (text.length > QUANTITY_CHARACTERS_MAX) throw problem("it is too long");
  const words = text.trim().toLowerCase();
  const number = readNumber(words, 0);
  if (number === undefined) throw problem("it must start with a number");
  const name = words.slice(number.length).trim();
  const letters = name.endsWith("b") ? name.slice(0, -1) : name;
  const binary = letters.endsWith("i");
  const power = PREFIXES.indexOf(binary ? letters.slice(0, -1) : letters);
  if (power < 0 || (binary && power === 0)) {
    throw problem(`there is no unit ${JSON.stringify(printable(name))}`);
  }
  const bytes = Math.round(Number(number) * (binary ? 1_024 : 1_000) ** power);
  if (!Number.isSafeInteger(bytes)) throw problem("it is too large");
  return bytes;
}
