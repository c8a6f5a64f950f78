/** Whole daemons in a simulated world: links, limits, expiry and shutdown under a virtual clock. */

import type { Conduit } from "../../../core/conduit/conduit.ts";
import { TcpFront } from "../../../core/conduit/tcp.ts";
import { UnixFront } from "../../../core/conduit/unix.ts";
import { Calls } from "../../../core/daemon/calls.ts";
import type { StandingLink } from "../../../core/daemon/link.ts";
import type { LifeState } from "../../../core/daemon/lifecycle.ts";
import {
  type Environment,
  type Link,
  Minimed,
  type MinimedOptions,
  type Module,
  type ModuleHost,
  type Self,
  type Trust,
  type Verb,
} from "../../../core/mod.ts";
import { MeshKeys, testPrimitives } from "../../support/mesh_keys.ts";
import { Simulation, type SimulationOptions } from "../../simulation/environment.ts";

const PORT = 7117;
/** Longer than anything that a scenario waits for. */
const SCENARIO_MS_MAX = 40 * 86_400_000;

export interface NodeOptions {
  readonly self?: Self;
  readonly verbs?: Readonly<Record<string, Verb>>;
  readonly modules?: readonly Module[];
  readonly listen?: readonly string[];
  readonly trust?: Partial<Trust>;
  readonly env?: Environment;
  /** The machine it runs on. @default one of its name */
  readonly machine?: string;
  readonly remembers?: Pick<MinimedOptions, "journal" | "requestsSinceMs">;
}

/** A daemon, and what it told a test. */
export interface WorldNode {
  readonly name: string;
  readonly daemon: Minimed;
  readonly self: Self;
  readonly host: ModuleHost;
  readonly endpoint: string;
  /** Changes of links: "up n2", "down n2: why". */
  readonly changes: string[];
  readonly logged: string[];
  readonly state: LifeState;
  link(to: WorldNode): StandingLink | undefined;
}

export class World {
  readonly simulation: Simulation;
  readonly keys: MeshKeys;
  readonly nodes: WorldNode[] = [];
  readonly #clients: Calls[] = [];

  constructor(simulation: Simulation, keys: MeshKeys) {
    this.simulation = simulation;
    this.keys = keys;
  }

  /** Makes a daemon on a machine of its own; `start` starts it. */
  make(name: string, options: NodeOptions = {}): WorldNode {
    const { machine = name } = options;
    const env = options.env ?? this.simulation.host(machine);
    const self = options.self ?? this.keys.person({ name });
    const changes: string[] = [];
    const logged: string[] = [];
    let host: ModuleHost | undefined;
    const probe: Module = {
      name: "probe",
      verbs: options.verbs ?? {},
      start: (given) => {
        host = given;
        given.links.watch((change) => {
          const text = change.kind === "up" ? "" : `: ${change.reason.text}`;
          changes.push(`${change.kind} ${change.link.peer.identity.name}${text}`);
        });
        return Promise.resolve();
      },
      stop: () => Promise.resolve(),
    };
    const daemon = new Minimed({
      env,
      primitives: this.keys.primitives,
      trust: this.keys.trust(options.trust),
      self: { ...self, instance: env.random.bytes(16) },
      modules: [probe, ...options.modules ?? []],
      listen: options.listen ?? [`tcp:0.0.0.0:${PORT}`],
      auditFolder: "/audit",
      ...options.remembers,
      log: (component) => (level, text) => logged.push(`${level} ${component}: ${text}`),
    });
    const node: WorldNode = {
      name,
      daemon,
      self,
      changes,
      logged,
      endpoint: `tcp:${env.network.addresses()[0]}:${PORT}`,
      get host() {
        if (host === undefined) throw new Error(`"${name}" was not started`);
        return host;
      },
      get state() {
        return daemon.state;
      },
      link: (to) => host?.links.get(to.self.identity.keyId) as StandingLink | undefined,
    };
    this.nodes.push(node);
    return node;
  }

  async start(name: string, options: NodeOptions = {}): Promise<WorldNode> {
    const node = this.make(name, options);
    await node.daemon.start();
    return node;
  }

  dial(from: WorldNode, to: WorldNode): Promise<Link> {
    return from.host.links.dial(to.endpoint, { expect: { name: to.name } });
  }

  /** A user's program on a machine that is no node. */
  async client(to: WorldNode, user: Self): Promise<Calls> {
    const { clock, random, network } = this.simulation.host("desk");
    const front = new TcpFront({
      network,
      log: () => {},
      context: () => ({
        clock,
        random,
        primitives: this.keys.primitives,
        self: user,
        trust: this.keys.trust(),
      }),
    });
    return this.#calls(await front.dial(to.endpoint), clock);
  }

  /** The owner of a daemon, through its unix socket. */
  async owner(of: WorldNode, path: string): Promise<Calls> {
    const { clock, network } = this.simulation.host(of.name);
    const front = new UnixFront({ clock, network, log: () => {} });
    return this.#calls(await front.dial(`unix:${path}`), clock);
  }

  /** Lets virtual time pass. */
  pass(ms: number): Promise<void> {
    return new Promise((resolve) => this.simulation.after(ms, resolve));
  }

  async end(): Promise<void> {
    await Promise.all(this.#clients.map((calls) => calls.close("test is over")));
    await Promise.all(this.nodes.map(({ daemon }) => daemon.stop("test is over")));
  }

  #calls(conduit: Conduit, clock: Environment["clock"]): Calls {
    const calls = new Calls({ conduit, clock, dialled: true });
    this.#clients.push(calls);
    return calls;
  }
}

/** Runs a scenario to its end, stops every daemon, and requires that nothing is left to happen. */
export async function inWorld(
  run: (world: World) => Promise<void>,
  options: Partial<SimulationOptions> = {},
): Promise<void> {
  const simulation = new Simulation({ seed: 1, ...options });
  const { clock, random } = simulation.host("maker");
  const keys = new MeshKeys(await testPrimitives(), { random, now: () => clock.now() });
  const world = new World(simulation, keys);
  await simulation.finish(
    (async () => {
      try {
        await run(world);
      } finally {
        await world.end();
      }
    })(),
    { forMs: SCENARIO_MS_MAX },
  );
  // With no daemon left no timer may be: this would run for ever.
  await simulation.run({ eventsMax: 100_000 });
}
