/**
 * `minime user enroll`: a user of a login node asks to become a user of the mesh. The key stays in
 * their home; who they are the node sees by the owner of the request's folder.
 */

import * as v from "valibot";
import {
  choosePrimitives,
  type Environment,
  isName,
  keyIdOf,
  meshIdOf,
  MinimeError,
  NO_REVOCATIONS,
  POLICY_LIMITS_DEFAULT,
  type Primitives,
  UsageError,
  verifyChain,
} from "../../core/mod.ts";
import { KEY_BYTES, publicKeysOf } from "../shared/authority.ts";
import type { CommandContext, OptionsOf } from "../shared/command.ts";
import { EnrolAnswerSchema, EnrolHomeSchema } from "../shared/enrol_verbs.ts";
import { HOME_FILES, type MeshHome } from "../shared/mesh_home.ts";
import { userOf } from "../shared/mesh_setup.ts";
import type { enrollOptions } from "./commands.ts";
import { answerFileName, fingerprintOf, requestFileName } from "./enrol_request.ts";
import { spoolRoot } from "./enrol_spool.ts";
import { ENROL_ANSWER_BYTES_MAX, ENROL_POLL_MS, ENROL_REQUEST_MS_MAX } from "./limits.ts";
import { openBox } from "./sealed_box.ts";

/** Returns when the home holds a certificate. */
export async function runEnroll(
  context: CommandContext,
  { json }: OptionsOf<typeof enrollOptions>,
): Promise<void> {
  const { env, out, homes, signal } = context;
  const mesh = await chooseMesh(context);
  const { unixUser } = await userOf(env);
  if (!isName(unixUser)) {
    throw new UsageError(`"${unixUser}" cannot be the name of a user of the mesh`, {
      hint: "An operator can give another one: minime user add NAME --unix-user " + unixUser,
    });
  }
  const home = await homes.create(mesh);
  if (await home.load("user.cert") !== undefined) {
    throw new UsageError(`You are a user of mesh "${mesh}" already`, {
      hint: `To ask for another certificate, move "${home.folder}" away`,
    });
  }
  using primitives = await choosePrimitives();
  const key = await keyIn(env, home);
  const keyId = keyIdOf(primitives, publicKeysOf(primitives, key).signPublicKey);
  const folder = `${spoolRoot(env)}/${mesh}`;
  const request = `${folder}/${requestFileName(primitives, { key, user: unixUser })}`;
  const answer = `${folder}/${answerFileName(keyId)}`;
  if (await env.files.facts(answer) === undefined) await env.files.makeFolder(request);
  const fingerprint = fingerprintOf(keyId);
  if (!json) {
    out.print(
      `You asked to be "${unixUser}" of mesh "${mesh}"; your fingerprint is ${fingerprint}`,
    );
    out.note(`An operator approves it by: minime user approve ${unixUser}`);
  }
  const until = env.clock.now() + ENROL_REQUEST_MS_MAX;
  while (await env.files.facts(answer) === undefined) {
    const isThere = await env.files.facts(request) !== undefined;
    if ((!isThere && await env.files.facts(answer) === undefined) || env.clock.now() > until) {
      throw new MinimeError("Your request is gone: it was replaced by a newer one, or is too old");
    }
    await env.clock.sleep(ENROL_POLL_MS, { signal });
  }
  await take(env, primitives, { home, key, keyId, folder, answer, unixUser });
  if (json) return out.json({ mesh, user: unixUser, keyId, home: home.folder });
  out.print(`You are "${unixUser}" of mesh "${mesh}" now: try "minime nodes"`);
}

/** The named one, or the only one that takes requests on this machine. */
async function chooseMesh({ env, meshName }: CommandContext): Promise<string> {
  const root = spoolRoot(env);
  const meshes = (await env.files.list(root)).filter(isName);
  const [first] = meshes;
  if (first === undefined || (meshName !== undefined && !meshes.includes(meshName))) {
    const none = meshName === undefined
      ? "No mesh takes requests"
      : `Mesh "${meshName}" takes no requests`;
    throw new UsageError(`${none} on this machine ("${root}")`, {
      hint: "Log in to a node of its group login",
    });
  }
  if (meshName !== undefined) return meshName;
  if (meshes.length === 1) return first;
  throw new UsageError(`Several meshes take requests here: ${meshes.join(", ")}`, {
    hint: `Say which: --mesh ${first}`,
  });
}

/** Kept before anybody is asked: an answer is for this key alone. */
async function keyIn(env: Pick<Environment, "random">, home: MeshHome): Promise<Uint8Array> {
  const present = await home.load("user.key");
  if (present?.length === 2 * KEY_BYTES) return present;
  const key = env.random.bytes(2 * KEY_BYTES);
  await home.store("user.key", key);
  return key;
}

/** Believes the owner of the folder, whose machine this is; the certificate is stored last. */
async function take(
  env: Environment,
  primitives: Primitives,
  parts: {
    readonly home: MeshHome;
    readonly key: Uint8Array;
    readonly keyId: string;
    readonly folder: string;
    readonly answer: string;
    readonly unixUser: string;
  },
): Promise<void> {
  const { home, key, keyId, folder, answer, unixUser } = parts;
  const owner = await env.files.facts(folder);
  const facts = await env.files.facts(answer);
  if (
    facts?.kind !== "file" || facts.uid !== owner?.uid || facts.size > 2 * ENROL_ANSWER_BYTES_MAX
  ) {
    throw new MinimeError(`"${answer}" was not made by the node: tell its administrator`);
  }
  const told = parsed(EnrolAnswerSchema, await env.files.readText(answer), "answer");
  if ("denied" in told) throw new MinimeError(`Your request was denied: ${told.denied}`);
  const plain = openBox(primitives, key.slice(KEY_BYTES), Uint8Array.fromBase64(told.sealed));
  const { files, nodes } = parsed(EnrolHomeSchema, new TextDecoder().decode(plain), "answer");
  const bytesOf = (text: string | undefined) =>
    text === undefined ? undefined : Uint8Array.fromBase64(text);
  const rootPublicKey = Uint8Array.fromBase64(files["root.pub"]);
  const chain = [bytesOf(files["user.cert"]), bytesOf(files["issuer.cert"])]
    .filter((each) => each !== undefined);
  const identity = verifyChain(primitives, {
    chain,
    rootPublicKey,
    meshId: meshIdOf(primitives, rootPublicKey),
    now: env.clock.now(),
    skewMs: POLICY_LIMITS_DEFAULT.clockSkewMs,
    revocations: NO_REVOCATIONS,
    types: ["user"],
  });
  if (identity.keyId !== keyId || identity.name !== unixUser) {
    throw new MinimeError(`The certificate is for "${identity.name}", or not for your key`);
  }
  for (const file of HOME_FILES) {
    const text = (files as Readonly<Record<string, string | undefined>>)[file];
    const bytes = file === "user.cert" ? undefined : bytesOf(text);
    if (bytes !== undefined) await home.store(file, bytes);
  }
  await home.storeNodes(nodes as Parameters<MeshHome["storeNodes"]>[0]);
  await home.store("user.cert", identity.certificate.bytes);
}

function parsed<S extends v.GenericSchema>(
  schema: S,
  text: string,
  what: string,
): v.InferOutput<S> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new MinimeError(`The ${what} of the node is malformed`, { cause });
  }
  const result = v.safeParse(schema, value);
  if (result.success) return result.output;
  throw new MinimeError(`The ${what} of the node is malformed: ${result.issues[0].message}`);
}
