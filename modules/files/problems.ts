/**
 * What went wrong with single files while the others went on: counted all, shown some. And what did not
 * go wrong, but should be known.
 */

import { CallError, errorText, MinimeError } from "../../core/mod.ts";
import { PROBLEM_CHARACTERS_MAX, PROBLEMS_SHOWN_MAX } from "./limits.ts";

export class Problems {
  readonly #shown: string[] = [];
  readonly #notes = new Set<string>();
  #count = 0;

  get count(): number {
    return this.#count;
  }

  /** The first ones. */
  get shown(): readonly string[] {
    return this.#shown;
  }

  /** The first ones, and how many there are besides. */
  get notes(): string[] {
    const hidden = this.#notes.size - PROBLEMS_SHOWN_MAX;
    const shown = [...this.#notes].slice(0, PROBLEMS_SHOWN_MAX);
    return hidden > 0 ? [...shown, `and ${hidden} more`] : shown;
  }

  /** What is said of a file again is no news. */
  note(text: string): void {
    this.#notes.add(text.slice(0, PROBLEM_CHARACTERS_MAX));
  }

  add(text: string): void {
    this.#count++;
    if (this.#shown.length < PROBLEMS_SHOWN_MAX) {
      this.#shown.push(text.slice(0, PROBLEM_CHARACTERS_MAX));
    }
  }

  /** What the disk said; anything else is thrown on, such as a refusal. */
  addError(error: unknown): void {
    if (!(error instanceof MinimeError) || error instanceof CallError) throw error;
    this.add(errorText(error));
  }
}
