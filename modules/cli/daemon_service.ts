/** What every daemon does once it knows who it is, however it came to know: serve until it is told to stop. */

import {
  errorText,
  formatEndpoint,
  type KeptJournal,
  Minimed,
  type Primitives,
  type Self,
  type Trust,
} from "../../core/mod.ts";
import { createModules, type ModulesOptions } from "../mod.ts";
import type { CommandContext } from "../shared/command.ts";
import type { Logging } from "./daemon_log.ts";
import type { DaemonPlace } from "./daemon_place.ts";
import { reserving } from "./reserved_network.ts";

/** A daemon that is ready to start. */
export interface ServiceParts {
  readonly self: Self;
  readonly trust: Trust;
  readonly primitives: Primitives;
  readonly modules: Omit<ModulesOptions, "exec">;
  readonly place: DaemonPlace;
  readonly logging: Logging;
  readonly journal: KeptJournal;
  /** Its key outlives it: who has jobs here may come back to them. */
  readonly comesBack: boolean;
  /** @default the begin of our certificate */
  readonly requestsSinceMs?: number;
  /** It runs from now on; what is returned is disposed of before it stops. */
  readonly onUp: (daemon: Minimed) => Promise<AsyncDisposable> | void;
}

/** Resolves when the daemon has stopped; rejects when it cannot start. */
export async function serve(
  { env, signal }: Pick<CommandContext, "env" | "signal">,
  parts: ServiceParts,
): Promise<void> {
  const { self, trust, primitives, place, logging, journal, requestsSinceMs } = parts;
  const { listeners } = place;
  const daemon = new Minimed({
    env: reserving(env, listeners),
    primitives,
    trust,
    self,
    modules: createModules({
      ...parts.modules,
      log: logging.ring,
      // Where a key dies with its daemon, nobody comes back to its jobs.
      exec: { folder: place.paths.folder, comesBack: parts.comesBack },
    }),
    listen: listeners.map(({ address }) => formatEndpoint(address)),
    auditFolder: place.paths.audit,
    log: logging.log,
    journal,
    ...(requestsSinceMs === undefined ? {} : { requestsSinceMs }),
  });
  await using resources = new AsyncDisposableStack();
  const stop = () => {
    void resources.disposeAsync().then(() => daemon.stop(errorText(signal.reason)));
  };
  try {
    await daemon.start();
    const held = await parts.onUp(daemon);
    if (held) resources.use(held);
    signal.addEventListener("abort", stop);
    if (signal.aborted) stop();
    await daemon.stopped;
  } finally {
    signal.removeEventListener("abort", stop);
    await daemon.stop("start failed");
    await logging.close();
  }
}
