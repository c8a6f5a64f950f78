/**
 * What installing a node on its machine writes, decided before anything is written: the program, the
 * folder of keys with the mesh file, and the file of the service manager. Files that lie where they
 * can stay are used in place.
 */

import {
  choosePrimitives,
  type Environment,
  equalBytes,
  NotFoundError,
  parseCertificate,
  UsageError,
} from "../../core/mod.ts";
import { parseMeshFile } from "../shared/mesh_file.ts";
import { NODE_FILES } from "../shared/node_folder.ts";
import { readPrivateFile } from "../shared/private_folder.ts";
import { type ServiceKind, servicePath, systemdVersion } from "./service_kind.ts";
import { sysvScript } from "./sysv_script.ts";
import { systemdUnit } from "./systemd_unit.ts";

/** A file that shall be there. */
export interface PlannedFile {
  readonly path: string;
  readonly mode: number;
  readonly data: Uint8Array | string;
  /** What a dry run says of it instead of its content. */
  readonly from?: string;
}

/** Everything that an installation does to files. */
export interface InstallPlan {
  readonly mesh: string;
  /** Folders that are private. */
  readonly folders: readonly string[];
  readonly files: readonly PlannedFile[];
  /** What is left as it is, as sentences. */
  readonly notes: readonly string[];
}

/** As on the command line. */
export interface InstallOptions {
  readonly kind: ServiceKind;
  readonly config: string;
  readonly name?: string;
  /** Prefix of all paths, for images of machines. */
  readonly root: string;
}

type Needs = Pick<Environment, "files" | "processes">;

/** Where a program can stay: it is there at boot, and no service manager hides it. */
const PROGRAM_FOLDERS = /^\/(usr|opt|bin|sbin)\//;
const PROGRAM_PATH = "/usr/local/bin/minime";

/** @throws UsageError for a file with mistakes, or keys of another node in the place of these */
export async function planInstall(env: Needs, options: InstallOptions): Promise<InstallPlan> {
  const { root, kind, name } = options;
  const config = absolute(env, options.config);
  const file = parseMeshFile(await readText(env, config), { file: config });
  const mesh = file.name;
  if (name !== undefined && file.hosts.every((host) => host.name !== name)) {
    throw new UsageError(`There is no host "${name}" in "${config}"`);
  }
  if (name !== undefined) await requireKeysOf(env, config, name);
  const program = await planProgram(env, root);
  const keys = await planKeys(env, { config, mesh, root });
  const command = [
    ...program.words,
    "daemon",
    "--config",
    keys.config,
    ...(name === undefined ? [] : ["--name", name]),
  ];
  const reload = [
    ...program.words,
    "reload",
    "--mesh",
    mesh,
    ...(name === undefined ? [] : ["--name", name]),
  ];
  const service: PlannedFile = kind === "systemd"
    ? {
      path: root + servicePath(kind, mesh),
      mode: 0o644,
      data: systemdUnit({ mesh, command, reload, systemdVersion: await systemdVersion(env) }),
    }
    : {
      path: root + servicePath(kind, mesh),
      mode: 0o755,
      data: sysvScript({ mesh, config: keys.config, command }),
    };
  return {
    mesh,
    folders: keys.folders,
    files: [...program.files, ...keys.files, service],
    notes: keys.notes,
  };
}

/** Its daemon would refuse them at every start. */
async function requireKeysOf(env: Needs, config: string, name: string): Promise<void> {
  const folder = config.slice(0, config.lastIndexOf("/"));
  const certificate = await readPrivateFile(env, `${folder}/node.cert`);
  if (certificate === undefined) return;
  using primitives = await choosePrimitives();
  const owner = parseCertificate(primitives, certificate).name;
  if (owner === name) return;
  throw new UsageError(`The keys in "${folder}" are those of "${owner}", not of "${name}"`);
}

/** From source the words name the runtime and our main file: there is nothing to be copied. */
async function planProgram(
  env: Needs,
  root: string,
): Promise<{ readonly words: readonly string[]; readonly files: readonly PlannedFile[] }> {
  const { executable, self } = env.processes;
  if (executable === undefined || (root === "" && PROGRAM_FOLDERS.test(executable))) {
    return { words: self, files: [] };
  }
  const data = await env.files.read(executable);
  const path = root + PROGRAM_PATH;
  const from = `a copy of ${executable}`;
  return { words: [PROGRAM_PATH], files: [{ path, mode: 0o755, data, from }] };
}

async function planKeys(
  env: Needs,
  { config, mesh, root }: {
    readonly config: string;
    readonly mesh: string;
    readonly root: string;
  },
): Promise<{
  readonly config: string;
  readonly folders: readonly string[];
  readonly files: readonly PlannedFile[];
  readonly notes: readonly string[];
}> {
  const source = config.slice(0, config.lastIndexOf("/"));
  if (root === "" && source.startsWith("/etc/")) {
    return { config, folders: [], files: [], notes: [] };
  }
  const folder = `/etc/minime/${mesh}`;
  const files: PlannedFile[] = [];
  const notes: string[] = [];
  for (const file of NODE_FILES) {
    const path = `${root}${folder}/${file}`;
    const isMeshFile = file === "mesh.toml";
    const original = isMeshFile ? config : `${source}/${file}`;
    const data = isMeshFile ? await env.files.read(config) : await readPrivateFile(env, original);
    if (data === undefined) continue;
    const present = await readPrivateFile(env, path);
    if (present !== undefined && !equalBytes(present, data)) {
      if (isMeshFile) {
        notes.push(`${path} is there already and stays as it is`);
        continue;
      }
      if (file === "node.key") {
        throw new UsageError(`"${path}" is there already, of another node or an earlier key`, {
          hint: `If the new one counts, take the old folder away: mv ${root}${folder} ` +
            `${root}${folder}.old`,
        });
      }
    }
    files.push({ path, mode: 0o600, data, from: `a copy of ${original}` });
  }
  return { config: `${folder}/mesh.toml`, folders: [root + folder], files, notes };
}

function absolute({ processes }: Pick<Environment, "processes">, path: string): string {
  if (path.startsWith("/")) return path;
  const folder = processes.variable("PWD");
  // sudo may take it away; then the kernel knows.
  const here = folder?.startsWith("/") ? folder : "/proc/self/cwd";
  return `${here}/${path.replace(/^\.\//, "")}`;
}

async function readText({ files }: Needs, path: string): Promise<string> {
  try {
    return await files.readText(path);
  } catch (cause) {
    if (!(cause instanceof NotFoundError)) throw cause;
    throw new UsageError(`There is no mesh file "${path}"`);
  }
}
