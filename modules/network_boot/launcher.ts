/**
 * What starts a daemon on a host, whatever way leads there. Small on purpose: ssh.ts's user and
 * `local` exist, a batch system is one more. A launcher knows no keys: enrolment is lines that
 * others read and write through what it returns.
 */

import type { MeshHost } from "../shared/mesh_file.ts";
import type { HostError } from "./host_error.ts";

export interface Launcher {
  /**
   * Starts `minime daemon --enrol --detach` there, with all that must come before it. Rejects with
   * HostError when the host is why not. Never takes longer than the timeouts it was made with,
   * but for a copy that makes progress.
   */
  launch(host: MeshHost, options: LaunchOptions): Promise<LaunchedProcess>;
}

export interface LaunchOptions {
  readonly mesh: string;
  /** Ends everything at once, on the host too. */
  readonly signal: AbortSignal;
  /** Called when something new begins. */
  readonly onStep: (step: LaunchStep) => void;
}

/** For progress: what a host is doing. */
export type LaunchStep = "connecting" | "waiting" | "copying" | "starting";

/** A daemon that is starting, or why it could not; disposing ends our side, never a daemon that is up. */
export interface LaunchedProcess extends AsyncDisposable {
  /** The next line that the daemon prints; undefined when there is none any more. */
  next(): Promise<string | undefined>;
  /** False when nobody reads it any more. */
  write(line: string): Promise<boolean>;
  /** Why `next` returned undefined although the daemon is not up. */
  failure(): Promise<HostError>;
  /** At once; a daemon that is not up yet dies of it. Idempotent. */
  kill(): void;
}
