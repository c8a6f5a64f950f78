/** `minime user renew`: another certificate for the same key, where root key or issuer is. */

import { choosePrimitives, parseCertificate, type Primitives, UsageError } from "../../core/mod.ts";
import { loadAuthority, needsNow } from "../shared/authority.ts";
import type { CommandContext, OptionsOf } from "../shared/command.ts";
import { formatDuration } from "../shared/duration.ts";
import { lockHome } from "../shared/home_lock.ts";
import type { MeshHome } from "../shared/mesh_home.ts";
import { writePrivateFiles } from "../shared/node_folder.ts";
import { shellQuoted } from "../shared/private_folder.ts";
import { sharedFiles } from "../shared/shared_files.ts";
import { renewOther, renewUser } from "../shared/user_renewal.ts";
import type { userRenewOptions } from "./commands.ts";

type RenewOptions = OptionsOf<typeof userRenewOptions>;

/** One's own in place; somebody else's into a folder, which must not be there. */
export async function runUserRenew(
  context: CommandContext,
  options: RenewOptions,
  [name]: readonly string[],
): Promise<void> {
  const home = await context.home();
  using _lock = await lockHome(context, home);
  using primitives = await choosePrimitives();
  if (name === undefined) await renewOwn(context, { home, primitives, options });
  else await renewTheirs(context, { home, primitives, options, name });
}

interface Parts {
  readonly home: MeshHome;
  readonly primitives: Primitives;
  readonly options: RenewOptions;
}

async function renewOwn(
  { env, out }: CommandContext,
  { home, primitives, options }: Parts,
): Promise<void> {
  if (options.out !== undefined) {
    throw new UsageError("Your own certificate stays in the mesh's home: leave --out away", {
      hint: `For somebody else: minime user renew NAME --out ${shellQuoted(options.out)}`,
    });
  }
  const { name } = parseCertificate(primitives, await home.require("user.cert"));
  const canSign = await home.load("root.key") ?? await home.load("issuer.key");
  if (canSign === undefined) {
    throw new UsageError(
      `Mesh "${home.name}" gives you another certificate by an operator's word`,
      {
        hint: 'Ask on a node of its group login: "minime user enroll", or let an operator run ' +
          `"minime user renew ${name} --out ${name}" and give you the folder`,
      },
    );
  }
  const needs = needsNow(env, primitives);
  await renewUser(home, needs);
  const { groups, notAfter } = parseCertificate(primitives, await home.require("user.cert"));
  if (options.json) return out.json({ mesh: home.name, user: name, groups, notAfter });
  const left = formatDuration(notAfter - needs.now);
  out.print(`You are "${name}" of mesh "${home.name}" for another ${left}`);
}

async function renewTheirs(
  { env, out }: CommandContext,
  { home, primitives, options, name }: Parts & { readonly name: string },
): Promise<void> {
  const { out: folder } = options;
  if (folder === undefined) {
    throw new UsageError("Option --out is missing", { hint: `It names a folder: --out ${name}` });
  }
  if (await env.files.facts(folder) !== undefined) {
    throw new UsageError(`"${folder}" is there already`, { hint: "Name another folder" });
  }
  const authority = await loadAuthority(home, primitives);
  const needs = needsNow(env, primitives);
  const [certificate, issuer] = await renewOther(home, needs, { name, authority });
  const { groups, notAfter } = parseCertificate(primitives, certificate);
  await writePrivateFiles(env, folder, {
    ...await sharedFiles(home),
    "user.cert": certificate,
    ...(issuer === undefined ? {} : { "issuer.cert": issuer }),
  });
  if (options.json) return out.json({ mesh: home.name, user: name, groups, notAfter, folder });
  const left = formatDuration(notAfter - needs.now);
  out.print(`User "${name}" of mesh "${home.name}" is valid for another ${left}: ${folder}`);
  out.note(
    `No key is in it. Its owner copies it over the old files: cp ${shellQuoted(folder)}/* ` +
      `~/.config/minime/${home.name}/`,
  );
}
