/**
 * Who an installed node is: its key and certificate, and what it believes in, from the folder that
 * was made for it. Files that others could read or change are refused, with the command that puts
 * them right.
 */

import {
  AuthenticationError,
  type Environment,
  equalBytes,
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
import { KEY_BYTES } from "../shared/authority.ts";
import type { NodeFile } from "../shared/node_folder.ts";
import { checkPrivateFolder, readPrivateFile } from "../shared/private_folder.ts";

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

/** @throws MinimeError for a file that is missing, cut, or open to others */
export async function loadNodeKeys(
  env: Pick<Environment, "files" | "processes">,
  primitives: Primitives,
  folder: string,
): Promise<NodeKeys> {
  if (!await checkPrivateFolder(env, folder)) {
    throw new UsageError(`There is no folder "${folder}" with the keys of this node`);
  }
  const read = (file: NodeFile, bytes?: number) => requireFile(env, folder, file, bytes);
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
  const { key, chain, folder } = keys;
  const identity = verifyChain(primitives, {
    chain,
    rootPublicKey: keys.rootPublicKey,
    meshId: keys.meshId,
    now: env.clock.now(),
    revocations,
    types: ["node"],
  });
  if (identity.name !== name) {
    throw new AuthenticationError(
      "wrong-name",
      `Keys in "${folder}" are those of "${identity.name}", and this machine is "${name}"`,
    );
  }
  const signSeed = key.slice(0, KEY_BYTES);
  const secret = key.slice(KEY_BYTES);
  const dhPublicKey = primitives.dhPublicKey(secret);
  const isOurs = keyIdOf(primitives, primitives.signPublicKey(signSeed)) === identity.keyId &&
    equalBytes(dhPublicKey, identity.dhPublicKey);
  if (!isOurs) {
    throw new AuthenticationError(
      "key-mismatch",
      `"${folder}/node.cert" is not for the key in "${folder}/node.key"`,
    );
  }
  return {
    identity,
    signSeed,
    dh: { secret, publicKey: dhPublicKey },
    instance: env.random.bytes(16),
  };
}

async function requireFile(
  env: Pick<Environment, "files" | "processes">,
  folder: string,
  file: NodeFile,
  bytes: number | undefined,
): Promise<Uint8Array> {
  const path = `${folder}/${file}`;
  const content = await readPrivateFile(env, path);
  if (content === undefined) {
    throw new UsageError(`There is no "${path}": it belongs to the keys of this node`, {
      hint:
        'Make them where the mesh was made, by "minime mesh provision", and copy the folder here',
    });
  }
  if (bytes === undefined || content.length === bytes) return content;
  throw new MinimeError(
    `"${path}" has ${content.length} bytes, a key has ${bytes}: copy the folder here again`,
  );
}
