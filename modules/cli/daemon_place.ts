/**
 * The place of one daemon on its machine: state folder, socket, pid file, and the ports it listens
 * on. The socket is the claim: the kernel gives it to one process only, and takes it back however
 * that process ends. Everything else in the folder belongs to its holder.
 */

import {
  ConnectionError,
  type Environment,
  errorText,
  FileError,
  formatEndpoint,
  MinimeError,
  parseEndpoint,
  type PipeListener,
} from "../../core/mod.ts";
import type { Fail } from "../shared/enrolment.ts";
import { livingProcess, writePidFile } from "../shared/pid_file.ts";
import { makeStateFolder, type StatePaths } from "../shared/state_folder.ts";

type Needs = Pick<Environment, "files" | "network" | "processes">;

/** Why a daemon did not start, also in the words of the enrolment. */
export class StartError extends MinimeError {
  readonly reason: Fail["reason"];
  constructor(reason: Fail["reason"], message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}

/** Held until {@link DaemonPlace.leave}. */
export class DaemonPlace {
  readonly paths: StatePaths;
  /** The socket first. */
  readonly listeners: PipeListener[];
  readonly #env: Needs;

  private constructor(env: Needs, paths: StatePaths, socket: PipeListener) {
    this.#env = env;
    this.paths = paths;
    this.listeners = [socket];
  }

  /** Rejects with StartError, reason "running" when another daemon holds it. */
  static async claim(env: Needs, paths: StatePaths): Promise<DaemonPlace> {
    const place = new DaemonPlace(env, paths, await claimSocket(env, paths));
    try {
      await writePidFile(env, paths.pid);
      return place;
    } catch (error) {
      await place.leave();
      throw error;
    }
  }

  /** Rejects with StartError, reason "port-taken" for an address that somebody listens on. */
  async bind(endpoint: string): Promise<void> {
    try {
      this.listeners.push(await this.#env.network.listen(parseEndpoint(endpoint)));
    } catch (cause) {
      const taken = cause instanceof ConnectionError && cause.reason === "address-taken";
      throw new StartError(taken ? "port-taken" : "other", errorText(cause), { cause });
    }
  }

  /** TCP endpoints really bound: port 0 is resolved. */
  get endpoints(): string[] {
    return this.listeners.filter(({ address }) => address.transport === "tcp")
      .map(({ address }) => formatEndpoint(address));
  }

  /** Removes what says that somebody is here, and `more`; the folder too when nothing is left in it. */
  async leave(more: readonly string[] = []): Promise<void> {
    const { files } = this.#env;
    const { pid, socketPointer, folder } = this.paths;
    for (const path of [pid, ...more, socketPointer]) await files.remove(path);
    // The socket goes last: as long as it is there, nobody else takes the folder.
    for (const listener of this.listeners.toReversed()) listener.close();
    if ((await files.list(folder)).length === 0) await files.remove(folder);
  }
}

async function claimSocket(env: Needs, paths: StatePaths): Promise<PipeListener> {
  try {
    const { socket } = await makeStateFolder(env, paths);
    return await env.network.listen({ transport: "unix", path: socket });
  } catch (cause) {
    if (cause instanceof ConnectionError && cause.reason === "address-taken") {
      const other = await livingProcess(env, paths.pid);
      const as = other === undefined ? "" : `, as process ${other.pid}`;
      throw new StartError("running", `A daemon of this name runs already${as}`, { cause });
    }
    const full = cause instanceof FileError && cause.reason === "no-space";
    throw new StartError(full ? "no-space" : "state-folder", errorText(cause), { cause });
  }
}
