/**
 * Names of nodes, users, groups, modules, verbs and meshes (SECURITY.md R3): `[a-z0-9][a-z0-9._-]{0,62}`,
 * compared byte-exact. Patterns are names in which `*` stands for any run of characters. Nothing here
 * runs a regular expression: the strings come from peers, and matching takes bounded time.
 */
import { ProtocolError } from "../errors.ts";
import { NAME_CHARACTERS_MAX } from "../limits.ts";

/** True for a name by rule R3. */
export function isName(text: string): boolean {
  if (text.length < 1 || text.length > NAME_CHARACTERS_MAX) return false;
  if (!isLetterOrDigit(text.charCodeAt(0))) return false;
  for (let index = 1; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (!isLetterOrDigit(code) && code !== DOT && code !== UNDERSCORE && code !== DASH) {
      return false;
    }
  }
  return true;
}

/**
 * The text itself when it is a name, otherwise a ProtocolError. `what` starts the error text, such as
 * "Name of the certificate".
 */
export function checkName(text: string, what: string): string {
  if (!isName(text)) {
    throw new ProtocolError(
      `${what} is no name: ${
        quote(text)
      }: wanted are 1 to ${NAME_CHARACTERS_MAX} of a-z, 0-9, ".", "_" and "-", first a letter or digit`,
    );
  }
  return text;
}

/** True for a name in which any characters may be replaced by `*`, for example "*" or "n*.rack1". */
export function isNamePattern(text: string): boolean {
  if (text.length > NAME_CHARACTERS_MAX) return false;
  // Any letter stands in for the star: what is around it must still be a name.
  return isName(text.replaceAll("*", "a"));
}

/**
 * Whether `text` as a whole fits `pattern`, where each `*` stands for any run of characters, also
 * none. Takes at most pattern length x text length steps (no backtracking beyond the last star).
 */
export function matchesPattern(pattern: string, text: string): boolean {
  let at = 0;
  let read = 0;
  let star = -1;
  let resume = 0;
  while (read < text.length) {
    if (pattern[at] === "*") {
      star = at++;
      resume = read;
    } else if (at < pattern.length && pattern[at] === text[read]) {
      at++;
      read++;
    } else if (star >= 0) {
      at = star + 1;
      read = ++resume;
    } else {
      return false;
    }
  }
  while (pattern[at] === "*") at++;
  return at === pattern.length;
}

/**
 * True for a user's name of the operating system: `[A-Za-z_][A-Za-z0-9._-]*`. Names of digits alone
 * are none: programs such as setpriv would read them as a user id.
 */
export function isUnixUser(text: string): boolean {
  if (text.length < 1 || text.length > UNIX_USER_CHARACTERS_MAX) return false;
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (isLetter(code) || code === UNDERSCORE) continue;
    if (index === 0 || !(isDigit(code) || code === DOT || code === DASH)) return false;
  }
  return true;
}

/** A remote string for an error text: cut, and with its control characters escaped. */
export function quote(text: string): string {
  const cut = text.length > QUOTED_CHARACTERS_MAX
    ? `${text.slice(0, QUOTED_CHARACTERS_MAX)}…`
    : text;
  return JSON.stringify(cut);
}

/** Several, separated by commas; "none" for none. */
export function quoteList(texts: readonly string[]): string {
  if (texts.length === 0) return "none";
  const shown = texts.slice(0, QUOTED_ITEMS_MAX).map(quote).join(", ");
  return texts.length > QUOTED_ITEMS_MAX
    ? `${shown} and ${texts.length - QUOTED_ITEMS_MAX} more`
    : shown;
}

/** useradd's own limit. */
const UNIX_USER_CHARACTERS_MAX = 32;
/** An error text stays one readable line. */
const QUOTED_CHARACTERS_MAX = 80;
const QUOTED_ITEMS_MAX = 8;

const DASH = 0x2d;
const DOT = 0x2e;
const UNDERSCORE = 0x5f;

function isLetterOrDigit(code: number): boolean {
  return (code >= 0x61 && code <= 0x7a) || isDigit(code);
}

function isLetter(code: number): boolean {
  return (code >= 0x61 && code <= 0x7a) || (code >= 0x41 && code <= 0x5a);
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}
