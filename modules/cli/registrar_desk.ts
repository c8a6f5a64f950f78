/** The desk of a node that was given an issuer's key: see modules/init_boot/token_desk.ts. */

import {
  type Environment,
  MinimeError,
  NO_REVOCATIONS,
  type Primitives,
  type Revocations,
  verifyChain,
} from "../../core/mod.ts";
import { TokenDesk } from "../init_boot/mod.ts";
import { KEY_BYTES } from "../shared/authority.ts";
import { readPrivateFile } from "../shared/private_folder.ts";
import type { NodeKeys } from "./node_keys.ts";

/** Undefined for a node that is no registrar. Throws when its issuer may not be one. */
export async function openDesk(
  env: Environment,
  primitives: Primitives,
  options: {
    readonly keys: NodeKeys;
    readonly revocations?: Revocations;
    readonly mesh: string;
    readonly keyId: string;
    readonly endpoints: readonly string[];
    /** Of what is kept from one life to the next. */
    readonly stateFolder: string;
  },
): Promise<TokenDesk | undefined> {
  const { keys, mesh, keyId, endpoints, stateFolder } = options;
  const key = await readPrivateFile(env, `${keys.folder}/registrar.key`);
  const certificate = await readPrivateFile(env, `${keys.folder}/registrar.cert`);
  if (key === undefined && certificate === undefined) return undefined;
  if (key?.length !== 2 * KEY_BYTES || certificate === undefined) {
    throw new MinimeError(
      `"${keys.folder}" holds only half of an issuer: registrar.key and registrar.cert belong together`,
    );
  }
  const { meshId, rootPublicKey, psk } = keys;
  verifyChain(primitives, {
    chain: [certificate],
    rootPublicKey,
    meshId,
    now: env.clock.now(),
    revocations: options.revocations ?? NO_REVOCATIONS,
    types: ["issuer"],
  });
  const issuer = { seed: key.slice(0, KEY_BYTES), certificate };
  return await TokenDesk.open({
    env,
    primitives,
    authority: { meshId, rootPublicKey, psk, issuer },
    mesh,
    keyId,
    endpoints,
    path: `${stateFolder}/tokens.json`,
  });
}
