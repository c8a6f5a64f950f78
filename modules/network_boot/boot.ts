/**
 * Boots many hosts at once: launches, enrols and remembers each; no host waits for another, but for
 * its place in the window and its turn to copy. Tells what happens as it happens; whether the mesh
 * really links what is up is asked afterwards (verify.ts).
 */

import type { Environment } from "../../core/mod.ts";
import type { MeshHost } from "../shared/mesh_file.ts";
import { enrol, type Enrolled, partFrom } from "./enrol.ts";
import { HostError } from "./host_error.ts";
import type { Launcher, LaunchStep } from "./launcher.ts";
import type { Registrar } from "./registrar.ts";
import type { Sources } from "./sources.ts";

/** What became of one host. `already`: a daemon of this name and mesh ran there before. */
export type HostOutcome =
  & { readonly host: MeshHost; readonly ms: number }
  & (
    | ({ readonly state: "up" } & Enrolled)
    | { readonly state: "already" }
    | { readonly state: "failed"; readonly error: HostError }
  );

export interface BootOptions {
  readonly env: Pick<Environment, "clock">;
  readonly mesh: string;
  readonly hosts: readonly MeshHost[];
  /** Hosts at the same time. */
  readonly window: number;
  /** From launch to certificate to up, for each of the two. */
  readonly timeoutMs: number;
  readonly launcherOf: (host: MeshHost) => Launcher;
  readonly registrar: Registrar;
  readonly sources: Sources;
  readonly signal: AbortSignal;
  readonly onStep: (host: MeshHost, step: LaunchStep) => void;
  /** Before the next host may depend on it; in the order in which hosts are done. */
  readonly onOutcome: (outcome: HostOutcome) => Promise<void>;
}

/** Resolves when every host is up or has failed. Rejects when the signal aborts, or with a bug. */
export async function bootHosts(options: BootOptions): Promise<HostOutcome[]> {
  const waiting = [...options.hosts];
  const outcomes: HostOutcome[] = [];
  const worker = async () => {
    for (let host = waiting.shift(); host !== undefined; host = waiting.shift()) {
      const outcome = await bootHost(host, options);
      outcomes.push(outcome);
      await options.onOutcome(outcome);
      settle(outcome, options);
    }
  };
  const workers = Array.from({ length: Math.min(options.window, waiting.length) }, worker);
  const results = await Promise.allSettled(workers);
  const failed = results.find((result) => result.status === "rejected");
  if (failed !== undefined) throw failed.reason;
  return outcomes;
}

async function bootHost(host: MeshHost, options: BootOptions): Promise<HostOutcome> {
  const { clock } = options.env;
  const begun = clock.monotonic();
  try {
    const enrolled = await start(host, options);
    return { host, state: "up", ...enrolled, ms: clock.monotonic() - begun };
  } catch (error) {
    options.signal.throwIfAborted();
    if (!(error instanceof HostError)) throw error;
    const ms = clock.monotonic() - begun;
    if (error.reason === "running") return { host, state: "already", ms };
    return { host, state: "failed", error, ms };
  }
}

async function start(host: MeshHost, options: BootOptions): Promise<Enrolled> {
  const { env: { clock }, registrar, timeoutMs, signal, mesh } = options;
  registrar.open(host);
  await using process = await options.launcherOf(host).launch(host, {
    mesh,
    signal,
    onStep: (step) => options.onStep(host, step),
  });
  const enrolled = await enrol(process, { host, registrar, clock, timeoutMs });
  await partFrom(process, clock);
  return enrolled;
}

/** Only what is up may be a source or a peer. */
function settle(outcome: HostOutcome, { registrar, sources }: BootOptions): void {
  const { host, state } = outcome;
  if (state === "up") sources.up(host.name);
  else {
    registrar.forget(host.name);
    sources.lost(host.name);
  }
}
