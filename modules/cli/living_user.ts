/**
 * The user of a mesh's home as commands need them: with a certificate that is renewed where the root key
 * lies beside it, and whose end is told before it comes where it does not.
 */

import {
  AuthenticationError,
  errorText,
  MinimeError,
  parseCertificate,
  type SigningPrimitives,
  UsageError,
} from "../../core/mod.ts";
import { needsNow } from "../shared/authority.ts";
import { type HomeUser, loadUser } from "../shared/credentials.ts";
import { formatDuration } from "../shared/duration.ts";
import type { MeshHome } from "../shared/mesh_home.ts";
import { renewalAt } from "../shared/renewal.ts";
import { isUserEnding, renewUser } from "../shared/user_renewal.ts";
import type { ConnectNeeds } from "./context.ts";

/** @throws AuthenticationError when the certificate is not valid, and how to get another one */
export async function loadLivingUser(
  { env, out, warnOnce }: Pick<ConnectNeeds, "env" | "out" | "warnOnce">,
  primitives: SigningPrimitives,
  home: MeshHome,
): Promise<HomeUser> {
  if (await home.load("user.cert") === undefined) {
    throw new UsageError(`You have no certificate of mesh "${home.name}" on this machine`, {
      hint: 'Ask for one by "minime user enroll" on a login node, or copy your home of the mesh ' +
        `from another machine to "${home.folder}"`,
    });
  }
  const needs = needsNow(env, primitives);
  const load = () => loadUser(home, needs);
  let user: HomeUser | undefined;
  let failure: unknown;
  try {
    user = await load();
    if (needs.now < renewalAt(user.identity)) return user;
  } catch (error) {
    if (!(error instanceof AuthenticationError) || error.reason !== "expired") throw error;
    failure = error;
  }
  if (await home.load("root.key") !== undefined) {
    try {
      await renewUser(home, needs);
      out.detail(`Your certificate of mesh "${home.name}" was renewed by its root key`);
      return await load();
    } catch (error) {
      // A home that cannot be written is enough for most commands.
      if (!(error instanceof MinimeError)) throw error;
      warnOnce("renewal", `Your certificate cannot be renewed: ${errorText(error)}`);
    }
  }
  const name = parseCertificate(primitives, await home.require("user.cert")).name;
  const advice =
    'ask for another one by "minime user enroll" on a login node, or let an operator ' +
    `run "minime user renew ${name} --out FOLDER"`;
  if (user === undefined) {
    throw new AuthenticationError("expired", `${errorText(failure)}: ${advice}`, {
      cause: failure,
    });
  }
  const { identity } = user;
  const { certificate: { notBefore }, notAfter } = identity;
  if (isUserEnding({ notBefore, notAfter }, needs.now)) {
    const left = formatDuration(notAfter - needs.now);
    warnOnce("end", `Your certificate of mesh "${home.name}" ends in ${left}: ${advice}`);
  }
  return user;
}
