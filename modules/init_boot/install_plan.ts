/**
 * What installing a node on its machine writes, decided before anything is written: the program, the
 * folder of keys with the mesh file, and the file of the service manager. Files that lie where they
 * can stay are used in place.
 */

import {
  type Environment,
  equalBytes,
  type JoinToken,
  NotFoundError,
  type Primitives,
  UsageError,
} from "../../core/mod.ts";
import { type MeshFile, parseMeshFile } from "../shared/mesh_file.ts";
import { NODE_FILES } from "../shared/node_folder.ts";
import { loadNodeKeys, ownerOf, readNodeKeys } from "../shared/node_keys.ts";
import { readPrivateFile, shellQuoted } from "../shared/private_folder.ts";
import { didYouMean } from "../shared/suggest.ts";
import { requireTrusted } from "../shared/trusted_file.ts";
import type { PlannedFile } from "./install_files.ts";
import type { PlannedProgram } from "./installed_program.ts";
import { type ServiceKind, servicePath, systemdVersion } from "./service_kind.ts";
import { sysvScript } from "./sysv_script.ts";
import { systemdUnit } from "./systemd_unit.ts";
import { hasJoined, requireTokenFor } from "./token_join.ts";

/** Everything that an installation does to files. */
export interface InstallPlan {
  readonly mesh: string;
  readonly name: string;
  /** Of the keys, which is private. */
  readonly folder: string;
  /** The node has no keys yet, and gets them by its token. */
  readonly joins: boolean;
  readonly files: readonly PlannedFile[];
  /** What is left as it is, as sentences. */
  readonly notes: readonly string[];
}

/** As on the command line. */
export interface InstallOptions {
  readonly kind: ServiceKind;
  readonly config: string;
  /** What the service runs. */
  readonly program: PlannedProgram;
  /** @default whose the keys are, or whose the token is */
  readonly name?: string | undefined;
  /** Makes it a node unless it is one. @default none: the keys lie beside the mesh file */
  readonly token?: JoinToken | undefined;
  /** Prefix of all paths, for images of machines. */
  readonly root: string;
}

type Needs = Pick<Environment, "files" | "processes">;

/**
 * The service is told which node it is: its keys say so, whatever the machine is called.
 *
 * @throws UsageError for a file with mistakes, keys that lack or are of another node than these
 */
export async function planInstall(
  env: Needs,
  primitives: Primitives,
  options: InstallOptions,
): Promise<InstallPlan> {
  const { root, kind, token, program } = options;
  const config = absolute(env, options.config);
  const file = parseMeshFile(await readText(env, config), { file: config });
  const mesh = file.name;
  if (root === "") await requireTrustedParts(env, file, config);
  if (options.name !== undefined) requireHost(file, options.name, config);
  const place = placeOf(config, { mesh, root });
  if (token !== undefined) requireTokenFor(token, { mesh, name: options.name });
  const joins = token !== undefined && !await hasJoined(env, root + place.folder);
  const name = joins ? token.name : await keyOwner(env, primitives, {
    folder: token === undefined ? place.source : root + place.folder,
    isPlace: token !== undefined || place.inPlace,
    name: options.name ?? token?.name,
    rootPublicKey: token?.rootPublicKey,
  });
  const keys = await planKeys(env, { config, place, root, isFileOnly: token !== undefined });
  const counts = keys.kept === undefined ? file : parseMeshFile(keys.kept.text, {
    file: keys.kept.path,
  });
  requireHost(counts, name, keys.kept?.path ?? config);
  const path = `${place.folder}/${place.file}`;
  const command = [...program.words, "daemon", "--config", path, "--name", name];
  const reload = [...program.words, "reload", "--mesh", mesh, "--name", name];
  const service: PlannedFile = kind === "systemd"
    ? {
      path: root + servicePath(kind, mesh),
      mode: 0o644,
      data: systemdUnit({ mesh, command, reload, systemdVersion: await systemdVersion(env) }),
    }
    : {
      path: root + servicePath(kind, mesh),
      mode: 0o755,
      data: sysvScript({ mesh, config: path, command }),
    };
  return {
    mesh,
    name,
    folder: root + place.folder,
    joins,
    files: [
      ...(program.copy === undefined ? [] : [program.copy]),
      ...keys.files,
      service,
    ],
    notes: keys.kept === undefined ? [] : [`${keys.kept.path} is there already and stays as it is`],
  };
}

/** What the daemon would refuse at every start. */
async function requireTrustedParts(env: Needs, file: MeshFile, config: string): Promise<void> {
  if (config.startsWith("/etc/")) await requireTrusted(env, config);
  if (file.hooks !== undefined) await requireTrusted(env, file.hooks.program);
}

