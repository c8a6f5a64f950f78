/**
 * The init_boot module: what a node does that starts with its machine. It finds the hosts of its mesh
 * file, for ever. A node that was booted over the network has no file, and then nothing to do here.
 */

import type { Module } from "../../core/mod.ts";
import { MeshFollower } from "../shared/mesh_follower.ts";
import type { MeshPicture } from "../shared/mesh_view.ts";
import { type FileHost, HostDialler } from "./host_dialler.ts";

export type { FileHost } from "./host_dialler.ts";

/** What the daemon's own files say. */
export interface InitBootOptions {
  /** The other hosts of the mesh file. */
  readonly hosts: readonly FileHost[];
}

/** One for each daemon. */
export function createInitBoot(options: InitBootOptions): Module {
  let mesh: MeshFollower | undefined;
  let dialler: HostDialler | undefined;
  return {
    name: "init_boot",
    verbs: {},
    async start(host) {
      if (options.hosts.length === 0) return;
      mesh = new MeshFollower(host.module("mesh"), {
        onEnd: (why) => {
          if (host.stopping.aborted) return;
          host.log("error", `Cannot follow the mesh any more: ${why}`);
        },
      });
      const picture = await mesh.picture;
      dialler = new HostDialler({
        env: host.env,
        links: host.links,
        log: host.log,
        isUp: (name) => isUp(picture, name),
      });
      dialler.update(options.hosts);
    },
    async stop() {
      await dialler?.stop();
      await mesh?.stop();
    },
  };
}

function isUp(picture: MeshPicture, name: string): boolean {
  return picture.byName(name)?.state === "up";
}
