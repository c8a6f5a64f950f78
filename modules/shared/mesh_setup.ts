/**
 * What a machine needs before it can make nodes: the mesh's home, the root key, a valid certificate
 * for the user, and the signed policy. Made when missing, kept when there.
 */

import {
  AuthenticationError,
  defaultPolicy,
  type Environment,
  formatPolicy,
  isName,
  isUnixUser,
  NO_REVOCATIONS,
  NotFoundError,
  parsePolicy,
  type Policy,
  POLICY_LIMITS_DEFAULT,
  type Primitives,
  signPolicy,
  UsageError,
  verifyPolicy,
} from "../../core/mod.ts";
import { type Authority, loadAuthority, type Needs, needsNow, rootSeedOf } from "./authority.ts";
import { createCredentials, issueUser, loadUser, OPS_GROUP } from "./credentials.ts";
import type { MeshFile } from "./mesh_file.ts";
import type { MeshHome } from "./mesh_home.ts";
import { isUserEnding, renewUser } from "./user_renewal.ts";

type World = Pick<Environment, "clock" | "files" | "processes" | "random">;

/** The keys of this mesh, with a user's certificate that is still good for a while. */
export async function prepareKeys(
  env: World,
  primitives: Primitives,
  home: MeshHome,
): Promise<Authority> {
  const needs = needsNow(env, primitives);
  const user = await userOf(env);
  if (await home.load("root.key") === undefined) {
    // An issuer admits nodes in place of a root key that was taken away.
    if (await home.load("issuer.key") !== undefined) return await loadAuthority(home, primitives);
    if (await home.load("root.pub") !== undefined) {
      throw new UsageError(
        `The home of mesh "${home.name}" has no root key: it cannot admit nodes`,
        {
          hint: `Boot from the machine where the mesh was made, or copy "${
            home.path("root.key")
          }" from there`,
        },
      );
    }
    await createCredentials(home, { ...needs, ...user });
  } else if (!await isUserUsable(home, needs)) {
    await issueUser(home, { ...needs, ...user });
  } else {
    const { identity: { certificate } } = await loadUser(home, needs, {
      allowExpired: true,
    });
    if (isUserEnding(certificate, needs.now)) await renewUser(home, needs);
  }
  return await loadAuthority(home, primitives);
}

/** The signed document of the file's policy: the one in the home when that says the same. */
export async function preparePolicy(
  env: World,
  primitives: Primitives,
  parts: {
    readonly home: MeshHome;
    readonly authority: Authority;
    readonly mesh: Pick<MeshFile, "policy">;
  },
): Promise<Uint8Array> {
  const { home, authority, mesh } = parts;
  const isGiven = Object.keys(mesh.policy).length > 0;
  const policy = isGiven ? parsePolicy(mesh.policy) : defaultPolicy(OPS_GROUP);
  const now = Math.floor(env.clock.now());
  const kept = await home.load("policy.signed");
  let version = 1;
  if (kept !== undefined) {
    const before = verifyPolicy(primitives, {
      bytes: kept,
      meshId: authority.meshId,
      rootPublicKey: authority.rootPublicKey,
      now,
      revocations: NO_REVOCATIONS,
      skewMs: POLICY_LIMITS_DEFAULT.clockSkewMs,
    });
    if (isSamePolicy(before.policy, policy)) return kept;
    version = before.version + 1;
  }
  const seed = rootSeedOf(authority, "a policy");
  const { meshId } = authority;
  const signed = signPolicy(primitives, { meshId, version, issuedMs: now, policy, seed });
  await home.store("policy.signed", signed);
  return signed;
}

/** Not when something is missing: a disk that was full may have stopped a first boot. */
async function isUserUsable(home: MeshHome, needs: Needs): Promise<boolean> {
  for (const file of ["root.pub", "user.key", "user.cert"] as const) {
    if (await home.load(file) === undefined) return false;
  }
  try {
    await loadUser(home, needs, { allowExpired: true });
    return true;
  } catch (error) {
    // Of an issuer: it has none whose key we have.
    const mendable = ["expired", "key-mismatch"];
    if (error instanceof AuthenticationError && mendable.includes(error.reason)) return false;
    throw error;
  }
}

function isSamePolicy(a: Policy, b: Policy): boolean {
  return JSON.stringify(formatPolicy(a)) === JSON.stringify(formatPolicy(b));
}

/** Whom a certificate for the person at the keyboard names. */
export async function userOf(
  env: Pick<Environment, "files" | "processes">,
): Promise<{ readonly user: string; readonly unixUser: string }> {
  const unixUser = await unixUserName(env);
  return { user: isName(unixUser) ? unixUser : "user", unixUser };
}

/** The name of our user id, from the system's list of users where that is a plain file. */
async function unixUserName(env: Pick<Environment, "files" | "processes">): Promise<string> {
  const { uid } = env.processes;
  let text = "";
  try {
    text = await env.files.readText("/etc/passwd");
  } catch (error) {
    if (!(error instanceof NotFoundError)) throw error;
  }
  const row = text.split("\n").map((line) => line.split(":")).find((row) => row[2] === String(uid));
  const name = row?.[0] ?? env.processes.variable("LOGNAME") ?? env.processes.variable("USER") ??
    "";
  if (isUnixUser(name)) return name;
  throw new UsageError(`Cannot tell the name of user ${uid}`, { hint: "Set LOGNAME to it" });
}
