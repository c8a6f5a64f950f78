/** The modules of a daemon, in start order. Each is made anew for each daemon and shares nothing. */

import type { Module } from "../core/mod.ts";
import { createExec, type ExecOptions } from "./exec/mod.ts";
import { createFiles } from "./files/mod.ts";
import { createForward } from "./forward/mod.ts";
import { createDiscovery, type DiscoveryOptions } from "./discovery/mod.ts";
import { createDocuments, type DocumentsOptions } from "./documents/mod.ts";
import { createGroup } from "./group/mod.ts";
import { createHooks, type HooksOptions } from "./hooks/mod.ts";
import { createInitBoot, type InitBootOptions } from "./init_boot/mod.ts";
import { createLog, type LogRing } from "./log/mod.ts";
import { createKeys, type KeysOptions } from "./keys/mod.ts";
import { createMailbox } from "./mailbox/mod.ts";
import { createMesh, type MeshOptions } from "./mesh/mod.ts";
import { createNetworkBoot } from "./network_boot/mod.ts";
import { createRouter } from "./router/mod.ts";
import { createUpgrade, type UpgradeOptions } from "./upgrade/mod.ts";
import { createUptime } from "./uptime/mod.ts";

/** What a daemon is told about itself besides its keys. */
export interface ModulesOptions {
  readonly mesh: MeshOptions;
  /** @default nobody is looked for on the network */
  readonly discovery?: DiscoveryOptions;
  /** @default no mesh file: nobody is dialled by name */
  readonly initBoot?: InitBootOptions;
  /** @default no hooks, for ever */
  readonly hooks?: HooksOptions;
  /** @default it cannot be upgraded */
  readonly upgrade?: UpgradeOptions;
  /** What the daemon logs. @default its log cannot be read from elsewhere */
  readonly log?: LogRing;
  /** @default the renewed certificate is kept nowhere, and none is made for others */
  readonly keys?: KeysOptions;
  /** @default documents are kept nowhere */
  readonly documents?: DocumentsOptions;
  /** @default there is no place for background jobs */
  readonly exec?: ExecOptions;
}

export function createModules(options: ModulesOptions): Module[] {
  return [
    createMesh(options.mesh),
    createDocuments(options.documents ?? {}),
    createRouter(),
    createGroup(),
    createUptime(),
    createExec(options.exec),
    createFiles(),
    createLog(options.log),
    createMailbox(),
    createForward(),
    createKeys(options.keys ?? {}),
    createNetworkBoot(),
    createHooks(options.hooks),
    createDiscovery(options.discovery),
    createInitBoot(options.initBoot ?? { hosts: [] }),
    createUpgrade(options.upgrade),
  ];
}
