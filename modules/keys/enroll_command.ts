/**
 * `minime user enroll`: a user of a login node asks to become a user of the mesh. The key stays in
 * their home; who they are the node sees by the owner of the request's folder.
 */

import {
  choosePrimitives,
  type Environment,
  isName,
  keyIdOf,
  MinimeError,
  parseCertificate,
  type Primitives,
  UsageError,
} from "../../core/mod.ts";
import { KEY_BYTES, needsNow, publicKeysOf } from "../shared/authority.ts";
import type { CommandContext, OptionsOf } from "../shared/command.ts";
import { loadUser } from "../shared/credentials.ts";
import { formatDuration } from "../shared/duration.ts";
import type { MeshHome } from "../shared/mesh_home.ts";
import { userOf } from "../shared/mesh_setup.ts";
import { renewalAt } from "../shared/renewal.ts";
import type { enrollOptions } from "./commands.ts";
import { type Answer, keepAnswer, readAnswer } from "./enrol_answer.ts";
import { fingerprintOf, requestFileName } from "./enrol_request.ts";
import { spoolRoot } from "./enrol_spool.ts";
import { ENROL_POLL_MS, ENROL_REQUEST_MS_MAX } from "./limits.ts";

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
  using primitives = await choosePrimitives();
  await refuseYoung(env, primitives, home);
  const key = await keyIn(env, home);
  const keyId = keyIdOf(primitives, publicKeysOf(primitives, key).signPublicKey);
  const folder = `${spoolRoot(env)}/${mesh}`;
  const request = `${folder}/${requestFileName(primitives, { key, user: unixUser })}`;
  const present = await home.load("user.cert");
  const since = present && parseCertificate(primitives, present).notBefore;
  const isAsked = async () => await env.files.facts(request) !== undefined;
  const read = () => readAnswer(env, primitives, { folder, key, unixUser });
  // Of an earlier request with this key there may be an answer still.
  const isNews = (answer: Answer) =>
    since === undefined || ("identity" in answer && answer.identity.notBefore > since);
  let answer = await read();
  if (answer !== undefined && !isNews(answer)) answer = undefined;
  if (answer === undefined) await env.files.makeFolder(request);
  const fingerprint = fingerprintOf(keyId);
  if (!json) {
    out.print(
      `You asked to be "${unixUser}" of mesh "${mesh}"; your fingerprint is ${fingerprint}`,
    );
    out.note(`An operator approves it by: minime user approve ${unixUser}`);
  }
  const until = env.clock.now() + ENROL_REQUEST_MS_MAX;
  while (answer === undefined) {
    const wasAsked = await isAsked();
    const found = await read();
    if (found !== undefined && (isNews(found) || (!wasAsked && "denied" in found))) answer = found;
    else if (!wasAsked || env.clock.now() > until) {
      throw new MinimeError("Your request is gone: it was replaced by a newer one, or is too old");
    } else await env.clock.sleep(ENROL_POLL_MS, { signal });
  }
  if ("denied" in answer) throw new MinimeError(`Your request was denied: ${answer.denied}`);
  await keepAnswer(home, answer);
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

/** Who has a certificate that counts for long asks nobody; with a key that is revoked asking is in vain. */
async function refuseYoung(
  env: Environment,
  primitives: Primitives,
  home: MeshHome,
): Promise<void> {
  if (await home.load("user.cert") === undefined) return;
  const needs = needsNow(env, primitives);
  const { identity } = await loadUser(home, needs, { allowExpired: true });
  if (await home.load("root.key") !== undefined) {
    throw new UsageError(`The root key of mesh "${home.name}" is in your home`, {
      hint: "It gives you another certificate: minime user renew",
    });
  }
  const early = renewalAt(identity) - needs.now;
  if (early <= 0) return;
  const left = formatDuration(identity.notAfter - needs.now);
  throw new UsageError(
    `You are a user of mesh "${home.name}" already, as "${identity.name}" for another ${left}`,
    {
      hint: `You can ask for another certificate in ${formatDuration(early)}; with another key, ` +
        `move "${home.folder}" away`,
    },
  );
}

/** Kept before anybody is asked: an answer is for this key alone. */
async function keyIn(env: Pick<Environment, "random">, home: MeshHome): Promise<Uint8Array> {
  const present = await home.load("user.key");
  if (present?.length === 2 * KEY_BYTES) return present;
  const key = env.random.bytes(2 * KEY_BYTES);
  await home.store("user.key", key);
  return key;
}
