/** What a node does that was given an issuer's key: it admits who shows a token, and renews certificates. */

import {
  AuthenticationError,
  type Environment,
  errorText,
  MinimeError,
  type Primitives,
  type Revocations,
} from "../../core/mod.ts";
import { TokenDesk } from "../init_boot/mod.ts";
import { RegistrarIssuer, RenewalOffice } from "../keys/mod.ts";
import { KEY_BYTES } from "../shared/authority.ts";
import { readPrivateFile } from "../shared/private_folder.ts";
import type { NodeKeys } from "../shared/node_keys.ts";

/** Its parts, one for each module. */
export interface Registrar {
  readonly desk: TokenDesk;
  readonly office: RenewalOffice;
  readonly issuer: RegistrarIssuer;
}

/** Undefined for a node that is no registrar. Throws when its issuer may not be one; one that has ended may. */
export async function openIssuer(
  env: Environment,
  primitives: Primitives,
  { keys, stateFolder, revocations }: {
    readonly keys: NodeKeys;
    readonly revocations?: Revocations;
    /** Of what is kept from one life to the next. */
    readonly stateFolder: string;
  },
): Promise<RegistrarIssuer | undefined> {
  const key = await readPrivateFile(env, `${keys.folder}/registrar.key`);
  const certificate = await readPrivateFile(env, `${keys.folder}/registrar.cert`);
  if (key === undefined && certificate === undefined) return undefined;
  if (key?.length !== 2 * KEY_BYTES || certificate === undefined) {
    throw new MinimeError(
      `"${keys.folder}" holds only half of an issuer: registrar.key and registrar.cert belong together`,
    );
  }
  const { meshId, rootPublicKey, psk } = keys;
  try {
    return await RegistrarIssuer.open({
      env,
      primitives,
      meshId,
      rootPublicKey,
      psk,
      ...(revocations === undefined ? {} : { revocations }),
      first: { key, certificate },
      path: `${stateFolder}/registrar.issuer`,
    });
  } catch (cause) {
    if (!(cause instanceof AuthenticationError)) throw cause;
    throw new AuthenticationError(
      cause.reason,
      `The issuer in "${keys.folder}/registrar.cert" may not sign: ${
        errorText(cause)
      }; "minime boot ` +
        '--install" or "minime mesh provision" makes another one',
      { cause },
    );
  }
}

/** What that issuer signs for. */
export async function openRegistrar(
  env: Environment,
  primitives: Primitives,
  { issuer, mesh, keyId, endpoints, stateFolder }: {
    readonly issuer: RegistrarIssuer;
    readonly mesh: string;
    readonly keyId: string;
    readonly endpoints: () => readonly string[];
    /** As of openIssuer. */
    readonly stateFolder: string;
  },
): Promise<Registrar> {
  const authority = () => issuer.authority;
  const desk = await TokenDesk.open({
    env,
    primitives,
    authority,
    mesh,
    keyId,
    endpoints,
    path: `${stateFolder}/tokens.json`,
  });
  return { desk, office: new RenewalOffice({ env, primitives, authority }), issuer };
}