/** Where the service finds its mesh file and keys. */
interface Place {
  /** The folder that was named, with the mesh file in it. */
  readonly source: string;
  readonly folder: string;
  readonly file: string;
  /** It stays where it is. */
  readonly inPlace: boolean;
}

function placeOf(
  config: string,
  { mesh, root }: { readonly mesh: string; readonly root: string },
): Place {
  const slash = config.lastIndexOf("/");
  const source = config.slice(0, slash);
  const inPlace = root === "" && source.startsWith("/etc/");
  return inPlace
    ? { source, folder: source, file: config.slice(slash + 1), inPlace }
    : { source, folder: `/etc/minime/${mesh}`, file: "mesh.toml", inPlace };
}

function requireHost(file: MeshFile, name: string, path: string): void {
  if (file.hosts.some((host) => host.name === name)) return;
  throw new UsageError(
    `There is no host "${name}" in "${path}"${
      didYouMean(name, file.hosts.map((each) => each.name))
    }`,
  );
}

/** Its daemon would refuse what is wrong with them at every start. */
async function keyOwner(
  env: Needs,
  primitives: Primitives,
  { folder, isPlace, name, rootPublicKey }: {
    readonly folder: string;
    /** The daemon will use them there. */
    readonly isPlace: boolean;
    readonly name: string | undefined;
    /** Of the mesh that is meant, where that is known. */
    readonly rootPublicKey: Uint8Array | undefined;
  },
): Promise<string> {
  const keys = await (isPlace ? loadNodeKeys : readNodeKeys)(env, primitives, folder);
  if (rootPublicKey !== undefined && !equalBytes(rootPublicKey, keys.rootPublicKey)) {
    throw new UsageError(`"${folder}" holds keys of another mesh of that name`, {
      hint: `If the token counts, take them away: mv ${folder} ${folder}.old`,
    });
  }
  const owner = ownerOf(primitives, keys);
  if (name === undefined || owner === name) return owner;
  throw new UsageError(`The keys in "${folder}" are those of "${owner}", not of "${name}"`);
}

async function planKeys(
  env: Needs,
  { config, place, root, isFileOnly }: {
    readonly config: string;
    readonly place: Place;
    readonly root: string;
    /** The keys are there, or will be. */
    readonly isFileOnly: boolean;
  },
): Promise<{
  readonly files: readonly PlannedFile[];
  /** A mesh file that was there before and stays. */
  readonly kept?: { readonly path: string; readonly text: string };
}> {
  if (place.inPlace) return { files: [] };
  const files: PlannedFile[] = [];
  let kept: { readonly path: string; readonly text: string } | undefined;
  for (const file of isFileOnly ? ["mesh.toml" as const] : NODE_FILES) {
    const path = `${root}${place.folder}/${file}`;
    const isMeshFile = file === "mesh.toml";
    const original = isMeshFile ? config : `${place.source}/${file}`;
    const data = isMeshFile ? await env.files.read(config) : await readPrivateFile(env, original);
    if (data === undefined) continue;
    const present = await readPrivateFile(env, path);
    if (present !== undefined && !equalBytes(present, data)) {
      if (isMeshFile) {
        kept = { path, text: new TextDecoder().decode(present) };
        continue;
      }
      if (file === "node.key") {
        const folder = root + place.folder;
        throw new UsageError(`"${path}" is there already, of another node or an earlier key`, {
          hint: `If the new one counts, take the old folder away: mv ${folder} ${folder}.old`,
        });
      }
    }
    files.push({ path, mode: 0o600, data, from: `a copy of ${original}` });
  }
  return { files, ...(kept === undefined ? {} : { kept }) };
}

function absolute({ processes }: Pick<Environment, "processes">, path: string): string {
  if (path.startsWith("/")) return path;
  const folder = processes.variable("PWD");
  // sudo may take it away; then the kernel knows.
  const here = folder?.startsWith("/") ? folder : "/proc/self/cwd";
  return `${here}/${path.replace(/^\.\//, "")}`;
}

async function readText({ files }: Needs, path: string): Promise<string> {
  if ((await files.facts(path))?.kind === "folder") {
    throw new UsageError(`"${path}" is a folder`, {
      hint: `Name the mesh file in it: --config ${shellQuoted(`${path}/mesh.toml`)}`,
    });
  }
  try {
    return await files.readText(path);
  } catch (cause) {
    if (!(cause instanceof NotFoundError)) throw cause;
    throw new UsageError(`There is no mesh file "${path}"`, {
      hint: "Name one: --config mesh.toml",
    });
  }
}
