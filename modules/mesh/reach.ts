/**
 * Who can be reached from one node over edges that both ends claim. A whole rack that lost power leaves
 * adverts that claim each other for ever, and so does the far side of a partition; neither is
 * reached from here, and that is what "down" means.
 *
 * Kept from change to change: most changes add edges, or take away ones that no way depends on. Only
 * when an edge of the tree of ways is gone is everything walked anew.
 */

export type Claims = ReadonlyMap<string, readonly string[]>;

export class Reach {
  readonly #self: string;
  readonly #claims = new Map<string, readonly string[]>();
  /** For each node that is reached, the node before it on a way, if not a shortest one. */
  #before: Map<string, string>;
  /** Nodes whose claims changed, with what they claimed when all was settled last. */
  readonly #changed = new Map<string, readonly string[]>();

  constructor(self: string) {
    this.#self = self;
    this.#before = new Map([[self, self]]);
  }

  /** From now on the node claims links with these; undefined: it is not there. */
  claim(keyId: string, links: readonly string[] | undefined): void {
    const old = this.#claims.get(keyId) ?? NOTHING;
    if (old === links || (links === undefined && old.length === 0)) return;
    if (!this.#changed.has(keyId)) this.#changed.set(keyId, old);
    if (links === undefined) this.#claims.delete(keyId);
    else this.#claims.set(keyId, links);
  }

  /** As of the last {@link Reach.settle}. */
  has(keyId: string): boolean {
    return this.#before.has(keyId);
  }

  /** Draws the conclusions of all claims since the last time. */
  settle(): { readonly gained: readonly string[]; readonly lost: readonly string[] } {
    const gained: string[] = [];
    if (this.#isTorn()) {
      const old = this.#before;
      this.#before = new Map([[this.#self, this.#self]]);
      this.#walk([this.#self]);
      this.#changed.clear();
      for (const keyId of this.#before.keys()) if (!old.has(keyId)) gained.push(keyId);
      return { gained, lost: [...old.keys()].filter((keyId) => !this.#before.has(keyId)) };
    }
    for (const keyId of this.#changed.keys()) {
      const ends = [keyId, ...(this.#claims.get(keyId) ?? NOTHING)];
      gained.push(...this.#walk(ends.filter((end) => this.#before.has(end))));
    }
    this.#changed.clear();
    return { gained, lost: [] };
  }

  /** Hops on a shortest way, for each node that can be reached. */
  distances(): Map<string, number> {
    const distances = new Map([[this.#self, 0]]);
    for (const [from, distance] of distances) {
      for (const to of this.#claims.get(from) ?? NOTHING) {
        if (!distances.has(to) && this.#claimsLink(to, from)) distances.set(to, distance + 1);
      }
    }
    return distances;
  }

  /** Whether an edge is gone over which somebody was reached. */
  #isTorn(): boolean {
    for (const [keyId, old] of this.#changed) {
      const links = this.#claims.get(keyId) ?? NOTHING;
      for (const to of old) {
        const isWay = this.#before.get(to) === keyId || this.#before.get(keyId) === to;
        if (isWay && !links.includes(to)) return true;
      }
    }
    return false;
  }

  /** On from these, which are reached; returns who is reached besides. */
  #walk(starts: readonly string[]): string[] {
    const queue = [...starts];
    for (let head = 0; head < queue.length; head++) {
      const from = queue[head] as string;
      for (const to of this.#claims.get(from) ?? NOTHING) {
        if (this.#before.has(to) || !this.#claimsLink(to, from)) continue;
        this.#before.set(to, from);
        queue.push(to);
      }
    }
    return queue.slice(starts.length);
  }

  #claimsLink(from: string, to: string): boolean {
    return this.#claims.get(from)?.includes(to) ?? false;
  }
}

const NOTHING: readonly string[] = [];
