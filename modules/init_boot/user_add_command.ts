/** `minime user add`: a home of the mesh for somebody else. */

import { choosePrimitives, isName, isUnixUser, UsageError } from "../../core/mod.ts";
import {
  issue,
  KEY_BYTES,
  loadAuthority,
  needsNow,
  publicKeysOf,
  rootSeedOf,
} from "../shared/authority.ts";
import type { CommandContext, OptionsOf } from "../shared/command.ts";
import { OPS_GROUP } from "../shared/credentials.ts";
import { lockHome } from "../shared/home_lock.ts";
import { NAME_RULE } from "../shared/mesh_file_schema.ts";
import { writePrivateFiles } from "../shared/node_folder.ts";
import { shellQuoted } from "../shared/private_folder.ts";
import { sharedFiles } from "../shared/shared_files.ts";
import { checkUserLife, noteUser } from "../shared/user_renewal.ts";
import type { userAddOptions } from "./commands.ts";

/** Refuses a folder that is there already. */
export async function runUserAdd(
  context: CommandContext,
  options: OptionsOf<typeof userAddOptions>,
  args: readonly string[],
): Promise<void> {
  const { env, out } = context;
  const [name = ""] = args;
  const groups = [...new Set(options.groups.flatMap((text) => text.split(",")))];
  const { out: folder, unixUser = name } = options;
  if (folder === undefined) {
    throw new UsageError("Option --out is missing", { hint: `It names a folder: --out ${name}` });
  }
  for (const [what, text] of [["user", name], ...groups.map((group) => ["group", group])]) {
    if (isName(text as string)) continue;
    throw new UsageError(`"${text}" is no name of a ${what} (${NAME_RULE})`);
  }
  if (!isUnixUser(unixUser)) {
    throw new UsageError(`"${unixUser}" is no name of a unix user`, {
      hint: "Name one: --unix-user NAME",
    });
  }
  const validityMs = checkUserLife(options.valid);
  if (await env.files.facts(folder) !== undefined) {
    throw new UsageError(`"${folder}" is there already`, { hint: "Name another folder" });
  }
  const home = await context.home();
  using _lock = await lockHome(context, home);
  using primitives = await choosePrimitives();
  const authority = await loadAuthority(home, primitives);
  if (groups.includes(OPS_GROUP)) rootSeedOf(authority, `a certificate in group "${OPS_GROUP}"`);
  const key = env.random.bytes(2 * KEY_BYTES);
  const keys = publicKeysOf(primitives, key);
  const needs = needsNow(env, primitives);
  const [certificate, issuer] = issue(authority, needs, {
    type: "user",
    name,
    groups,
    unixUser,
    validityMs,
    ...keys,
  });
  await noteUser(home, primitives, certificate);
  await writePrivateFiles(env, folder, {
    ...await sharedFiles(home),
    "user.key": key,
    "user.cert": certificate,
    ...(issuer === undefined ? {} : { "issuer.cert": issuer }),
    "nodes.json": `${JSON.stringify(await home.nodes(), undefined, 1)}\n`,
  });
  if (options.json) return out.json({ mesh: home.name, user: name, groups, unixUser, folder });
  const inGroups = groups.length === 0 ? "in no group" : `in ${groups.join(", ")}`;
  out.print(`User "${name}" (${inGroups}) of mesh "${home.name}": ${folder}`);
  out.note(
    `To be kept by its owner as ~/.config/minime/${home.name}: ` +
      `chown -R ${unixUser} ${shellQuoted(folder)}`,
  );
}
