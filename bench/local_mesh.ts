/**
 * A mesh of daemons on this machine, each a process of its own, booted by the launcher "local" in a
 * temporary folder. Halted, and its folder removed, when it is disposed.
 */

import type { NodeView } from "../modules/shared/mesh_view.ts";
import { type OnOutput, outputOf, readOutput, timeProcess } from "./process.ts";
import type { Program } from "./programs.ts";
import { progress } from "./progress.ts";

const MESH = "bench";
/** On one machine all of them start at once. */
const BOOT_PHASE = "2m";

export class LocalMesh implements AsyncDisposable {
  readonly names: readonly string[];
  readonly #program: Program;
  readonly #folder: string;

  private constructor(program: Program, folder: string, names: readonly string[]) {
    this.#program = program;
    this.#folder = folder;
    this.names = names;
  }

  static async boot(program: Program, count: number): Promise<LocalMesh> {
    const folder = await Deno.makeTempDir({ prefix: "minime-bench-" });
    const names = Array.from({ length: count }, (_, index) => `n${index + 1}`);
    const mesh = new LocalMesh(program, folder, names);
    await using stack = new AsyncDisposableStack();
    stack.use(mesh);
    await Deno.writeTextFile(
      `${folder}/hosts.toml`,
      `name = "${MESH}"\n\n[[hosts]]\nnames = "n[1-${count}]"\nlauncher = "local"\n`,
    );
    progress(`Booting ${count} nodes, ${program.form}`);
    await mesh.#run(["boot", "--hosts", `${folder}/hosts.toml`, "--timeout", BOOT_PHASE]);
    stack.move();
    return mesh;
  }

  /** Milliseconds of a whole command. Without `local` it must go to a daemon by tcp. */
  async time(args: readonly string[], options: { readonly local: boolean }): Promise<number> {
    return await timeProcess([...this.#program.argv, ...args], { env: this.#env(options.local) });
  }

  /** Reads what a command writes. */
  readonly read = async (args: readonly string[], onOutput: OnOutput): Promise<void> => {
    await readOutput([...this.#program.argv, ...args], { env: this.#env(true), onOutput });
  };

  /** The same of a shell of this machine, without us. */
  readonly readShell = async (args: readonly string[], onOutput: OnOutput): Promise<void> => {
    await readOutput(["/bin/sh", ...args], { onOutput });
  };

  /** As one of them sees all; links are key ids. */
  async nodes(): Promise<NodeView[]> {
    const text = await this.#run(["nodes", "--json"]);
    const { nodes }: { nodes: NodeView[] } = JSON.parse(text);
    const keyOf = new Map(nodes.map(({ name, keyId }) => [name, keyId]));
    return nodes.map((node) => ({
      ...node,
      links: node.links.map((name) => keyOf.get(name) ?? name),
    }));
  }

  async pids(): Promise<number[]> {
    return await Promise.all(this.names.map(async (node) => {
      const path = `${this.#folder}/state/minime/${MESH}/${node}/pid`;
      return Number((await Deno.readTextFile(path)).split(" ")[0]);
    }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    progress(`Halting ${this.names.length} nodes`);
    await this.#run(["halt"]);
    await Deno.remove(this.#folder, { recursive: true });
  }

  async #run(args: readonly string[]): Promise<string> {
    return await outputOf([...this.#program.argv, ...args], { env: this.#env(true) });
  }

  /** A user whose state folder is elsewhere finds no socket, as on a machine that is no node. */
  #env(local: boolean): Record<string, string> {
    return {
      MINIME_MESH: MESH,
      XDG_CONFIG_HOME: `${this.#folder}/config`,
      XDG_STATE_HOME: `${this.#folder}/${local ? "state" : "elsewhere"}`,
      XDG_CACHE_HOME: `${this.#folder}/cache`,
    };
  }
}
