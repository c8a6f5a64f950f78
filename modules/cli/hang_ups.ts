/**
 * SIGHUP lets a daemon read its mesh file again. One that comes while nobody can do that is kept until
 * somebody can: the file may have been read already, and be another one since.
 */

/** Of one daemon. */
export class HangUps {
  #run: (() => void) | undefined;
  #isDue = false;

  /** It came. */
  came(): void {
    if (this.#run === undefined) this.#isDue = true;
    else this.#run();
  }

  /** From now on until disposed, and at once for one that came before. */
  take(run: () => void): Disposable {
    this.#run = run;
    if (this.#isDue) {
      this.#isDue = false;
      run();
    }
    return {
      [Symbol.dispose]: () => {
        if (this.#run === run) this.#run = undefined;
      },
    };
  }
}
