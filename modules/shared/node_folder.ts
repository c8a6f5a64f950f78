/**
 * The folder of keys that one node is given: everything that a daemon needs to be that node, ready
 * to be copied to its machine. `minime mesh provision` writes it, `minime daemon --config` reads it.
 *
 *   mesh.toml          the mesh file        node.key        Ed25519 seed, X25519 secret
 *   root.pub, psk      of the mesh          node.cert       the node's certificate
 *   policy.signed      who may do what      issuer.cert     only if an issuer signed node.cert
 *   revocations.signed only if there are    registrar.key, registrar.cert: only of a registrar
 *   secrets.signed     only if the PSK was changed, and then what counts
 */

import type { Environment } from "../../core/mod.ts";
import { KEY_BYTES } from "./authority.ts";
import { makePrivateFolder, readPrivateFile } from "./private_folder.ts";

/** All that may be in it. */
export const NODE_FILES = [
  "mesh.toml",
  "node.key",
  "node.cert",
  "issuer.cert",
  "root.pub",
  "psk",
  "policy.signed",
  "revocations.signed",
  "secrets.signed",
  "registrar.key",
  "registrar.cert",
] as const;
export type NodeFile = (typeof NODE_FILES)[number];

/** What the folder holds; a file that is not there is left out. */
export type NodeFiles = Readonly<Partial<Record<NodeFile, Uint8Array | string>>>;

/** Writes private files into a private folder, which is made when it is missing. */
export async function writePrivateFiles(
  env: Pick<Environment, "files" | "processes">,
  folder: string,
  files: Readonly<Record<string, Uint8Array | string>>,
): Promise<void> {
  await makePrivateFolder(env, folder);
  for (const [name, data] of Object.entries(files)) {
    await env.files.write(`${folder}/${name}`, data, { mode: 0o600 });
  }
}

/** The key in that folder, made when it is missing: on disk before anybody hears of it. */
export async function ownNodeKey(
  env: Pick<Environment, "files" | "processes" | "random">,
  folder: string,
): Promise<Uint8Array> {
  const path = `${folder}/node.key`;
  const present = await readPrivateFile(env, path);
  if (present?.length === 2 * KEY_BYTES) return present;
  const key = env.random.bytes(2 * KEY_BYTES);
  await env.files.write(path, key, { mode: 0o600 });
  return key;
}

/** The first line of a mesh file that boot has written: who takes it away keeps the file as it is. */
const BY_BOOT =
  '# Written by "minime boot --install", and again by the next one as long as this line stays';

/** The mesh file as boot writes it on a host. */
export function writtenByBoot(text: string): string {
  return `${BY_BOOT}\n${text}`;
}

/** Whether nobody wants to keep it. */
export function isWrittenByBoot(text: string): boolean {
  return text.startsWith(`${BY_BOOT}\n`);
}
