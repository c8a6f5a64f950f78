/**
 * Text as a terminal shows it: width in columns, cutting, padding, and making foreign text harmless.
 * Widths follow Unicode's East Asian Width for wide characters; marks and joined emoji add nothing.
 * Used by tables and by everything that prints what another machine said.
 */

/** First and last code point of what terminals draw two columns wide. */
const WIDE: readonly (readonly [number, number])[] = [
  [0x1100, 0x115f],
  [0x231a, 0x231b],
  [0x23e9, 0x23ec],
  [0x25fd, 0x25fe],
  [0x2614, 0x2615],
  [0x2648, 0x2653],
  [0x26a1, 0x26a1],
  [0x2705, 0x2705],
  [0x274c, 0x274c],
  [0x2e80, 0x303e],
  [0x3041, 0x33ff],
  [0x3400, 0x4dbf],
  [0x4e00, 0x9fff],
  [0xa000, 0xa4cf],
  [0xa960, 0xa97f],
  [0xac00, 0xd7a3],
  [0xf900, 0xfaff],
  [0xfe30, 0xfe6f],
  [0xff00, 0xff60],
  [0xffe0, 0xffe6],
  [0x1f004, 0x1f004],
  [0x1f18e, 0x1f19a],
  [0x1f200, 0x1f265],
  [0x1f300, 0x1f3fa],
  [0x1f400, 0x1f64f],
  [0x1f680, 0x1f6ff],
  [0x1f7e0, 0x1f7eb],
  [0x1f900, 0x1f9ff],
  [0x1fa70, 0x1faff],
  [0x20000, 0x3fffd],
];

const JOINER = 0x200d;
const MARK = /^\p{M}$/u;

/** Columns that `text` takes on a terminal. Control characters count nothing: see {@link printable}. */
export function displayWidth(text: string): number {
  let width = 0;
  for (const step of steps(text)) width += step.width;
  return width;
}

/** `text`, cut to at most `columns`; what was cut is marked by `…`, which is counted. */
export function truncateText(text: string, columns: number): string {
  if (text.length <= columns && isAscii(text)) return text;
  if (displayWidth(text) <= columns) return text;
  if (columns <= 0) return "";
  let width = 0;
  let kept = "";
  for (const step of steps(text)) {
    if (width + step.width > columns - 1) break;
    width += step.width;
    kept += step.character;
  }
  return kept + "…";
}

/** `text` filled with spaces to `columns`; longer text stays as it is. */
export function padText(text: string, columns: number, align: "left" | "right" = "left"): string {
  const fill = " ".repeat(Math.max(0, columns - displayWidth(text)));
  return align === "left" ? text + fill : fill + text;
}

/**
 * `text` without anything that moves a cursor, changes colours or turns the direction of writing:
 * line breaks and tabs become spaces, other such characters `\uFFFD`. At most `charactersMax` are kept.
 */
export function printable(text: string, charactersMax: number = text.length): string {
  let plain = true;
  const end = Math.min(text.length, charactersMax);
  for (let i = 0; i < end && plain; i++) {
    const code = text.charCodeAt(i);
    plain = code >= 0x20 && code < 0x7f;
  }
  const kept = end === text.length ? text : text.slice(0, end);
  if (plain) return kept;
  let result = "";
  for (const character of kept) {
    const code = character.codePointAt(0) ?? 0;
    if (code === 0x09 || code === 0x0a || code === 0x0d) result += " ";
    else result += isHarmful(code) ? "\uFFFD" : character;
  }
  return result;
}

function isHarmful(code: number): boolean {
  return code < 0x20 || (code >= 0x7f && code < 0xa0) || // C0, DEL, C1
    code === 0x061c || code === 0x200e || code === 0x200f || // direction marks
    (code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069) ||
    (code >= 0xd800 && code <= 0xdfff) || code === 0xfeff; // lone surrogates, byte order mark
}

function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0x7e) return false;
  return true;
}

/** Code points with what each adds to the width; one that is joined to the last adds nothing. */
function* steps(text: string): Generator<{ character: string; width: number }> {
  let joined = false;
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0;
    const width = joined ? 0 : codeWidth(code, character);
    joined = code === JOINER;
    yield { character, width };
  }
}

function codeWidth(code: number, character: string): 0 | 1 | 2 {
  if (code < 0x20 || (code >= 0x7f && code < 0xa0)) return 0;
  if (code < 0x300) return 1;
  if (code >= 0x200b && code <= 0x200f) return 0;
  if (code >= 0xfe00 && code <= 0xfe0f) return 0; // variation selectors
  if (code >= 0x1f3fb && code <= 0x1f3ff) return 0; // skin tones belong to the emoji before
  if (MARK.test(character)) return 0;
  return WIDE.some(([first, last]) => code >= first && code <= last) ? 2 : 1;
}
