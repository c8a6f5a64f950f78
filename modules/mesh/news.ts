/**
 * Which neighbours have the newest advert of a node, as long as somebody is still to be told: an
 * outbox that holds the node keeps its news, and nothing is kept of what everybody knows.
 */

interface OneNews {
  holders: number;
  readonly knownBy: Set<string>;
}

/** By key id of the node. */
export class News {
  readonly #news = new Map<string, OneNews>();

  /** There is a newer advert, which nobody knows yet. Held until it is released. */
  begin(keyId: string): void {
    this.#hold(keyId).knownBy.clear();
  }

  hold(keyId: string): void {
    this.#hold(keyId);
  }

  release(keyId: string): void {
    const present = this.#news.get(keyId);
    if (present !== undefined && --present.holders === 0) this.#news.delete(keyId);
  }

  /** The neighbour has what we have. */
  heard(keyId: string, neighbour: string): void {
    this.#news.get(keyId)?.knownBy.add(neighbour);
  }

  isKnownBy(keyId: string, neighbour: string): boolean {
    return this.#news.get(keyId)?.knownBy.has(neighbour) ?? false;
  }

  #hold(keyId: string): OneNews {
    const present = this.#news.get(keyId) ?? { holders: 0, knownBy: new Set<string>() };
    present.holders++;
    this.#news.set(keyId, present);
    return present;
  }
}
