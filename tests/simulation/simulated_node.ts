/**
 * One node of a simulated mesh: a machine, its keys, and the daemon that runs on it now, if any. A
 * node has lives: each start is one, with the same key (as a node that keeps its keys on disk) or a
 * new one (as boot gives). What a dead life was asked never settles; nobody may wait for it.
 */

import * as v from "valibot";
import {
  type Caller,
  type Log,
  Minimed,
  type Module,
  type Primitives,
  type Self,
  verb,
} from "../../core/mod.ts";
import type { AdvertPool, Seed } from "../../modules/mesh/mod.ts";
import { createModules } from "../../modules/mod.ts";
import { MeshFollower } from "../../modules/shared/mesh_follower.ts";
import { GATEWAY_GROUP, type MeshPicture } from "../../modules/shared/mesh_view.ts";
import type { MeshKeys } from "../support/mesh_keys.ts";
import { EPOCH_MS } from "./clock.ts";
import type { Simulation } from "./environment.ts";
import { createTrafficProbe } from "./traffic_probe.ts";

export const NODE_PORT = 7_117;

export interface NodeWorld {
  readonly simulation: Simulation;
  readonly primitives: Primitives;
  readonly keys: MeshKeys;
  /** What all daemons know alike is in memory once. */
  readonly pool: AdvertPool;
  /** Whether daemons look around on their networks. */
  readonly discover: boolean;
  readonly log: (node: string, ...line: Parameters<Log>) => void;
}

/** One run of the daemon. */
export interface Life {
  readonly number: number;
  readonly daemon: Minimed;
  readonly self: Self;
  /** Hex digits. */
  readonly instance: string;
  /** Undefined until the mesh module has shown something. */
  picture: MeshPicture | undefined;
  /** It was killed, or began to stop. */
  over: boolean;
  readonly core: Caller;
  readonly mesh: Caller;
  readonly group: Caller;
  readonly router: Caller;
  /** How often the guarded verb `tally.add` ran, by request id. */
  readonly tally: Map<string, number>;
  /** When it began last, in virtual time, by request id. */
  readonly ranAt: Map<string, number>;
  /** Who wants to see what comes in by a stream, by its id. */
  readonly onTaken: Map<string, (item: Uint8Array) => void>;
}

/** Where a node is in the mesh, which no fault changes. */
export interface Place {
  readonly segment: string;
  /** By its certificate: it can dial gateways of other segments. */
  readonly gateway: boolean;
}

/** As in its certificate. */
export function groupsOf({ gateway }: Place): string[] {
  return gateway ? [GATEWAY_GROUP] : [];
}

export class SimulatedNode {
  readonly name: string;
  readonly endpoint: string;
  readonly place: Place;
  readonly #world: NodeWorld;
  readonly #lives: Life[] = [];
  #running: Life | undefined;
  #self: Self;
  /** Times that the present key was started. */
  #incarnation = 0;

  constructor(world: NodeWorld, name: string, place: Place) {
    this.#world = world;
    this.name = name;
    this.place = place;
    const [address] = world.simulation.host(name).network.addresses();
    this.endpoint = `tcp:${address}:${NODE_PORT}`;
    this.#self = this.#newSelf();
  }

  get keyId(): string {
    return this.#self.identity.keyId;
  }

  /** How others are told of it before anybody spoke of it. */
  get seed(): Seed {
    const { name, keyId, endpoint, place: { segment } } = this;
    return { name, keyId, endpoints: [endpoint], segment };
  }

  /** Every run so far, the present one last. */
  get lives(): readonly Life[] {
    return this.#lives;
  }

  /** The daemon that runs now, or is about to. */
  get running(): Life | undefined {
    return this.#running;
  }

