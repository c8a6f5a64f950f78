/**
 * Everything that is wrong with a mesh file, collected and reported together as a compiler does:
 * `file:line:column: what`, the line, a caret. Problems are sorted by place, the same one counts
 * once, and only the first ones are shown.
 */
import { UsageError } from "../../core/mod.ts";
import { excerpt, placeOf } from "./excerpt.ts";
import { MESH_FILE_CHARACTERS_MAX, MESH_FILE_PROBLEMS_SHOWN_MAX } from "./limits.ts";
import type { NodesetProblem } from "./nodeset_parse.ts";
import { printable } from "./text.ts";
import { TomlLocator, type TomlPath } from "./toml_locator.ts";
import { plural } from "./plural.ts";

export class MeshFileProblems {
  readonly #file: string;
  readonly #text: string;
  /** Message by `offset message`, so that a problem found in two ways is told once. */
  readonly #found = new Map<string, { offset: number; message: string }>();
  #locator: TomlLocator | undefined;

  /** @throws UsageError when the text is too long to be read at all */
  constructor(file: string, text: string) {
    if (text.length > MESH_FILE_CHARACTERS_MAX) {
      throw new UsageError(
        `Cannot read ${file}: it has more than ${MESH_FILE_CHARACTERS_MAX} characters`,
      );
    }
    this.#file = file;
    this.#text = text;
  }

  get count(): number {
    return this.#found.size;
  }

  add(offset: number, message: string): void {
    this.#found.set(`${offset} ${message}`, { offset, message });
  }

  /** At the value of a path in TOML; the nearest table around it when the path is nowhere. */
  addAt(path: TomlPath, message: string): void {
    this.add(this.offsetOf(path), message);
  }

  /** At the key itself: the key is what is wrong. */
  addAtKey(path: TomlPath, message: string): void {
    this.add(this.#places().keyOffset(path) ?? this.offsetOf(path), message);
  }

  /** Inside a string that holds a nodeset, at the wrong character where the source shows it plainly. */
  addInNodeset(offset: number, nodeset: string, problem: NodesetProblem): void {
    const quoted = ["'", '"'].includes(this.#text.charAt(offset)) ? offset + 1 : offset;
    const isPlain = this.#text.startsWith(nodeset, quoted);
    this.add(isPlain ? quoted + problem.offset : offset, problem.reason);
  }

  /** Offset of the value of a path in TOML. Valid TOML only. */
  offsetOf(path: TomlPath): number {
    return this.#places().valueOffset(path);
  }

  /** The line of an offset, from 1. */
  lineOf(offset: number): number {
    return placeOf(this.#text, offset).line;
  }

  throwIfAny(): void {
    if (this.#found.size === 0) return;
    const all = [...this.#found.values()].sort((a, b) => a.offset - b.offset);
    const shown = all.slice(0, MESH_FILE_PROBLEMS_SHOWN_MAX);
    const blocks = shown.map(({ offset, message }) => {
      const { line, column } = placeOf(this.#text, offset);
      const source = excerpt(this.#text, offset, { numbered: true });
      return `${this.#file}:${line}:${column}: ${message}\n${source}`;
    });
    const more = all.length - shown.length;
    if (more > 0) blocks.push(`… and ${more} more`);
    const problems = plural(all.length, "problem");
    throw new UsageError(`Cannot use ${this.#file}: ${problems}\n${blocks.join("\n")}`);
  }

  #places(): TomlLocator {
    return this.#locator ??= new TomlLocator(this.#text);
  }
}

/** A value of the file for the end of a message, short: `"abc"`, `5`, `a list`. */
export function describeValue(value: unknown): string {
  if (typeof value === "string") {
    const text = printable(value, 60);
    return JSON.stringify(text.length < value.length ? `${text}…` : text);
  }
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  if (Array.isArray(value)) return "a list";
  return value instanceof Date ? "a date" : "a table";
}
