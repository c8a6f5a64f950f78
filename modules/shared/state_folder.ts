/**
 * The folder of one running daemon: `$XDG_STATE_HOME/minime/MESH/NODE/`, by default below
 * `~/.local/state`. Socket, pid, log and audit have fixed names in it. A unix socket's path must
 * stay below 108 bytes (sun_path); where it would be longer, the socket lies in a short private folder and
 * the file `sock.path` says where: the daemon and its user may have different XDG_RUNTIME_DIRs.
 */

import { checkName, type Environment, isName } from "../../core/mod.ts";
import {
  baseFolder,
  checkPrivateFolder,
  makePrivateFolder,
  readPrivateFile,
} from "./private_folder.ts";

type Needs = Pick<Environment, "files" | "processes">;

/** sun_path has 108 bytes with the NUL at its end; Deno takes 107. */
const SOCKET_PATH_BYTES_MAX = 107;

/** The daemon's own. */
const SOCKET = "sock";

/** Of daemons that the service manager of a machine starts. */
export const SYSTEM_STATE_ROOT = "/var/lib/minime";

/** Where the parts of one daemon's state are. */
export interface StatePaths {
  readonly folder: string;
  readonly pid: string;
  readonly log: string;
  /** A folder. */
  readonly audit: string;
  /** There while the daemon waits for something before it can run; says for what. */
  readonly waiting: string;
  /** There while a process holds background jobs of the node (modules/exec/holder.ts). */
  readonly jobsPid: string;
  /** Says where the socket lies when it does not lie in the folder. */
  readonly socketPointer: string;
}

/** In a state folder: see {@link StatePaths.jobsPid}. */
export function jobsPidFile(folder: string): string {
  return `${folder}/jobs.pid`;
}

/** Of all daemons of this user; throws when neither XDG_STATE_HOME nor HOME is set. */
export function stateRoot(env: Pick<Environment, "processes">): string {
  return `${baseFolder(env, "XDG_STATE_HOME", ".local/state")}/minime`;
}

/** Of daemons that start with the machine: root's lie where services keep their state. */
export function installedStateRoot(env: Pick<Environment, "processes">): string {
  const { processes } = env;
  const isOwn = processes.uid !== 0 || (processes.variable("XDG_STATE_HOME") ?? "") !== "";
  return isOwn ? stateRoot(env) : SYSTEM_STATE_ROOT;
}

/** Where daemons of this user may be. */
export function stateRoots(env: Pick<Environment, "processes">): string[] {
  return [...new Set([stateRoot(env), installedStateRoot(env)])];
}

/** Pure: nothing is made or checked. `root` is for launchers that keep many daemons apart. */
export function statePaths(root: string, mesh: string, node: string): StatePaths {
  const folder = `${root}/${checkName(mesh, "Mesh")}/${checkName(node, "Node")}`;
  return {
    folder,
    pid: `${folder}/pid`,
    log: `${folder}/log`,
    audit: `${folder}/audit`,
    waiting: `${folder}/waiting`,
    jobsPid: jobsPidFile(folder),
    socketPointer: socketPointer(folder, SOCKET),
  };
}

/**
 * For the daemon: makes the folder, checks that it is private, and decides where the socket lies.
 * `elsewhere` is a sentence for the log when that is not the folder itself.
 */
export async function makeStateFolder(
  env: Needs,
  paths: StatePaths,
): Promise<{ socket: string; elsewhere: string | undefined }> {
  await makePrivateFolder(env, paths.folder);
  return await placeSocket(env, paths.folder, SOCKET);
}

/** For clients: where the daemon's socket is, or undefined when there is no such state folder. */
export async function findSocket(env: Needs, paths: StatePaths): Promise<string | undefined> {
  if (!await checkPrivateFolder(env, paths.folder)) return undefined;
  return await findPlacedSocket(env, paths.folder, SOCKET);
}

/** For who listens: where the socket of that name lies, which belongs to the private folder. */
export async function placeSocket(
  env: Needs,
  folder: string,
  name: string,
): Promise<{ socket: string; elsewhere: string | undefined }> {
  const wanted = `${folder}/${name}`;
  const pointer = socketPointer(folder, name);
  if (fits(wanted)) {
    await env.files.remove(pointer);
    return { socket: wanted, elsewhere: undefined };
  }
  const socket = `${await socketFolder(env)}/${shortName(wanted)}`;
  await env.files.write(pointer, socket, { mode: 0o600 });
  const elsewhere = `The socket lies at "${socket}", because "${wanted}" is longer than ` +
    `${SOCKET_PATH_BYTES_MAX} bytes`;
  return { socket, elsewhere };
}

/** For who dials: where {@link placeSocket} has put it. */
export async function findPlacedSocket(env: Needs, folder: string, name: string): Promise<string> {
  const pointer = await readPrivateFile(env, socketPointer(folder, name));
  if (pointer === undefined) return `${folder}/${name}`;
  const socket = new TextDecoder().decode(pointer);
  // The file is ours, its content is checked all the same: the folder may have been cleaned and taken.
  await checkPrivateFolder(env, socket.slice(0, socket.lastIndexOf("/")));
  return socket;
}

/** The file that says where a socket lies when it does not lie in the folder. */
export function socketPointer(folder: string, name: string): string {
  return `${folder}/${name}.path`;
}

/** A node that has a state folder on this machine, whether it runs or not. */
export interface LocalNode {
  readonly name: string;
  readonly paths: StatePaths;
}

/** Those of `mesh` that are this user's. */
export async function localNodes(env: Needs, mesh: string): Promise<LocalNode[]> {
  const nodes: LocalNode[] = [];
  for (const root of stateRoots(env)) {
    const names = (await env.files.list(`${root}/${mesh}`)).filter(isName);
    nodes.push(...names.map((name) => ({ name, paths: statePaths(root, mesh, name) })));
  }
  return nodes;
}

/** A private folder for sockets with short names, made when it is missing. */
export async function socketFolder(env: Needs): Promise<string> {
  const runtime = env.processes.variable("XDG_RUNTIME_DIR");
  const folder = runtime !== undefined && runtime.startsWith("/") &&
      fits(`${runtime}/minime/${shortName("")}`) && await env.files.facts(runtime) !== undefined
    ? `${runtime}/minime`
    : `/tmp/minime-${env.processes.uid}`;
  await makePrivateFolder(env, folder);
  return folder;
}

function fits(path: string): boolean {
  return new TextEncoder().encode(path).length <= SOCKET_PATH_BYTES_MAX;
}

/**
 * Two 32-bit FNV-1a hashes of the long path: only to tell a user's own daemons apart, so nothing
 * depends on its strength.
 */
function shortName(path: string): string {
  return `${fnv1a(path, 0x811c9dc5)}${fnv1a(path, 0x01234567)}.sock`;
}

function fnv1a(text: string, seed: number): string {
  let hash = seed;
  for (const byte of new TextEncoder().encode(text)) {
    hash = Math.imul(hash ^ byte, 0x01000193);
  }
  return (hash >>> 0).toString(16).padStart(8, "0");
}
