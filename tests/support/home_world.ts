/** The real environment with a folder of its own for the homes of meshes, and a wall clock that can be set. */

import type { Environment } from "../../core/environment/environment.ts";
import { createRealEnvironment } from "../../core/environment/real.ts";
import { type MeshHome, MeshHomes } from "../../modules/shared/mesh_home.ts";

/** Disposing removes the folder. */
export class HomeWorld implements AsyncDisposable {
  readonly folder: string;
  readonly env: Environment;
  /** Added to the wall clock. */
  laterMs = 0;

  constructor() {
    this.folder = Deno.makeTempDirSync({ prefix: "minime-test-" });
    const real = createRealEnvironment();
    const variable = (name: string) => name === "XDG_CONFIG_HOME" ? this.folder : undefined;
    const processes = Object.assign(Object.create(real.processes), { variable });
    const clock = Object.assign(Object.create(real.clock), {
      now: () => real.clock.now() + this.laterMs,
    });
    this.env = { ...real, processes, clock };
  }

  async home(): Promise<MeshHome> {
    return await new MeshHomes(this.env).create("lab");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.folder, { recursive: true });
  }
}
