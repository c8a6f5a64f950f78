/** `minime user approve` and `minime user deny`: what becomes of those who asked. */

import {
  choosePrimitives,
  errorText,
  isName,
  MinimeError,
  type Primitives,
  UsageError,
} from "../../core/mod.ts";
import { issue, loadAuthority, needsNow, rootSeedOf } from "../shared/authority.ts";
import type { CommandContext, OptionsOf } from "../shared/command.ts";
import { loadRevocations, OPS_GROUP } from "../shared/credentials.ts";
import type { EnrolAnswer } from "../shared/enrol_verbs.ts";
import { failureLines } from "../shared/group_report.ts";
import { lockHome } from "../shared/home_lock.ts";
import type { MeshHome } from "../shared/mesh_home.ts";
import { reachMesh } from "../shared/mesh_query.ts";
import { NAME_RULE } from "../shared/mesh_file_schema.ts";
import { sharedFiles } from "../shared/shared_files.ts";
import { checkUserLife, noteUser } from "../shared/user_renewal.ts";
import type { approveOptions, denyOptions } from "./commands.ts";
import { fingerprintOf } from "./enrol_request.ts";
import { ENROL_ANSWER_BYTES_MAX } from "./limits.ts";
import { askLoginNode, type WaitingUser, waitingUsers } from "./pending_requests.ts";
import { sealFor } from "./sealed_box.ts";

/** The certificate is noted in the home before it leaves: it can be revoked by its name from then on. */
export async function runApprove(
  context: CommandContext,
  options: OptionsOf<typeof approveOptions>,
  [name = ""]: readonly string[],
): Promise<void> {
  const { env, out } = context;
  const named = [...new Set(options.groups.flatMap((text) => text.split(",")))];
  for (const group of named) {
    if (!isName(group)) throw new UsageError(`"${group}" is no name of a group (${NAME_RULE})`);
  }
  const validityMs = checkUserLife(options.valid);
  const home = await context.home();
  using _lock = await lockHome(context, home);
  using primitives = await choosePrimitives();
  const authority = await loadAuthority(home, primitives);
  const waiting = await find(context, primitives, { name, fingerprint: options.fingerprint });
  const needs = needsNow(env, primitives);
  const { signPublicKey, dhPublicKey, keyId } = waiting;
  const revocations = await loadRevocations(home, primitives, authority.rootPublicKey);
  if (revocations?.isRevoked(keyId, needs.now) === true) {
    throw new UsageError(`The key with which "${name}" asks is revoked`, {
      hint: `Deny it: minime user deny ${name}; with another key they may ask again`,
    });
  }
  const before = (await home.users()).find((user) => user.keyId === keyId && user.name === name);
  const groups = named.length > 0 ? named : before?.groups ?? [];
  if (groups.includes(OPS_GROUP)) rootSeedOf(authority, `a certificate in group "${OPS_GROUP}"`);
  const [certificate, issuer] = issue(authority, needs, {
    type: "user",
    name,
    groups,
    unixUser: name,
    validityMs,
    signPublicKey,
    dhPublicKey,
  });
  await noteUser(home, primitives, certificate);
  const plain = new TextEncoder().encode(
    await homeFor(home, {
      ...await sharedFiles(home),
      "root.pub": authority.rootPublicKey,
      psk: authority.psk,
      "user.cert": certificate,
      ...(issuer === undefined ? {} : { "issuer.cert": issuer }),
    }),
  );
  if (plain.length > ENROL_ANSWER_BYTES_MAX) {
    throw new UsageError(`Mesh file and nodes have ${plain.length} bytes, too many for an answer`, {
      hint: `Make the home yourself: minime user add ${name} --out FOLDER`,
    });
  }
  const sealed = sealFor({ primitives, random: env.random }, dhPublicKey, plain).toBase64();
  await answer(context, waiting, { sealed });
  if (options.json) return out.json({ user: name, keyId, groups, node: waiting.node });
  const inGroups = groups.length === 0 ? "in no group" : `in ${groups.join(", ")}`;
  const still = before === undefined ? "" : "still ";
  out.print(
    `"${name}" (${inGroups}) is ${still}a user of mesh "${home.name}", key ${fingerprintOf(keyId)}`,
  );
}

/** Whoever asked is told the reason. */
export async function runDeny(
  context: CommandContext,
  { fingerprint, reason, json }: OptionsOf<typeof denyOptions>,
  [name = ""]: readonly string[],
): Promise<void> {
  using primitives = await choosePrimitives();
  const waiting = await find(context, primitives, { name, fingerprint });
  await answer(context, waiting, { denied: reason });
  if (json) context.out.json({ user: name, keyId: waiting.keyId, node: waiting.node });
  else context.out.print(`"${name}" was told: ${reason}`);
}

/** Names the login nodes that did not say: the request may be theirs. */
async function find(
  context: CommandContext,
  primitives: Primitives,
  { name, fingerprint }: { readonly name: string; readonly fingerprint: string | undefined },
): Promise<WaitingUser> {
  const { client, view } = await reachMesh(context);
  await client.close();
  const { waiting, failures } = await waitingUsers(context, primitives, view);
  for (const line of failureLines(failures.values(), { now: context.env.clock.now() })) {
    context.out.warn(line);
  }
  const theirs = waiting.filter(({ user }) => user === name);
  const digits = fingerprint?.toLowerCase().replaceAll(/[^0-9a-f]/g, "");
  const found = theirs.filter(({ keyId }) =>
    digits === undefined || (digits.length >= 16 && keyId.startsWith(digits))
  );
  const [first] = found;
  if (first !== undefined && found.length === 1) return first;
  if (theirs.length === 0) throw new UsageError(`"${name}" has not asked: minime user requests`);
  const shown = theirs.map(({ node, keyId }) => `${fingerprintOf(keyId)} on ${node}`).join(", ");
  throw new UsageError(
    first === undefined
      ? `"${name}" has asked with another fingerprint: ${shown}`
      : `"${name}" has asked more than once: ${shown}`,
    { hint: "Let them read theirs out, and name it: --fingerprint FINGERPRINT" },
  );
}

async function answer(
  context: CommandContext,
  { node, keyId }: WaitingUser,
  answer: EnrolAnswer,
): Promise<void> {
  try {
    await askLoginNode(context, node, { verb: "keys.answer", args: { keyId, answer } });
  } catch (error) {
    context.signal.throwIfAborted();
    if (!(error instanceof MinimeError)) throw error;
    throw new UsageError(`"${node}" did not take it: ${errorText(error)}`, { cause: error });
  }
}

/** All but the key, as JSON. */
async function homeFor(
  home: MeshHome,
  files: Readonly<Record<string, Uint8Array>>,
): Promise<string> {
  const texts = Object.entries(files).map(([name, bytes]) => [name, bytes.toBase64()] as const);
  return JSON.stringify({
    mesh: home.name,
    files: Object.fromEntries(texts),
    nodes: await home.nodes(),
  });
}
