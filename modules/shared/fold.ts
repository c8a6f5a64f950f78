/**
 * Folds equal answers: who said the same? Collects (name, value) and gives `nodeset -> value`, the
 * largest set first, then by name. Memory holds one value of each kind.
 */
import { canonicalKey } from "./canonical.ts";
import { foldNodeset } from "./nodeset.ts";
import { compareNames } from "./names.ts";

export type FoldGroup<Value> = {
  readonly nodeset: string;
  /** Naturally sorted. */
  readonly names: readonly string[];
  readonly value: Value;
};

export class Fold<Value> {
  readonly #kinds = new Map<string, { value: Value; names: Set<string> }>();

  /** A name that gives the same value again counts once. @throws ProtocolError see canonicalKey */
  add(name: string, value: Value): void {
    const key = canonicalKey(value);
    const kind = this.#kinds.get(key);
    if (kind === undefined) this.#kinds.set(key, { value, names: new Set([name]) });
    else kind.names.add(name);
  }

  /** Largest set first, then by its first name. */
  groups(): FoldGroup<Value>[] {
    const groups = [...this.#kinds.values()].map(({ value, names }) => {
      const own = [...names].sort(compareNames);
      return { nodeset: foldNodeset(own), names: own, value };
    });
    return groups.sort((a, b) =>
      b.names.length - a.names.length || compareNames(a.names[0] ?? "", b.names[0] ?? "")
    );
  }
}

/**
 * Blocks as `clush -b` prints them: a header of nodeset and count between two rules, then the text.
 * A single node's header has no count. The text is printed as `render` gives it.
 */
export function formatFold<Value>(
  groups: readonly FoldGroup<Value>[],
  render: (value: Value) => string,
): string {
  return groups.map(({ nodeset, names, value }) => {
    const count = names.length === 1 ? "" : ` (${names.length})`;
    const text = render(value);
    const end = text === "" || text.endsWith("\n") ? "" : "\n";
    return `${RULE}\n${nodeset}${count}\n${RULE}\n${text}${end}`;
  }).join("");
}

const RULE = "-".repeat(15);
