/**
 * What a daemon does when its mesh file was read again: what can count at once does, without touching
 * a link that stays; what cannot is named. Documents are taken first, because they may be refused.
 */

import {
  CallError,
  DOCUMENT_KINDS,
  DOCUMENT_PLACES,
  type Environment,
  formatPolicy,
  type Minimed,
  parsePolicy,
  UsageError,
} from "../../core/mod.ts";
import type { ReadAgain } from "../init_boot/mod.ts";
import { listenEndpoints } from "../shared/host_endpoints.ts";
import type { DaemonLogLevel } from "../shared/log_level.ts";
import type { MeshHooks } from "../shared/mesh_file.ts";
import { readPrivateFile } from "../shared/private_folder.ts";
import { certificateGroups } from "../shared/roles.ts";
import { othersOf, type OwnFile, readOwnFile } from "./configured_file.ts";
import type { Logging } from "./daemon_log.ts";

/** What is logged unless somebody says otherwise. */
export const LOG_LEVEL_DEFAULT: DaemonLogLevel = "info";

export interface FileReloadOptions {
  readonly env: Pick<Environment, "files" | "host" | "network" | "processes">;
  readonly config: string;
  /** As on the command line. */
  readonly name?: string;
  /** As on the command line: counts more than the file. */
  readonly logLevel?: DaemonLogLevel;
  /** The folder of keys. */
  readonly keys: string;
  readonly logging: Logging;
  /** What the daemon was started with. */
  readonly file: OwnFile;
}

/** From the daemon's start on. */
export class FileReload {
  readonly #options: FileReloadOptions;
  #file: OwnFile;
  /** With which the daemon came up: some of it counts until it ends. */
  #started: OwnFile;
  /** What counts now may be others than when it came up. */
  #segment = "";
  #hooks: MeshHooks | undefined;
  #discover = false;
  #daemon: Minimed | undefined;

  constructor(options: FileReloadOptions) {
    this.#options = options;
    this.#file = this.#started = options.file;
  }

  /** As it was read last. */
  get file(): OwnFile {
    return this.#file;
  }

  /**
   * Before the daemon is up, which then comes up with what the file says now. Rejects with MinimeError
   * when it cannot be used, or not by this node.
   */
  async early(): Promise<void> {
    const file = await this.#read();
    const { mesh, host } = this.#file;
    if (file.mesh.name !== mesh.name || file.host.name !== host.name) {
      throw new UsageError(
        `It makes this machine "${file.host.name}" in mesh "${file.mesh.name}", and this daemon is ` +
          `"${host.name}" in mesh "${mesh.name}": that takes another start`,
      );
    }
    this.#file = file;
    this.#setLogLevel(file);
  }

  /** The daemon runs, with the file as it was read last. */
  up(daemon: Minimed): void {
    const { mesh, host } = this.#started = this.#file;
    this.#segment = host.segment;
    this.#hooks = mesh.hooks;
    this.#discover = mesh.discover;
    this.#daemon = daemon;
  }

  /** Rejects with MinimeError when the file or a document beside it cannot be used. */
  async run(): Promise<ReadAgain> {
    const daemon = this.#daemon;
    if (daemon === undefined) throw new CallError("unreachable", "This daemon is not up yet");
    const file = await this.#read();
    const changed = [
      ...await this.#takeDocuments(daemon),
      ...await this.#setDiscover(daemon, file),
      ...await this.#move(daemon, file.host.segment),
      ...this.#setLogLevel(file),
      ...await this.#setHooks(daemon, file.mesh.hooks),
    ];
    this.#file = file;
    return { hosts: othersOf(file), changed, later: this.#later(daemon, file) };
  }

  #read(): Promise<OwnFile> {
    const { env, config, name } = this.#options;
    return readOwnFile(env, { config, ...(name === undefined ? {} : { name }) });
  }

  /** A newer signed document may have been put beside the file. */
  async #takeDocuments(daemon: Minimed): Promise<string[]> {
    const { env, keys } = this.#options;
    const changed: string[] = [];
    for (const kind of DOCUMENT_KINDS) {
      const bytes = await readPrivateFile(env, `${keys}/${kind}.signed`);
      if (bytes === undefined) continue;
      const reply = await daemon.caller("documents").request("documents.offer", { kind, bytes });
      if (!(reply as { readonly adopted: boolean }).adopted) continue;
      changed.push(`${kind} version ${daemon.trust[DOCUMENT_PLACES[kind]]?.version ?? 0}`);
    }
    return changed;
  }

  async #move(daemon: Minimed, segment: string): Promise<string[]> {
    if (segment === this.#segment) return [];
    await daemon.caller("mesh").request("mesh.move", { segment });
    this.#segment = segment;
    return [`segment "${segment}"`];
  }

  #setLogLevel({ host }: OwnFile): string[] {
    const { logging, logLevel } = this.#options;
    const level = logLevel ?? host.logLevel ?? LOG_LEVEL_DEFAULT;
    if (level === logging.level) return [];
    logging.level = level;
    return [`log level ${level}`];
  }

  async #setHooks(daemon: Minimed, hooks: MeshHooks | undefined): Promise<string[]> {
    if (JSON.stringify(hooks) === JSON.stringify(this.#hooks)) return [];
    await daemon.caller("hooks").request("hooks.set", hooks === undefined ? {} : { hooks });
    this.#hooks = hooks;
    return [hooks === undefined ? "no hooks" : `hook "${hooks.program}"`];
  }

  /** Before the node moves: whom it finds meanwhile is of its new segment. */
  async #setDiscover(
    daemon: Minimed,
    { mesh: { discover }, host: { segment } }: OwnFile,
  ): Promise<string[]> {
    if (discover === this.#discover && segment === this.#segment) return [];
    await daemon.caller("discovery").request("discovery.set", { discover, segment });
    if (discover === this.#discover) return [];
    this.#discover = discover;
    return [discover ? "looking around" : "no looking around"];
  }

  #later(daemon: Minimed, { mesh, host }: OwnFile): string[] {
    const before = this.#started;
    const { config } = this.#options;
    const later: string[] = [];
    const differs = (what: string, is: string, was: string) => {
      if (is !== was) later.push(`The file changes ${what}: that counts from the next start on`);
    };
    differs("the name of the mesh", mesh.name, before.mesh.name);
    differs("which host this machine is", host.name, before.host.name);
    const listens = (each: OwnFile["host"]) => listenEndpoints(each).join();
    differs("where this node listens", listens(host), listens(before.host));
    const groups = certificateGroups(host).sort().join() || "none";
    const certified = [...daemon.self.groups].sort().join() || "none";
    if (groups !== certified) {
      later.push(
        `The file gives this node the groups ${groups}, its certificate ${certified}: those of the ` +
          "certificate count",
      );
    }
    if (isOtherPolicy(mesh.policy, daemon)) {
      later.push(
        "The policy in the file is not the one that counts, which the root key signs: where that " +
          `is, run: minime mesh publish --config ${config.slice(config.lastIndexOf("/") + 1)}`,
      );
    }
    return later;
  }
}

/** A file without any says nothing about it. */
function isOtherPolicy(policy: OwnFile["mesh"]["policy"], { trust }: Minimed): boolean {
  if (Object.keys(policy).length === 0) return false;
  return JSON.stringify(formatPolicy(parsePolicy(policy))) !==
    JSON.stringify(formatPolicy(trust.policy));
}
