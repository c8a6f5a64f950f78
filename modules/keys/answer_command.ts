/** `minime user approve` and `minime user deny`: what becomes of those who asked. */

import { choosePrimitives, isName, UsageError } from "../../core/mod.ts";
import { issue, loadAuthority, needsNow, rootSeedOf } from "../shared/authority.ts";
import type { CommandContext, MeshClient, OptionsOf } from "../shared/command.ts";
import { OPS_GROUP } from "../shared/credentials.ts";
import type { EnrolAnswer } from "../shared/enrol_verbs.ts";
import { callGroup } from "../shared/group_client.ts";
import { lockHome } from "../shared/home_lock.ts";
import { USER_MS } from "../shared/limits.ts";
import type { MeshHome } from "../shared/mesh_home.ts";
import { reachMesh } from "../shared/mesh_query.ts";
import { NAME_RULE } from "../shared/mesh_file_schema.ts";
import type { approveOptions, denyOptions } from "./commands.ts";
import { fingerprintOf } from "./enrol_request.ts";
import { ENROL_ANSWER_BYTES_MAX, ENROL_ASK_MS_MAX } from "./limits.ts";
import { type WaitingUser, waitingUsers } from "./pending_requests.ts";
import { sealFor } from "./sealed_box.ts";

/** Files of our home that anybody of the mesh needs. */
const SHARED = ["secrets.signed", "revocations.signed", "mesh.toml"] as const;

/** The certificate is noted in the home before it leaves: it can be revoked by its name from then on. */
export async function runApprove(
  context: CommandContext,
  options: OptionsOf<typeof approveOptions>,
  [name = ""]: readonly string[],
): Promise<void> {
  const { env, out } = context;
  const groups = [...new Set(options.groups.flatMap((text) => text.split(",")))];
  for (const group of groups) {
    if (!isName(group)) throw new UsageError(`"${group}" is no name of a group (${NAME_RULE})`);
  }
  const home = await context.home();
  using _lock = await lockHome(context, home);
  using primitives = await choosePrimitives();
  const authority = await loadAuthority(home, primitives);
  if (groups.includes(OPS_GROUP)) rootSeedOf(authority, `a certificate in group "${OPS_GROUP}"`);
  const { client, waiting } = await find(context, name, options.fingerprint);
  await using _client = client;
  const needs = needsNow(env, primitives);
  const { signPublicKey, dhPublicKey, keyId } = waiting;
  const chain = issue(authority, needs, {
    type: "user",
    name,
    groups,
    unixUser: name,
    validityMs: USER_MS,
    signPublicKey,
    dhPublicKey,
  });
  await home.storeUsers([...await home.users(), { name, keyId, groups, made: needs.now }]);
  const plain = new TextEncoder().encode(await homeFor(home, { ...authority, chain }));
  if (plain.length > ENROL_ANSWER_BYTES_MAX) {
    throw new UsageError(`Mesh file and nodes have ${plain.length} bytes, too many for an answer`, {
      hint: `Make the home yourself: minime user add ${name} --out FOLDER`,
    });
  }
  const sealed = sealFor({ primitives, random: env.random }, dhPublicKey, plain).toBase64();
  await answer(context, client, { waiting, answer: { sealed } });
  if (options.json) return out.json({ user: name, keyId, groups, node: waiting.node });
  const inGroups = groups.length === 0 ? "in no group" : `in ${groups.join(", ")}`;
  out.print(
    `"${name}" (${inGroups}) is a user of mesh "${home.name}", key ${fingerprintOf(keyId)}`,
  );
}

/** Whoever asked is told the reason. */
export async function runDeny(
  context: CommandContext,
  { fingerprint, reason, json }: OptionsOf<typeof denyOptions>,
  [name = ""]: readonly string[],
): Promise<void> {
  const { client, waiting } = await find(context, name, fingerprint);
  await using _client = client;
  await answer(context, client, { waiting, answer: { denied: reason } });
  if (json) context.out.json({ user: name, keyId: waiting.keyId, node: waiting.node });
  else context.out.print(`"${name}" was told: ${reason}`);
}

/** The caller closes the client. */
async function find(
  context: CommandContext,
  name: string,
  fingerprint: string | undefined,
): Promise<{ readonly client: MeshClient; readonly waiting: WaitingUser }> {
  const { client, view } = await reachMesh(context);
  try {
    const { waiting } = await waitingUsers(client, view, context.signal);
    const theirs = waiting.filter(({ user }) => user === name);
    const digits = fingerprint?.toLowerCase().replaceAll(/[^0-9a-f]/g, "");
    const found = theirs.filter(({ keyId }) =>
      digits === undefined || (digits.length >= 16 && keyId.startsWith(digits))
    );
    const [first] = found;
    if (first !== undefined && found.length === 1) return { client, waiting: first };
    if (theirs.length === 0) throw new UsageError(`"${name}" has not asked: minime user requests`);
    const shown = theirs.map(({ node, keyId }) => `${fingerprintOf(keyId)} on ${node}`).join(", ");
    throw new UsageError(
      first === undefined
        ? `"${name}" has asked with another fingerprint: ${shown}`
        : `"${name}" has asked more than once: ${shown}`,
      { hint: "Let them read theirs out, and name it: --fingerprint FINGERPRINT" },
    );
  } catch (error) {
    await client.close();
    throw error;
  }
}

async function answer(
  { signal }: CommandContext,
  client: MeshClient,
  { waiting, answer }: { readonly waiting: WaitingUser; readonly answer: EnrolAnswer },
): Promise<void> {
  const { node, keyId } = waiting;
  const signed = await client.sign("keys.answer", { keyId, answer }, { targets: [node] });
  const deadlineMs = ENROL_ASK_MS_MAX;
  const { failures } = await callGroup(client, { targets: node, signed, deadlineMs, signal });
  const failure = failures.get(node);
  if (failure !== undefined) throw new UsageError(`"${node}" did not take it: ${failure.reason}`);
}

/** All but the key, as JSON. */
async function homeFor(
  home: MeshHome,
  parts: {
    readonly rootPublicKey: Uint8Array;
    readonly psk: Uint8Array;
    readonly chain: readonly Uint8Array[];
  },
): Promise<string> {
  const { rootPublicKey, psk, chain: [certificate, issuer] } = parts;
  const shared = await Promise.all(
    SHARED.map(async (file) => [file, (await home.load(file))?.toBase64()] as const),
  );
  const files = {
    "root.pub": rootPublicKey.toBase64(),
    psk: psk.toBase64(),
    "user.cert": certificate?.toBase64(),
    "issuer.cert": issuer?.toBase64(),
    ...Object.fromEntries(shared),
  };
  return JSON.stringify({ mesh: home.name, files, nodes: await home.nodes() });
}
