/**
 * The issuer that a host of group registrar has already, when it is installed once more: one that is
 * good for long stays. One that is not gets another key, since its own may have been revoked.
 */

import {
  type Environment,
  meshIdOf,
  MinimeError,
  parseCertificate,
  type Primitives,
  type RevocationList,
  verifyRevocations,
} from "../../core/mod.ts";
import { KEY_BYTES } from "../shared/authority.ts";
import type { NodeFile } from "../shared/node_folder.ts";
import { readPrivateFile } from "../shared/private_folder.ts";
import { renewalAt } from "../shared/renewal.ts";

type Needs = Pick<Environment, "clock" | "files" | "processes" | "random">;

/** Where the node keeps things. */
export interface IssuerPlaces {
  /** Of its keys. */
  readonly folder: string;
  /** Of what it has seen since. */
  readonly stateFolder: string;
}

/** The key for which an issuer's certificate is to be made; undefined: the one that is here is good. */
export async function wantedIssuerKey(
  env: Needs,
  primitives: Primitives,
  places: IssuerPlaces,
): Promise<Uint8Array | undefined> {
  const { folder, stateFolder } = places;
  const read = (file: NodeFile) => readPrivateFile(env, `${folder}/${file}`);
  const first = await read("registrar.cert");
  // The one that replaced it (keys/registrar_issuer.ts): its key, then its certificate.
  const exchanged = await readPrivateFile(env, `${stateFolder}/registrar.issuer`);
  const isRevoked = await revocations(env, primitives, places);
  const now = env.clock.now();
  const isGood = (bytes: Uint8Array) => {
    try {
      const certificate = parseCertificate(primitives, bytes);
      const { type, notAfter, keyId, notBefore } = certificate;
      return type === "issuer" && now < renewalAt({ certificate, notAfter }) &&
        !isRevoked(keyId, notBefore);
    } catch (error) {
      if (!(error instanceof MinimeError)) throw error;
      return false; // Cut, or nothing of ours: another one is made.
    }
  };
  if (first !== undefined && isGood(first)) return undefined;
  if (exchanged !== undefined && isGood(exchanged.slice(2 * KEY_BYTES))) return undefined;
  // Nothing was signed for a key without a certificate: it is that of an installation cut short.
  const unused = first === undefined ? await read("registrar.key") : undefined;
  return unused?.length === 2 * KEY_BYTES ? unused : env.random.bytes(2 * KEY_BYTES);
}

/** By all lists that the node has been given. */
async function revocations(
  env: Needs,
  primitives: Primitives,
  { folder, stateFolder }: IssuerPlaces,
): Promise<(keyId: string, notBefore: number) => boolean> {
  const rootPublicKey = await readPrivateFile(env, `${folder}/root.pub`);
  if (rootPublicKey === undefined) return () => false;
  const meshId = meshIdOf(primitives, rootPublicKey);
  const lists: RevocationList[] = [];
  for (const place of [folder, stateFolder]) {
    const bytes = await readPrivateFile(env, `${place}/revocations.signed`);
    if (bytes === undefined) continue;
    try {
      lists.push(verifyRevocations(primitives, { bytes, meshId, rootPublicKey }));
    } catch (error) {
      if (!(error instanceof MinimeError)) throw error; // Of another mesh of that name.
    }
  }
  return (keyId, notBefore) => lists.some((list) => list.isRevoked(keyId, notBefore));
}
