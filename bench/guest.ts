/**
 * A user of the mesh that is measured, with a connection to every node of it, in this process: tells
 * when each of them wants to have nothing to do with that user any more.
 */

import { Calls, choosePrimitives, type Primitives, TcpFront } from "../core/mod.ts";
import { createRealEnvironment } from "../core/environment/real.ts";
import { needsNow } from "../modules/shared/authority.ts";
import { loadUser, selfOf } from "../modules/shared/credentials.ts";
import { type KnownNode, MeshHome } from "../modules/shared/mesh_home.ts";

/** How long nodes may take to end their connections. */
const END_MS_MAX = 30_000;

export class Guest implements AsyncDisposable {
  readonly #nodes: readonly KnownNode[];
  readonly #front: TcpFront;
  readonly #calls: Calls[];
  readonly #primitives: Primitives;
  readonly #ended: Promise<number>[];

  private constructor(parts: {
    readonly nodes: readonly KnownNode[];
    readonly front: TcpFront;
    readonly calls: Calls[];
    readonly ended: Promise<number>[];
    readonly primitives: Primitives;
  }) {
    this.#nodes = parts.nodes;
    this.#front = parts.front;
    this.#calls = parts.calls;
    this.#ended = parts.ended;
    this.#primitives = parts.primitives;
  }

  /** With the home that `minime user add` has written. */
  static async connect(folder: string): Promise<Guest> {
    const env = createRealEnvironment();
    const primitives = await choosePrimitives();
    const home = new MeshHome(env, "bench", folder);
    const user = await loadUser(home, needsNow(env, primitives));
    const { trust } = user;
    const self = selfOf(user, { primitives, random: env.random });
    const { clock, random, network } = env;
    const context = { clock, random, primitives, trust, self };
    const front = new TcpFront({ network, context: () => context, log: () => {} });
    const nodes = await home.nodes();
    const conduits = await Promise.all(nodes.map((node) => dial(front, node)));
    const ended = conduits.map(async ({ closed }) => {
      await closed;
      return Date.now();
    });
    const calls = conduits.map((conduit) => new Calls({ conduit, clock, dialled: true }));
    // Nodes have let it in only when they answer.
    await Promise.all(calls.map((each) => each.request("core.ping")));
    return new Guest({ nodes, front, calls, ended, primitives });
  }

  /** Unix ms at which each node has ended its connection. */
  async refusals(): Promise<number[]> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(
        () => reject(new Error(`Nodes have not refused it after ${END_MS_MAX} ms`)),
        END_MS_MAX,
      );
    });
    try {
      return await Promise.race([Promise.all(this.#ended), late]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Rejects if one of them lets it in. */
  async requireShutOut(): Promise<void> {
    const open = await Promise.all(this.#nodes.map(async (node) => {
      try {
        const conduit = await dial(this.#front, node);
        await conduit.close("bench");
        return [node.name];
      } catch {
        return [];
      }
    }));
    if (open.flat().length > 0) throw new Error(`${open.flat().join()} let a revoked user in`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#calls.map((calls) => calls.close("bench")));
    this.#primitives[Symbol.dispose]();
  }
}

function dial(front: TcpFront, { endpoints, keyId }: KnownNode): ReturnType<TcpFront["dial"]> {
  return front.dial(endpoints[0] ?? "", { expect: { keyId } });
}
