/**
 * The program whose clock tests can make faster (fast_main.ts), as an executable that boot can copy to
 * the hosts of a rig, and the switch for it.
 */

import { compileEntry, isTarget, projectFolder } from "../../../tools/binary.ts";
import { FACTOR_FILE, LIVED_FILE } from "./fast_clock.ts";
import type { Rig } from "./rig.ts";

/** Removed when disposed. */
export class FastBinary implements AsyncDisposable {
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  static async build(): Promise<FastBinary> {
    const target = Deno.build.target;
    if (!isTarget(target)) throw new Error(`No executable is made for ${target}`);
    const root = projectFolder();
    await Deno.mkdir(`${root}/dist`, { recursive: true });
    const staging = await Deno.makeTempDir({ dir: `${root}/dist`, prefix: ".fast-" });
    const binary = new FastBinary(staging.slice(root.length));
    try {
      await compileEntry("tests/system/rig/fast_main.ts", { root, target, staging });
      return binary;
    } catch (error) {
      await binary[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Where the origin of a rig has it. */
  pathOn({ origin }: Rig): string {
    return `${origin.folder}/borrowed-repository${this.#folder}/minime`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(`${projectFolder()}${this.#folder}`, { recursive: true });
  }
}

/** The daemons of all hosts that were started by such a program live so many times faster; 1: as usual. */
export async function setPace(rig: Rig, factor: number): Promise<void> {
  await Promise.all(rig.hosts.map((host) => host.writeFile(FACTOR_FILE, String(factor))));
}

/** For how long the daemons of all hosts have lived, each by its own clock. */
export async function livedMs(rig: Rig): Promise<number[]> {
  return (await Promise.all(rig.hosts.map((host) => host.readText(LIVED_FILE)))).map(Number);
}
