/** Daemons with the mesh module on simulated machines, for tests. */

import { type Log, Minimed, type Module, type Policy, type Self } from "../../../core/mod.ts";
import { createMesh, type Seed } from "../../../modules/mesh/mod.ts";
import { GATEWAY_GROUP, type MeshView, type NodeView } from "../../../modules/shared/mesh_view.ts";
import { MeshKeys } from "../../support/mesh_keys.ts";
import { plainPrimitives } from "../../simulation/plain_primitives.ts";
import { EPOCH_MS } from "../../simulation/clock.ts";
import { Simulation, type SimulationOptions } from "../../simulation/environment.ts";
import { SeededRandom } from "../../simulation/random.ts";

const PORT = 7_117;

export interface SimulatedMeshOptions extends SimulationOptions {
  readonly nodes: number;
  /** How many of the first nodes all others know. @default all */
  readonly seeds?: number;
  /** By name. @default all in "default" */
  readonly segmentOf?: (name: string) => string;
  /** Names of those whose certificates make them gateways. @default none */
  readonly gateways?: readonly string[];
  /** Besides the mesh module, made for each daemon. @default none */
  readonly modules?: (name: string) => readonly Module[];
  /** @default what a mesh has as booted */
  readonly policy?: Policy;
}

export class SimulatedMesh implements AsyncDisposable {
  readonly simulation: Simulation;
  readonly names: readonly string[];
  readonly logs: string[] = [];
  /** Those that have stopped, because their key lives elsewhere. */
  readonly twins: string[] = [];
  readonly keys: MeshKeys;
  readonly people = new Map<string, Self>();
  readonly #seedCount: number;
  readonly #segmentOf: (name: string) => string;
  readonly #modules: (name: string) => readonly Module[];
  readonly #policy: { readonly policy?: Policy };
  readonly #addresses = new Map<string, string>();
  readonly #daemons = new Map<string, Minimed>();

  private constructor(keys: MeshKeys, options: SimulatedMeshOptions) {
    this.keys = keys;
    this.simulation = new Simulation(options);
    this.names = Array.from({ length: options.nodes }, (_, index) => `n${index + 1}`);
    this.#seedCount = options.seeds ?? options.nodes;
    this.#segmentOf = options.segmentOf ?? (() => "default");
    this.#modules = options.modules ?? (() => []);
    this.#policy = options.policy === undefined ? {} : { policy: options.policy };
    for (const name of this.names) {
      const groups = options.gateways?.includes(name) ? [GATEWAY_GROUP] : [];
      this.people.set(name, keys.person({ name, groups }));
      const { network } = this.simulation.host(name);
      this.#addresses.set(name, network.addresses()[0] as string);
    }
  }

  static create(options: SimulatedMeshOptions): SimulatedMesh {
    const random = new SeededRandom(`keys ${options.seed}`);
    // What a mesh does is the same with real ones, which have tests of their own, and would be most of the work.
    const keys = new MeshKeys(plainPrimitives, { random, now: () => EPOCH_MS });
    return new SimulatedMesh(keys, options);
  }

  /** Starts all of them at the same moment. */
  async startAll(): Promise<void> {
    await this.simulation.finish(Promise.all(this.names.map((name) => this.start(name))));
  }

  /** To be awaited by `simulation.finish`. A machine that ran before gets a new process. */
  async start(name: string, change: Partial<Self> = {}): Promise<Minimed> {
    const env = this.simulation.host(name);
    const daemon = new Minimed({
      env,
      primitives: this.keys.primitives,
      trust: this.keys.trust(this.#policy),
      self: { ...this.people.get(name) as Self, instance: env.random.bytes(16), ...change },
      modules: [
        createMesh({
          segment: this.#segmentOf(name),
          peers: this.#seeds(),
          onTwin: (error) => this.twins.push(`${name} ${error.reason}`),
        }),
        ...this.#modules(name),
      ],
      listen: [`tcp:${this.#addresses.get(name)}:${PORT}`],
      auditFolder: "/audit",
      log: (component): Log => (level, text) => {
        this.logs.push(`${this.simulation.now} ${name} ${component} ${level}: ${text}`);
      },
    });
    this.#daemons.set(name, daemon);
    await daemon.start();
    return daemon;
  }

  get(name: string): Minimed {
    return this.#daemons.get(name) as Minimed;
  }

  async view(name: string): Promise<MeshView> {
    const view = this.get(name).caller("mesh").request("mesh.nodes");
    return await this.simulation.finish(view) as MeshView;
  }

  async node(at: string, name: string): Promise<NodeView | undefined> {
    return (await this.view(at)).nodes.find((node) => node.name === name);
  }

  async stats(name: string): Promise<Record<string, number>> {
    const stats = this.get(name).caller("mesh").request("mesh.stats");
    return await this.simulation.finish(stats) as Record<string, number>;
  }

  /** As "16 up, 2 down", for each of these nodes; all that differ are in it. */
  async states(names: readonly string[] = this.names): Promise<string> {
    const texts = new Set<string>();
    for (const name of names) texts.add(countStates((await this.view(name)).nodes));
    return [...texts].sort().join(" / ");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const stops = [...this.#daemons.values()].map((daemon) => daemon.stop("test is over"));
    // Those on machines that are off or frozen never end; nothing of theirs runs in the real world.
    void Promise.all(stops);
    await this.simulation.run({ forMs: 30_000 });
  }

  #seeds(): Seed[] {
    return this.names.slice(0, this.#seedCount).map((name) => ({
      name,
      keyId: (this.people.get(name) as Self).identity.keyId,
      endpoints: [`tcp:${this.#addresses.get(name)}:${PORT}`],
    }));
  }
}

function countStates(nodes: readonly NodeView[]): string {
  const states = ["up", "down", "left"] as const;
  return states.flatMap((state) => {
    const count = nodes.filter((node) => node.state === state).length;
    return count === 0 ? [] : [`${count} ${state}`];
  }).join(", ");
}
