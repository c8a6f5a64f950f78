/**
 * Who an installed node is: its key and certificate, and what it believes in, from the folder that
 * was made for it. Files that others could read or change are refused, with the command that puts
 * them right. Used by the daemon, and by who installs it.
 */

import {
  AuthenticationError,
  type Environment,
  equalBytes,
  errorText,
  type Identity,
  keyIdOf,
  meshIdOf,
  MinimeError,
  NO_REVOCATIONS,
  parseCertificate,
  type Primitives,
  type Revocations,
  type Self,
  UsageError,
  verifyChain,
} from "../../core/mod.ts";
import { KEY_BYTES } from "./authority.ts";
import type { NodeFile } from "./node_folder.ts";
import { checkPrivateFolder, readPrivateFile } from "./private_folder.ts";

type Needs = Pick<Environment, "clock" | "files" | "processes" | "random">;

/** What the folder holds. Nothing is verified yet but owner, mode and length. */
export interface NodeKeys {
  readonly folder: string;
  /** Ed25519 seed, X25519 secret. */
  readonly key: Uint8Array;
  /** Leaf first. */
  readonly chain: readonly Uint8Array[];
  readonly rootPublicKey: Uint8Array;
  readonly meshId: Uint8Array;
  readonly psk: Uint8Array;
}

/** What no node can be without. */
const KEY_FILES = ["node.key", "node.cert", "root.pub", "psk"] as const satisfies NodeFile[];

/** @throws MinimeError for a file that is missing, cut, or open to others */
export async function loadNodeKeys(
  env: Pick<Environment, "files" | "processes">,
  primitives: Primitives,
  folder: string,
): Promise<NodeKeys> {
  if (!await checkPrivateFolder(env, folder)) {
    throw new UsageError(`There is no folder "${folder}" with the keys of this node`);
  }
  return await readNodeKeys(env, primitives, folder);
}

/** The same of a folder that need not be private itself, since nobody will use it in place. */
export async function readNodeKeys(
  env: Pick<Environment, "files" | "processes">,
  primitives: Primitives,
  folder: string,
): Promise<NodeKeys> {
  await requireAll(env, folder);
  const read = (file: (typeof KEY_FILES)[number], bytes?: number) =>
    requireFile(env, folder, file, bytes);
  const rootPublicKey = await read("root.pub", KEY_BYTES);
  const certificate = await read("node.cert");
  const { issuerKeyId } = parseCertificate(primitives, certificate);
  // One that signed earlier keys may still lie beside a certificate by the root key.
  const issuer = issuerKeyId === keyIdOf(primitives, rootPublicKey)
    ? undefined
    : await readPrivateFile(env, `${folder}/issuer.cert`);
  return {
    folder,
    key: await read("node.key", 2 * KEY_BYTES),
    chain: [certificate, ...(issuer === undefined ? [] : [issuer])],
    rootPublicKey,
    meshId: meshIdOf(primitives, rootPublicKey),
    psk: await read("psk", KEY_BYTES),
  };
}

/** Who we are, after the same checks that others will make. Throws AuthenticationError. */
export function identify(
  env: Needs,
  primitives: Primitives,
  { keys, name, revocations = NO_REVOCATIONS }: {
    readonly keys: NodeKeys;
    /** The host of the mesh file that this machine is. */
    readonly name: string;
    readonly revocations?: Revocations;
  },
): Self {
  const { key, folder } = keys;
  const identity = verified(primitives, keys, { now: env.clock.now(), revocations });
  if (identity.name !== name) {
    throw new AuthenticationError(
      "wrong-name",
      `Keys in "${folder}" are those of "${identity.name}", and this machine is "${name}"`,
    );
  }
  requireOwnKey(primitives, keys, identity);
  const secret = key.slice(KEY_BYTES);
  return {
    identity,
    signSeed: key.slice(0, KEY_BYTES),
    dh: { secret, publicKey: identity.dhPublicKey },
    instance: env.random.bytes(16),
  };
}

/** Throws AuthenticationError. */
function verified(
  primitives: Primitives,
  { chain, rootPublicKey, meshId }: NodeKeys,
  at: { readonly now: number; readonly revocations: Revocations },
): Identity {
  try {
    return verifyChain(primitives, { chain, rootPublicKey, meshId, ...at, types: ["node"] });
  } catch (cause) {
    if (!(cause instanceof AuthenticationError) || cause.reason !== "expired") throw cause;
    // Registrars have been asked already, where there are any.
    throw new AuthenticationError(
      "expired",
      `${errorText(cause)}, and no registrar renews that: new keys come from ` +
        '"minime boot --install" or "minime mesh provision", where the mesh was made',
      { cause },
    );
  }
}

/**
 * Whose keys they are, as of when they were made: the node may have got newer certificates since, or
 * gets them when it starts. Throws AuthenticationError for keys that were never anybody's.
 */
export function ownerOf(primitives: Primitives, keys: NodeKeys): string {
  const { chain, rootPublicKey, meshId } = keys;
  const begins = chain.map((bytes) => parseCertificate(primitives, bytes).notBefore);
  const identity = verifyChain(primitives, {
    chain,
    rootPublicKey,
    meshId,
    now: Math.max(...begins),
    revocations: NO_REVOCATIONS,
    types: ["node"],
  });
  requireOwnKey(primitives, keys, identity);
  return identity.name;
}

function requireOwnKey(
  primitives: Primitives,
  { key, folder }: NodeKeys,
  { keyId, dhPublicKey }: Identity,
): void {
  const isOurs = keyIdOf(primitives, primitives.signPublicKey(key.slice(0, KEY_BYTES))) === keyId &&
    equalBytes(primitives.dhPublicKey(key.slice(KEY_BYTES)), dhPublicKey);
  if (isOurs) return;
  throw new AuthenticationError(
    "key-mismatch",
    `"${folder}/node.cert" is not for the key in "${folder}/node.key"`,
  );
}

/** All that lack at once. */
async function requireAll({ files }: Pick<Environment, "files">, folder: string): Promise<void> {
  const missing: string[] = [];
  for (const file of KEY_FILES) {
    if (await files.facts(`${folder}/${file}`) === undefined) missing.push(file);
  }
  if (missing.length === 0) return;
  throw new UsageError(`There is no ${listed(missing)} in "${folder}"`, {
    hint:
      'The keys of a node are made where the mesh was made, by "minime mesh provision": copy its ' +
      'folder here. Or the node joins by a token, which "minime token create" makes: ' +
      "--token-file FILE",
  });
}

function listed(words: readonly string[]): string {
  const last = words.at(-1) ?? "";
  return words.length < 2 ? last : `${words.slice(0, -1).join(", ")} and ${last}`;
}

async function requireFile(
  env: Pick<Environment, "files" | "processes">,
  folder: string,
  file: NodeFile,
  bytes: number | undefined,
): Promise<Uint8Array> {
  const path = `${folder}/${file}`;
  const content = await readPrivateFile(env, path);
  if (content === undefined) throw new MinimeError(`"${path}" was taken away just now`);
  if (bytes === undefined || content.length === bytes) return content;
  throw new MinimeError(
    `"${path}" has ${content.length} bytes, a key has ${bytes}: copy the folder here again`,
  );
}