  /** Resolves when the daemon runs; `newKey` gives the node an identity it never had. */
  async start(peers: readonly Seed[], options: { newKey?: boolean } = {}): Promise<void> {
    const { simulation, primitives, keys, log } = this.#world;
    if (this.#running !== undefined) throw new Error(`"${this.name}" runs already`);
    const env = simulation.host(this.name);
    if (options.newKey) {
      this.#self = this.#newSelf();
      this.#incarnation = 0;
    }
    this.#self = { ...this.#self, instance: env.random.bytes(16) };
    const tally = new Map<string, number>();
    const ranAt = new Map<string, number>();
    const onRun = (id: string) => {
      tally.set(id, (tally.get(id) ?? 0) + 1);
      ranAt.set(id, simulation.now);
    };
    const onTaken: Life["onTaken"] = new Map();
    const take = (id: string, item: Uint8Array) => onTaken.get(id)?.(item);
    const mesh = {
      segment: this.place.segment,
      endpoints: () => [this.endpoint],
      peers: peers.filter(({ keyId }) => keyId !== this.keyId),
      incarnation: ++this.#incarnation,
      pool: this.#world.pool,
    };
    const { discover } = this.#world;
    const { segment } = this.place;
    const discovery = { primitives, meshId: keys.meshId, discover, segment };
    const daemon = new Minimed({
      env,
      primitives,
      trust: keys.trust(),
      self: this.#self,
      modules: [
        ...createModules({ mesh, discovery }),
        createTally(onRun),
        createTrafficProbe(take),
      ],
      listen: [this.endpoint],
      auditFolder: "/var/lib/minime/audit",
      log: (component) => (level, text, fields) =>
        log(this.name, level, `${component}: ${text}`, fields),
    });
    const life: Life = {
      number: this.#lives.length,
      daemon,
      self: this.#self,
      instance: this.#self.instance.toHex(),
      picture: undefined,
      over: false,
      core: lazyCaller(daemon, "core"),
      mesh: lazyCaller(daemon, "mesh"),
      group: lazyCaller(daemon, "group"),
      router: lazyCaller(daemon, "router"),
      tally,
      ranAt,
      onTaken,
    };
    this.#lives.push(life);
    this.#running = life;
    void daemon.stopped.then(() => {
      if (this.#running === life) this.#running = undefined;
    });
    await daemon.start();
    const follower = new MeshFollower(life.mesh, {
      onEnd: (why) => log(this.name, "debug", `follower: ${why}`),
    });
    life.picture = await follower.picture;
  }

  /** In order, with a goodbye. Resolves when the process is gone. */
  async stop(): Promise<void> {
    const life = this.#running;
    if (life !== undefined) life.over = true;
    await life?.daemon.stop("test");
    if (this.#running === life) this.#running = undefined;
  }

  /** Forgets the daemon, which something else has killed. */
  died(): void {
    if (this.#running !== undefined) this.#running.over = true;
    this.#running = undefined;
  }

  /** As boot makes it: valid from now on, so that no request of an earlier life is valid for it. */
  #newSelf(): Self {
    const { simulation, keys } = this.#world;
    return keys.person({
      name: this.name,
      notBefore: Math.floor(EPOCH_MS + simulation.now),
      groups: groupsOf(this.place),
    });
  }
}

/** A caller needs the module's endpoint, which is there once the daemon has begun to start. */
function lazyCaller(daemon: Minimed, module: string): Caller {
  let caller: Caller | undefined;
  const get = () => caller ??= daemon.caller(module);
  return {
    request: (...call) => get().request(...call),
    stream: (...call) => get().stream(...call),
  };
}

/** A module whose guarded verb tells by request id that it runs. */
function createTally(onRun: (requestId: string) => void): Module {
  let sleep: (ms: number) => Promise<void>;
  return {
    name: "tally",
    verbs: {
      add: verb({
        action: "guarded",
        args: v.strictObject({ ms: v.number() }),
        reply: v.number(),
        async handle({ ms }, { principal }) {
          onRun(principal.kind === "signed" ? principal.requestId : "unsigned");
          if (ms > 0) await sleep(ms);
          return 1;
        },
      }),
    },
    start: (host) => {
      sleep = (ms) => host.env.clock.sleep(ms);
      return Promise.resolve();
    },
    stop: () => Promise.resolve(),
  };
}
