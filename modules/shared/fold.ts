/**
 * Folds equal answers: who said the same? Collects (target, value) and gives `nodeset -> value`, the
 * largest set first, then by name. A target is a name, or an index into a list of names that
 * the reader has: relays of a group call know indices only. Memory holds one value of each kind.
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
  readonly #kinds = new Map<string, { value: Value; targets: Set<string | number> }>();
  #size = 0;

  /** Targets collected, over all kinds. */
  get size(): number {
    return this.#size;
  }

  /** Kinds of different values. */
  get kinds(): number {
    return this.#kinds.size;
  }

  /** A target that gives the same value again counts once. @throws ProtocolError see canonicalKey */
  add(target: string | number, value: Value): void {
    const key = canonicalKey(value);
    const kind = this.#kinds.get(key);
    if (kind === undefined) {
      this.#kinds.set(key, { value, targets: new Set([target]) });
      this.#size++;
    } else if (!kind.targets.has(target)) {
      kind.targets.add(target);
      this.#size++;
    }
  }

  /** Largest set first, then by its first name; `names` gives the name of each index. */
  groups(names: readonly string[] = []): FoldGroup<Value>[] {
    const groups = [...this.#kinds.values()].map(({ value, targets }) => {
      const own = [...targets].map((target) => nameOf(target, names)).sort(compareNames);
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

/** An index that the list lacks shows as `#7`: an answer nobody asked for is seen, not hidden. */
function nameOf(target: string | number, names: readonly string[]): string {
  return typeof target === "string" ? target : names[target] ?? `#${target}`;
}
