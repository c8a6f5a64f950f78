/** Adverts of nodes made for a test, and a host as the mesh module's parts need it. */

import { createHash } from "node:crypto";
import {
  type Identity,
  type Link,
  type ModuleHost,
  NO_REVOCATIONS,
  type Self,
  toHex,
  verifyChain,
} from "../../../core/mod.ts";
import { signForModule, verifyForModule } from "../../../core/daemon/module_signature.ts";
import {
  type Advert,
  ADVERT_DOMAIN,
  encodeAdvert,
  type ReceivedAdvert,
} from "../../../modules/mesh/advert.ts";
import { MeshKeys, testPrimitives } from "../../support/mesh_keys.ts";
import { SeededRandom } from "../../simulation/random.ts";

export const NOW_MS = 1_893_456_000_000;

/** A mesh whose keys are the same in every run. */
export async function seededKeys(seed: string): Promise<MeshKeys> {
  return new MeshKeys(await testPrimitives(), {
    random: new SeededRandom(seed),
    now: () => NOW_MS,
  });
}

/** A key id for a node that has no keys. */
export function keyIdOf(name: string): string {
  return createHash("sha256").update(name).digest("hex");
}

/** An advert of `who`, signed with its key unless told otherwise. */
export function advertOf(
  keys: MeshKeys,
  who: Self,
  change: Partial<Advert> = {},
  signer: Self = who,
): ReceivedAdvert {
  const advert: Advert = {
    meshId: toHex(keys.meshId),
    keyId: who.identity.keyId,
    incarnation: 1,
    sequence: 1,
    instance: toHex(who.instance),
    leaving: false,
    version: "1.2.3",
    segment: "default",
    endpoints: ["tcp:10.0.0.1:7117"],
    links: [],
    ...change,
  };
  return encodeAdvert(
    advert,
    (bytes) =>
      signForModule(keys.primitives, { domain: ADVERT_DOMAIN, bytes, seed: signer.signSeed }),
  );
}

export type PartialHost = Pick<
  ModuleHost,
  "self" | "instance" | "sign" | "verify" | "verifyChain"
>;

/** Signs, verifies and knows itself as a daemon does. */
export function hostOf(keys: MeshKeys, who: Self, now = () => NOW_MS): PartialHost {
  const { primitives } = keys;
  return {
    self: who.identity,
    instance: toHex(who.instance),
    sign: (domain, bytes) => signForModule(primitives, { domain, bytes, seed: who.signSeed }),
    verify: (domain, signed) => verifyForModule(primitives, { domain, ...signed }),
    verifyChain: (chain): Identity =>
      verifyChain(primitives, {
        chain,
        rootPublicKey: keys.rootPublicKey,
        meshId: keys.meshId,
        now: now(),
        revocations: NO_REVOCATIONS,
      }),
  };
}

/** Nobody is linked. */
export const NO_LINKS = {
  get: (): Link | undefined => undefined,
  list: (): readonly Link[] => [],
};
