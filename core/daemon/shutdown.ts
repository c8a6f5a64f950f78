/**
 * The orderly shutdown, as numbered steps. Their order has reasons, and each has a deadline, so that
 * a module or peer that hangs cannot keep the daemon alive.
 */

import type { ConduitListener } from "../conduit/conduit.ts";
import type { Clock } from "../environment/environment.ts";
import { errorText } from "../errors.ts";
import { CLOSE_MS_MAX, MODULE_STOP_MS_MAX, SHUTDOWN_DRAIN_MS_MAX } from "../limits.ts";
import type { Log } from "../log.ts";
import type { Calls } from "./calls.ts";
import type { Dispatcher } from "./dispatch.ts";
import type { LinkTable } from "./link_table.ts";
import type { Module, StopHow } from "./module.ts";

export interface ShutdownParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly reason: string;
  readonly how: StopHow;
  readonly stopping: AbortController;
  readonly dispatcher: Dispatcher;
  readonly links: LinkTable;
  readonly onDemand: LinkTable;
  readonly clients: { list(): readonly Calls[] };
  readonly internals: { list(): readonly Calls[] };
  /** Those that were started, in start order. */
  readonly modules: readonly Module[];
  readonly listeners: readonly ConduitListener[];
}

/** Never rejects: what goes wrong is logged, and the next step is taken. */
export async function shutDown(parts: ShutdownParts): Promise<void> {
  const { reason } = parts;
  // 1. Long-lived handlers (watchers) end by themselves now, or step 2 would wait for them in vain.
  parts.stopping.abort(new Error(`Daemon stops: ${reason}`));
  // 2. What is being answered gets its answer: among it the request that asked for this shutdown,
  //    and group operations that we carry for others.
  await within(parts, SHUTDOWN_DRAIN_MS_MAX, "Running requests", async () => {
    await Promise.all([
      parts.links.idle(),
      parts.onDemand.idle(),
      ...parts.clients.list().map((calls) => calls.idle()),
    ]);
  });
  // 3. Nothing new is begun that would not be finished.
  parts.dispatcher.close("This daemon is shutting down");
  // 4. Modules in reverse order: a module may rely on those started before it. They still have
  //    their links, so that they can say goodbye to the mesh.
  for (const module of [...parts.modules].reverse()) {
    await within(
      parts,
      MODULE_STOP_MS_MAX,
      `Module "${module.name}"`,
      () => module.stop(parts.how),
    );
  }
  // 5. Conduits, with a goodbye that tells the peers this is no failure.
  await within(parts, 2 * CLOSE_MS_MAX, "Conduits", async () => {
    const calls = [...parts.clients.list(), ...parts.internals.list()].map((one) =>
      one.close(reason)
    );
    await Promise.all([parts.links.close(reason), parts.onDemand.close(reason), ...calls]);
  });
  // 6. Listeners last: as long as somebody can connect, we are not gone.
  await within(parts, CLOSE_MS_MAX, "Listeners", async () => {
    await Promise.all(parts.listeners.map((listener) => listener.close()));
    // Who came while the others were being closed.
    await Promise.all(parts.clients.list().map((calls) => calls.close(reason)));
  });
}

async function within(
  parts: Pick<ShutdownParts, "clock" | "log">,
  ms: number,
  what: string,
  run: () => Promise<void>,
): Promise<void> {
  const { clock, log } = parts;
  const { promise: late, resolve } = Promise.withResolvers<void>();
  const timer = clock.after(ms, () => {
    log("warning", `${what} did not stop within ${ms} ms`);
    resolve();
  });
  try {
    await Promise.race([run(), late]);
  } catch (error) {
    log("error", `${what} did not stop well: ${errorText(error)}`);
  } finally {
    timer.cancel();
  }
}
