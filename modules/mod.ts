/** The modules of a daemon, in start order. Each is made anew for each daemon and shares nothing. */

import type { Module } from "../core/mod.ts";
import { createGroup } from "./group/mod.ts";
import { createMesh, type MeshOptions } from "./mesh/mod.ts";
import { createNetworkBoot } from "./network_boot/mod.ts";
import { createRouter } from "./router/mod.ts";
import { createUptime } from "./uptime/mod.ts";

/** What a daemon is told about itself besides its keys. */
export interface ModulesOptions {
  readonly mesh: MeshOptions;
}

export function createModules(options: ModulesOptions): Module[] {
  return [
    createMesh(options.mesh),
    createRouter(),
    createGroup(),
    createUptime(),
    createNetworkBoot(),
  ];
}
