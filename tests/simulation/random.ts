/**
 * Seeded randomness (sfc32 of PractRand, seeded by an FNV-1a hash of a text). Every user has a stream
 * of its own, named by a label, so that one node's draws do not shift another's.
 */
import type { Random } from "../../core/environment/environment.ts";

/** Outputs thrown away after seeding, so that near seeds have nothing in common. */
const WARM_UP = 16;

export class SeededRandom implements Random {
  readonly #label: string;
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  constructor(label: string) {
    this.#label = label;
    this.#a = hash(label, 0x811c9dc5);
    this.#b = hash(label, 0x2b7e1516);
    this.#c = hash(label, 0x9e3779b9);
    for (let i = 0; i < WARM_UP; i++) this.word();
  }

  /** An independent stream; the same label gives the same stream whenever it is asked for. */
  fork(label: string): SeededRandom {
    return new SeededRandom(`${this.#label}/${label}`);
  }

  /** 32 random bits. */
  word(): number {
    const sum = (this.#a + this.#b + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = ((this.#c << 21 | this.#c >>> 11) + sum) | 0;
    return sum >>> 0;
  }

  /** In [0, 1). */
  fraction(): number {
    return this.word() / 2 ** 32;
  }

  /** A whole number in [0, below). */
  below(below: number): number {
    return Math.floor(this.fraction() * below);
  }

  bytes(length: number): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(length);
    for (let at = 0; at < length; at += 4) {
      let word = this.word();
      for (let i = at; i < at + 4 && i < length; i++, word >>>= 8) bytes[i] = word & 255;
    }
    return bytes;
  }
}

function hash(text: string, start: number): number {
  let value = start;
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193);
  return value | 0;
}
