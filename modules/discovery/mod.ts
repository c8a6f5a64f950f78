/**
 * The discovery module: looks around for nodes of this mesh on the networks of this host, by
 * multicast DNS, where the administrator wants it. Otherwise it loads nothing, asks nothing and says
 * nothing. What it finds are places to dial; who is there proves itself by certificate.
 */

import * as v from "valibot";
import {
  type Environment,
  type Module,
  type ModuleHost,
  type Primitives,
  verb,
} from "../../core/mod.ts";
import { MeshFollower } from "../shared/mesh_follower.ts";
import { isGateway } from "../shared/mesh_view.ts";
import type { Place } from "./candidates.ts";
import type { Lookout } from "./lookout.ts";
import { type Circle, meshTags } from "./mesh_tag.ts";

/** What the daemon knows of its mesh. */
export interface DiscoveryOptions {
  readonly primitives: Pick<Primitives, "sha256">;
  readonly meshId: Uint8Array;
  /** As the mesh file says. */
  readonly discover: boolean;
  /** The same; with nodes of others it may not link. */
  readonly segment: string;
}

/**
 * Where nodes of the mesh may be that renew certificates, or reach who does, for who is let in by
 * nobody: whoever is there has to prove it.
 * Rejects with ConnectionError.
 */
export async function findHelpers(
  env: Pick<Environment, "clock" | "network">,
  { primitives, meshId, circle, signal }: Pick<DiscoveryOptions, "primitives" | "meshId"> & {
    readonly circle: Circle;
    readonly signal: AbortSignal;
  },
): Promise<readonly Place[]> {
  const { inquire } = await import("./inquiry.ts");
  return await inquire(env, { tags: meshTags(primitives, { meshId, circle }), signal });
}

/** One for each daemon; without options it never looks around. */
export function createDiscovery(options?: DiscoveryOptions): Module {
  let host: ModuleHost | undefined;
  let follower: MeshFollower | undefined;
  let lookout: Lookout | undefined;
  let segment = options?.segment ?? "";
  /** Starts and stops, one after the other. */
  let changing: Promise<unknown> = Promise.resolve();

  function set(discover: boolean, where = segment): Promise<void> {
    const changed = changing.then(async () => {
      if (where !== segment) await close();
      segment = where;
      await (discover ? open() : close());
    });
    changing = changed.catch(() => {}); // Whoever wanted it hears of it.
    return changed;
  }

  async function open(): Promise<void> {
    if (options === undefined || host === undefined || lookout !== undefined) return;
    const { log, stopping } = host;
    // Only here: the library behind it costs what others need not pay.
    const { Lookout } = await import("./lookout.ts");
    follower = new MeshFollower(host.module("mesh"), {
      onEnd: (why) => {
        if (!stopping.aborted) log("error", `Cannot follow the mesh any more: ${why}`);
      },
    });
    const picture = await follower.picture;
    if (stopping.aborted) return;
    const circle = { segment, gateway: isGateway(host.self) };
    const tags = meshTags(options.primitives, { ...options, circle });
    lookout = new Lookout({ host, picture, tags });
    log("info", "Looking around for nodes of this mesh by multicast DNS", { tags });
  }

  async function close(): Promise<void> {
    const open = lookout;
    lookout = undefined;
    await open?.stop();
    await follower?.stop();
    follower = undefined;
  }

  return {
    name: "discovery",
    verbs: {
      /** What the mesh file says now. */
      set: verb({
        action: "internal",
        args: v.strictObject({ discover: v.boolean(), segment: v.string() }),
        reply: v.strictObject({}),
        handle: async ({ discover, segment }) => {
          await set(discover, segment);
          return {};
        },
      }),
    },
    async start(given) {
      host = given;
      if (options?.discover) await set(true);
    },
    async stop() {
      await set(false);
    },
  };
}
