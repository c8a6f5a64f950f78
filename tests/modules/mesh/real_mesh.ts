/** Real daemons with the mesh module in this process, over loopback TCP, for tests. */

import * as v from "valibot";
import { createRealEnvironment } from "../../../core/environment/real.ts";
import {
  type BytePipe,
  ConnectionError,
  type Environment,
  type Links,
  type Log,
  Minimed,
  type Module,
  type Network,
  type Self,
  verb,
} from "../../../core/mod.ts";
import type { Advert, ReceivedAdvert } from "../../../modules/mesh/advert.ts";
import { createMesh, type Seed } from "../../../modules/mesh/mod.ts";
import {
  type MeshChange,
  MeshPicture,
  type MeshView,
  type NodeView,
} from "../../../modules/shared/mesh_view.ts";
import { MeshKeys, testPrimitives } from "../../support/mesh_keys.ts";
import { advertOf } from "./adverts.ts";

/** Each wait of these tests ends by an event; this only turns a hang into a failure. */
const WAIT_MS_MAX = 60_000;

interface Member {
  readonly daemon: Minimed;
  readonly self: Self;
  readonly network: CuttableNetwork;
}

export class RealMesh implements AsyncDisposable {
  readonly env: Environment = createRealEnvironment();
  readonly keys: MeshKeys;
  readonly logs: string[] = [];
  readonly #folder: string;
  readonly #members = new Map<string, Member>();

  private constructor(keys: MeshKeys, folder: string) {
    this.keys = keys;
    this.#folder = folder;
  }

  static async create(): Promise<RealMesh> {
    const { random, clock } = createRealEnvironment();
    const keys = new MeshKeys(await testPrimitives(), { random, now: () => clock.now() });
    return new RealMesh(keys, await Deno.makeTempDir());
  }

  async start(
    name: string,
    options: { self?: Self; seeds?: readonly Seed[]; modules?: Module[] } = {},
  ): Promise<Minimed> {
    const log = (component: string): Log => (level, text) => {
      this.logs.push(`${name} ${component} ${level}: ${text}`);
    };
    const self = options.self ?? this.keys.person({ name });
    const network = new CuttableNetwork(this.env.network);
    const peers = options.seeds ?? this.seeds();
    const daemon = new Minimed({
      env: { ...this.env, network },
      primitives: this.keys.primitives,
      trust: this.keys.trust(),
      self,
      modules: options.modules ?? [createMesh({ segment: "default", peers })],
      listen: ["tcp:127.0.0.1:0"],
      auditFolder: `${this.#folder}/${name}`,
      log,
    });
    await daemon.start();
    this.#members.set(name, { daemon, self, network });
    return daemon;
  }

  /** All that run. */
  seeds(): Seed[] {
    return [...this.#members.keys()].map((name) => this.seed(name));
  }

  seed(name: string): Seed {
    const { daemon, self } = this.#member(name);
    return { name, keyId: self.identity.keyId, endpoints: daemon.endpoints() };
  }

  get(name: string): Minimed {
    return this.#member(name).daemon;
  }

  self(name: string): Self {
    return this.#member(name).self;
  }

  /** An advert of that node, signed by `signer`. */
  advert(node: Self, change: Partial<Advert>, signer: Self = node): ReceivedAdvert {
    return advertOf(this.keys, node, change, signer);
  }

  /** Its cable is cut: every connection breaks, and none can be made. */
  cut(name: string): void {
    this.#member(name).network.cut();
  }

  async stop(name: string): Promise<void> {
    const { daemon } = this.#member(name);
    this.#members.delete(name);
    await daemon.stop("test says so");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#members.keys()].map((name) => this.stop(name)));
    await Deno.remove(this.#folder, { recursive: true });
  }

  #member(name: string): Member {
    const member = this.#members.get(name);
    if (member === undefined) throw new Error(`"${name}" does not run`);
    return member;
  }
}

/** The real network, until it is cut. */
class CuttableNetwork implements Network {
  readonly #network: Network;
  readonly #pipes = new Set<BytePipe>();
  #isCut = false;

  constructor(network: Network) {
    this.#network = network;
  }

  cut(): void {
    this.#isCut = true;
    for (const pipe of this.#pipes) pipe.close();
  }

  async dial(...args: Parameters<Network["dial"]>): ReturnType<Network["dial"]> {
    if (this.#isCut) throw new ConnectionError("no-route", "The cable is cut");
    return this.#keep(await this.#network.dial(...args));
  }

  async listen(...args: Parameters<Network["listen"]>): ReturnType<Network["listen"]> {
    const listener = await this.#network.listen(...args);
    return {
      address: listener.address,
      get closed() {
        return listener.closed;
      },
      accept: async () => this.#keep(await listener.accept()),
      close: () => listener.close(),
    };
  }

  addresses(): readonly string[] {
    return this.#network.addresses();
  }

  multicast(...args: Parameters<Network["multicast"]>): ReturnType<Network["multicast"]> {
    return this.#network.multicast(...args);
  }

  #keep(pipe: BytePipe): BytePipe {
    if (this.#isCut) pipe.close();
    this.#pipes.add(pipe);
    return pipe;
  }
}

/** Stands for the mesh module of a node that speaks to others by hand. */
export function puppet(
  options: { fetch?: (keys: Uint8Array) => unknown } = {},
): { module: Module; links: () => Links } {
  let links: Links | undefined;
  const answer = (handle: (args: Record<string, Uint8Array>) => unknown) =>
    verb({
      action: "link",
      args: v.any(),
      reply: v.any(),
      handle: (args) => handle(args as Record<string, Uint8Array>),
    });
  const nothing = new Uint8Array(4);
  const module: Module = {
    name: "mesh",
    verbs: {
      flood: answer(() => ({})),
      sync: answer(() => ({ buckets: new Uint8Array(), summary: nothing })),
      fetch: answer(({ keys }) => options.fetch?.(keys as Uint8Array) ?? { nodes: [] }),
    },
    start(host) {
      links = host.links;
      return Promise.resolve();
    },
    stop: () => Promise.resolve(),
  };
  return { module, links: () => links as Links };
}

export async function viewOf(daemon: Minimed): Promise<MeshView> {
  return await daemon.caller("mesh").request("mesh.nodes") as MeshView;
}

/** Follows `mesh.watch` of that daemon until the nodes are as wanted; the picture at that moment. */
export async function until(
  daemon: Minimed,
  wanted: (nodes: readonly NodeView[]) => boolean,
): Promise<MeshPicture> {
  const call = daemon.caller("mesh").stream("mesh.watch", undefined, { deadlineMs: WAIT_MS_MAX });
  let picture: MeshPicture | undefined;
  for await (const item of call) {
    if (picture === undefined) picture = new MeshPicture(item as MeshView);
    else picture.apply(item as MeshChange);
    if (wanted(picture.nodes)) {
      call.cancel();
      return picture;
    }
  }
  throw new Error(`Watching ended: ${JSON.stringify(picture?.nodes)}`);
}

/** `n1:up n2:down` */
export function states(nodes: readonly Pick<NodeView, "name" | "state">[]): string {
  return nodes.map(({ name, state }) => `${name}:${state}`).sort().join(" ");
}
