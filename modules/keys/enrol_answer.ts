/**
 * What a login node left for somebody who asked to become a user: a file that everybody may read, and
 * only who has the key can open. Believed is the owner of the folder, whose machine this is.
 */

import * as v from "valibot";
import {
  type Environment,
  type Identity,
  keyIdOf,
  meshIdOf,
  MinimeError,
  NO_REVOCATIONS,
  POLICY_LIMITS_DEFAULT,
  type Primitives,
  verifyChain,
} from "../../core/mod.ts";
import { KEY_BYTES, publicKeysOf } from "../shared/authority.ts";
import { EnrolAnswerSchema, EnrolHomeSchema } from "../shared/enrol_verbs.ts";
import { HOME_FILES, type MeshHome } from "../shared/mesh_home.ts";
import { answerFileName } from "./enrol_request.ts";
import { ENROL_ANSWER_BYTES_MAX } from "./limits.ts";
import { openBox } from "./sealed_box.ts";

/** A home of the mesh but for its key. */
export interface GrantedAnswer {
  /** Of a certificate for our key; it may have expired since. */
  readonly identity: Identity;
  readonly files: v.InferOutput<typeof EnrolHomeSchema>["files"];
  readonly nodes: unknown;
}
/** What an operator said. */
export type Answer = GrantedAnswer | { readonly denied: string };

/** Undefined when there is none. @throws MinimeError for one that nobody can have meant for us */
export async function readAnswer(
  env: Pick<Environment, "clock" | "files">,
  primitives: Primitives,
  options: { readonly folder: string; readonly key: Uint8Array; readonly unixUser: string },
): Promise<Answer | undefined> {
  const { folder, key, unixUser } = options;
  const keyId = keyIdOf(primitives, publicKeysOf(primitives, key).signPublicKey);
  const path = `${folder}/${answerFileName(keyId)}`;
  const facts = await env.files.facts(path);
  if (facts === undefined) return undefined;
  const { kind, uid, size } = facts;
  const owner = await env.files.facts(folder);
  if (kind !== "file" || uid !== owner?.uid || size > 2 * ENROL_ANSWER_BYTES_MAX) {
    throw new MinimeError(`"${path}" was not made by the node: tell its administrator`);
  }
  const told = parsed(EnrolAnswerSchema, await env.files.readText(path));
  if ("denied" in told) return told;
  const plain = openBox(primitives, key.slice(KEY_BYTES), Uint8Array.fromBase64(told.sealed));
  const { files, nodes } = parsed(EnrolHomeSchema, new TextDecoder().decode(plain));
  const rootPublicKey = Uint8Array.fromBase64(files["root.pub"]);
  const identity = verifyChain(primitives, {
    chain: [files["user.cert"], files["issuer.cert"]].flatMap((text) =>
      text === undefined ? [] : [Uint8Array.fromBase64(text)]
    ),
    rootPublicKey,
    meshId: meshIdOf(primitives, rootPublicKey),
    now: env.clock.now(),
    skewMs: POLICY_LIMITS_DEFAULT.clockSkewMs,
    revocations: NO_REVOCATIONS,
    types: ["user"],
    allowExpired: true,
  });
  if (identity.keyId !== keyId || identity.name !== unixUser) {
    throw new MinimeError(`The certificate is for "${identity.name}", or not for your key`);
  }
  return { identity, files, nodes };
}

/** The certificate is stored last: with it the home is complete. */
export async function keepAnswer(
  home: MeshHome,
  { identity, files, nodes }: GrantedAnswer,
): Promise<void> {
  for (const file of HOME_FILES) {
    const text = (files as Readonly<Record<string, string | undefined>>)[file];
    if (file === "user.cert" || text === undefined) continue;
    await home.store(file, Uint8Array.fromBase64(text));
  }
  await home.storeNodes(nodes as Parameters<MeshHome["storeNodes"]>[0]);
  await home.store("user.cert", identity.certificate.bytes);
}

function parsed<S extends v.GenericSchema>(
  schema: S,
  text: string,
): v.InferOutput<S> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new MinimeError("The answer of the node is malformed", { cause });
  }
  const result = v.safeParse(schema, value);
  if (result.success) return result.output;
  throw new MinimeError(`The answer of the node is malformed: ${result.issues[0].message}`);
}
