/** What the home of a mesh holds, without any secret: what `minime mesh show` prints. */

import {
  AuthenticationError,
  type Certificate,
  type Environment,
  meshIdOf,
  MinimeError,
  NO_REVOCATIONS,
  parseCertificate,
  type Primitives,
  toHex,
  verifyPolicy,
  verifyRevocations,
} from "../../core/mod.ts";
import { KEY_BYTES, requireKey } from "../shared/authority.ts";
import type { HomeFile, MeshHome } from "../shared/mesh_home.ts";

/** A certificate as people see it. */
export interface CertificateFacts {
  readonly name: string;
  readonly groups: readonly string[];
  readonly keyId: string;
  /** Unix ms. */
  readonly notBefore: number;
  readonly notAfter: number;
}

/** What {@link readMeshFacts} finds. */
export interface MeshFacts {
  readonly mesh: string;
  /** 32 hex digits. */
  readonly id: string;
  readonly folder: string;
  /** Whether the root key lies here. */
  readonly root: boolean;
  readonly issuer: CertificateFacts | null;
  readonly user: CertificateFacts | null;
  readonly policyVersion: number | null;
  /** Version 0: nothing was ever revoked, as far as this home knows. */
  readonly revoked: { readonly version: number; readonly keys: number };
  /** Nodes that this home knows how to reach. */
  readonly nodes: number;
}

/** @throws MinimeError for a home without a mesh, or with a file that cannot be read */
export async function readMeshFacts(
  env: Pick<Environment, "clock">,
  primitives: Primitives,
  home: MeshHome,
): Promise<MeshFacts> {
  const rootPublicKey = await requireKey(home, "root.pub", KEY_BYTES);
  const meshId = meshIdOf(primitives, rootPublicKey);
  const documents = { meshId, rootPublicKey };
  const policy = await home.load("policy.signed");
  const revocations = await home.load("revocations.signed");
  const list = revocations && verifyRevocations(primitives, { ...documents, bytes: revocations });
  const verifying = { ...documents, now: env.clock.now(), revocations: list ?? NO_REVOCATIONS };
  return {
    mesh: home.name,
    id: toHex(meshId),
    folder: home.folder,
    root: await home.load("root.key") !== undefined,
    issuer: await certificateOf(primitives, home, "issuer.cert"),
    user: await certificateOf(primitives, home, "user.cert"),
    policyVersion: policy === undefined
      ? null
      : verifyPolicy(primitives, { ...verifying, bytes: policy }).version,
    revoked: { version: list?.version ?? 0, keys: list?.entries.length ?? 0 },
    nodes: (await home.nodes()).length,
  };
}

async function certificateOf(
  primitives: Primitives,
  home: MeshHome,
  file: HomeFile,
): Promise<CertificateFacts | null> {
  const bytes = await home.load(file);
  if (bytes === undefined) return null;
  const { name, groups, keyId, notBefore, notAfter } = parse(primitives, bytes, home.path(file));
  return { name, groups, keyId, notBefore, notAfter };
}

function parse(primitives: Primitives, bytes: Uint8Array, path: string): Certificate {
  try {
    return parseCertificate(primitives, bytes);
  } catch (cause) {
    if (!(cause instanceof MinimeError) || cause instanceof AuthenticationError) throw cause;
    throw new MinimeError(`"${path}" is no certificate: restore it from a backup`, { cause });
  }
}
