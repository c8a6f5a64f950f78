/**
 * Where in a TOML text a key and its value stand: smol-toml tells positions of syntax errors only,
 * and our errors name the line of a value that means nothing. One pass over a text that is known to
 * be valid TOML: it follows tables, arrays of tables, dotted keys, inline tables and arrays, and
 * skips strings and comments. On invalid text the answers are useless, but it always ends.
 */

/** Keys, and indices in arrays: `["hosts", 0, "port"]`. */
export type TomlPath = readonly (string | number)[];

export class TomlLocator {
  readonly #text: string;
  readonly #keys = new Map<string, number>();
  readonly #values = new Map<string, number>();
  /** Elements so far of each array of tables. */
  readonly #elements = new Map<string, number>();
  #at = 0;

  constructor(text: string) {
    this.#text = text;
    let table: TomlPath = [];
    for (;;) {
      this.#skipBlank(true);
      if (this.#at >= text.length) return;
      const before = this.#at;
      if (text[this.#at] === "[") table = this.#header();
      else this.#pair(table);
      if (this.#at === before) this.#at++;
    }
  }

  /** Offset of the last part of the key; of the header for a table. For an array's element its value. */
  keyOffset(path: TomlPath): number | undefined {
    return this.#keys.get(idOf(path)) ?? this.#values.get(idOf(path));
  }

  /** Offset of the value. For a path that is nowhere, of the nearest table around it; 0 for none. */
  valueOffset(path: TomlPath): number {
    for (let length = path.length; length > 0; length--) {
      const id = idOf(path.slice(0, length));
      const found = this.#values.get(id) ?? this.#keys.get(id);
      if (found !== undefined) return found;
    }
    return 0;
  }

  /** `[a.b]` or `[[a.b]]`; an array of tables on the way means its newest element. */
  #header(): TomlPath {
    const isArray = this.#text.startsWith("[[", this.#at);
    const start = this.#at;
    this.#at += isArray ? 2 : 1;
    const parts = this.#dottedKey();
    while (this.#text[this.#at] === "]") this.#at++;
    let path: TomlPath = [];
    parts.forEach(({ name, offset }, i) => {
      path = [...path, name];
      this.#note(this.#keys, path, offset);
      const isLast = i === parts.length - 1;
      const count = this.#elements.get(idOf(path));
      if (isLast && isArray) {
        this.#elements.set(idOf(path), (count ?? 0) + 1);
        path = [...path, count ?? 0];
      } else if (count !== undefined) path = [...path, count - 1];
    });
    this.#note(this.#values, path, start);
    return path;
  }

  /** `a.b = value` in a table. */
  #pair(table: TomlPath): void {
    let path = table;
    for (const { name, offset } of this.#dottedKey()) {
      path = [...path, name];
      this.#note(this.#keys, path, offset);
    }
    if (this.#text[this.#at] === "=") this.#at++;
    this.#skipBlank(false);
    this.#value(path);
  }

  #value(path: TomlPath): void {
    this.#note(this.#values, path, this.#at);
    const character = this.#text[this.#at];
    if (character === "[") this.#list("]", (i) => this.#value([...path, i]));
    else if (character === "{") this.#list("}", () => this.#pair(path));
    else if (character === '"' || character === "'") this.#string();
    else {while (
        this.#at < this.#text.length && !",]}#\r\n".includes(this.#text.charAt(this.#at))
      ) this.#at++;}
  }

  /** Items between the bracket at hand and `close`, separated by commas. */
  #list(close: string, item: (index: number) => void): void {
    this.#at++;
    for (let index = 0;; index++) {
      this.#skipBlank(true);
      if (this.#at >= this.#text.length) return;
      if (this.#text[this.#at] === close) break;
      const before = this.#at;
      item(index);
      this.#skipBlank(true);
      if (this.#text[this.#at] === ",") this.#at++;
      else if (this.#at === before) return;
    }
    this.#at++;
  }

  #dottedKey(): { name: string; offset: number }[] {
    const parts: { name: string; offset: number }[] = [];
    for (;;) {
      this.#skipBlank(false);
      const offset = this.#at;
      const character = this.#text[offset];
      if (character === '"' || character === "'") parts.push({ name: this.#string(), offset });
      else {
        while (isBareKey(this.#text.charCodeAt(this.#at))) this.#at++;
        if (this.#at === offset) return parts;
        parts.push({ name: this.#text.slice(offset, this.#at), offset });
      }
      this.#skipBlank(false);
      if (this.#text[this.#at] !== ".") return parts;
      this.#at++;
    }
  }

  /** Skips any of the four kinds of strings; the content of a one-line string, as keys need it. */
  #string(): string {
    const quote = this.#text.charAt(this.#at);
    const long = this.#text.startsWith(quote.repeat(3), this.#at);
    const fence = long ? quote.repeat(3) : quote;
    const start = this.#at += fence.length;
    while (this.#at < this.#text.length && !this.#text.startsWith(fence, this.#at)) {
      this.#at += quote === '"' && this.#text[this.#at] === "\\" ? 2 : 1;
    }
    const content = this.#text.slice(start, this.#at);
    this.#at += fence.length;
    // Up to two quotes may stand right before the closing three.
    while (long && this.#text[this.#at] === quote) this.#at++;
    return quote === '"' && content.includes("\\") ? unescaped(content) : content;
  }

  #skipBlank(lines: boolean): void {
    for (; this.#at < this.#text.length; this.#at++) {
      const character = this.#text.charAt(this.#at);
      if (character === "#" && lines) {
        const end = this.#text.indexOf("\n", this.#at);
        this.#at = end < 0 ? this.#text.length : end;
      } else if (!(lines ? " \t\r\n" : " \t").includes(character)) return;
    }
  }

  /** The first place counts: `[a.b]` after `[a]` does not move a. */
  #note(places: Map<string, number>, path: TomlPath, offset: number): void {
    const id = idOf(path);
    if (!places.has(id)) places.set(id, Math.min(offset, this.#text.length));
  }
}

function idOf(path: TomlPath): string {
  return JSON.stringify(path);
}

/** A key's escapes are JSON's, but for `\U`, `\e` and `\x`; such a key is then found under its raw text. */
function unescaped(content: string): string {
  try {
    return String(JSON.parse(`"${content}"`));
  } catch {
    return content;
  }
}

function isBareKey(code: number): boolean {
  return (code >= 0x61 && code <= 0x7a) || (code >= 0x41 && code <= 0x5a) ||
    (code >= 0x30 && code <= 0x39) || code === 0x5f || code === 0x2d;
}
