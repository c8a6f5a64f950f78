/**
 * The daemons of the soak: two segments of installed nodes with two gateways each, so that half of all
 * commands go through relays. Each keeps its state apart, so that a client can choose whom to ask.
 */

import { type Daemon, InstalledMesh } from "../support/installed_mesh.ts";

/** Minutes, on the busiest machine; what is wrong by then stays wrong. */
const SETTLE_TRIES_MAX = 200;

/** What a process holds. */
export interface Holding {
  readonly descriptors: number;
  readonly residentBytes: number;
}

export class SoakDaemons implements AsyncDisposable {
  readonly names: readonly string[];
  readonly gateways: readonly string[];
  readonly mesh: InstalledMesh;
  readonly #running = new Map<string, Daemon>();
  /** The last life of those that are down. */
  readonly #ended = new Map<string, Daemon>();

  static async start(count: number): Promise<SoakDaemons> {
    const names = Array.from({ length: count }, (_, i) => `n${i + 1}`);
    const gateways = [names[0], names[1], names[count / 2], names[count / 2 + 1]] as string[];
    const hostKeys = Object.fromEntries(names.map((name, i) => [
      name,
      `segment = "${i < count / 2 ? "a" : "b"}"\ngateway = ${gateways.includes(name)}`,
    ]));
    const mesh = await InstalledMesh.prepare({ nodes: names, hostKeys });
    const daemons = new SoakDaemons(mesh, { names, gateways });
    for (const name of names) daemons.start(name);
    return daemons;
  }

  private constructor(
    mesh: InstalledMesh,
    parts: { readonly names: readonly string[]; readonly gateways: readonly string[] },
  ) {
    this.mesh = mesh;
    this.names = parts.names;
    this.gateways = parts.gateways;
  }

  get up(): string[] {
    return [...this.#running.keys()];
  }

  start(name: string): void {
    const env = this.variablesOf(name);
    this.#running.set(name, this.mesh.start(name, { env }));
  }

  async kill(name: string): Promise<void> {
    const daemon = this.#running.get(name) as Daemon;
    this.#running.delete(name);
    this.#ended.set(name, daemon);
    daemon.kill("SIGKILL");
    await daemon.status;
  }

  /** Of a client that asks this node. */
  variablesOf(name: string): Record<string, string> {
    return { XDG_STATE_HOME: `${this.mesh.local.folder}/state-${name}` };
  }

  pidOf(name: string): number {
    return (this.#running.get(name) as Daemon).pid;
  }

  /** What it has logged in this life. */
  linesOf(name: string): readonly string[] {
    return this.#running.get(name)?.lines ?? [];
  }

  holdingOf(name: string): Holding {
    const pid = this.pidOf(name);
    const status = Deno.readTextFileSync(`/proc/${pid}/status`);
    return {
      descriptors: [...Deno.readDirSync(`/proc/${pid}/fd`)].length,
      residentBytes: Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024,
    };
  }

  /** Resolves when the mesh, as every node sees it, has all nodes up. */
  async settled(): Promise<void> {
    for (const name of this.names) {
      for (let tries = 1;; tries++) {
        const args = ["nodes", "--json"];
        const { code, stdout } = await this.mesh.local.runWith(this.variablesOf(name), ...args);
        const nodes = code === 0 ? JSON.parse(stdout).nodes as { state: string }[] : [];
        const up = nodes.filter(({ state }) => state === "up");
        if (up.length === this.names.length) break;
        if (tries === SETTLE_TRIES_MAX) {
          throw new Error(`As "${name}" sees it: ${stdout}\n${this.linesOf(name).join("\n")}`);
        }
        await new Promise((resolve) => setTimeout(resolve, 200));
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.mesh[Symbol.asyncDispose]();
  }
}
