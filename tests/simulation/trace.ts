/**
 * A running hash of everything that happened: two runs of one seed must end with the same one. The
 * lines themselves are kept only on request, to find where two runs part.
 */
export class Trace {
  /** "12.250 n1>n2#3 128 bytes", when the simulation was made with `keepTrace`. */
  readonly lines: string[] = [];
  readonly #keep: boolean;
  #low = 0x811c9dc5;
  #high = 0x2b7e1516;
  #entries = 0;
  #bytes = 0;

  constructor(keep: boolean) {
    this.#keep = keep;
  }

  get entries(): number {
    return this.#entries;
  }

  /** Delivered by the network so far. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Hex digits. */
  get hash(): string {
    return [this.#high, this.#low].map((half) => (half >>> 0).toString(16).padStart(8, "0")).join(
      "",
    );
  }

  add(time: number, what: string, bytes?: Uint8Array): void {
    this.#entries++;
    this.#mix(Math.floor(time));
    this.#mix(Math.round((time % 1) * 1e6));
    for (let i = 0; i < what.length; i++) this.#mix(what.charCodeAt(i));
    if (bytes !== undefined) this.#mixBytes(bytes);
    this.#bytes += bytes?.length ?? 0;
    if (!this.#keep) return;
    const size = bytes === undefined ? "" : ` ${bytes.length} bytes`;
    this.lines.push(`${time.toFixed(3)} ${what}${size}`);
  }

  /** Four at a time: megabytes pass through here. */
  #mixBytes(bytes: Uint8Array): void {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    let at = 0;
    for (; at + 4 <= bytes.length; at += 4) this.#mix(view.getInt32(at));
    for (; at < bytes.length; at++) this.#mix(bytes[at]!);
    this.#mix(bytes.length);
  }

  #mix(value: number): void {
    this.#low = Math.imul(this.#low ^ value, 0x01000193);
    this.#high = Math.imul(this.#high ^ value, 0x5bd1e995) + (this.#low >>> 15) | 0;
  }
}
