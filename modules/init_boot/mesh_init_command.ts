/** `minime mesh init`: the keys of a mesh whose nodes are installed, before there is any node. */

import { choosePrimitives, UsageError } from "../../core/mod.ts";
import type { CommandContext, OptionsOf } from "../shared/command.ts";
import { lockHome } from "../shared/home_lock.ts";
import { needsNow } from "../shared/authority.ts";
import { homeGroups, makeIssuer } from "../shared/issuer.ts";
import { prepareKeys, preparePolicy } from "../shared/mesh_setup.ts";
import { shellQuoted } from "../shared/private_folder.ts";
import type { meshInitOptions } from "./commands.ts";
import { readConfigFile } from "./config_file.ts";
import { readMeshFacts } from "./mesh_facts.ts";

/** Of the issuer in the mesh's home. */
const ISSUER_NAME = "issuer";

/** Makes what is missing, so that one which a full disk stopped can be repeated. */
export async function runMeshInit(
  context: CommandContext,
  { config, json }: OptionsOf<typeof meshInitOptions>,
): Promise<void> {
  const { env, out, homes, meshName } = context;
  const file = config === undefined ? undefined : await readConfigFile(context, config);
  const name = file?.mesh.name ?? meshName;
  if (name === undefined) {
    throw new UsageError("The mesh needs a name", {
      hint: "Name its file, or only the mesh: --config mesh.toml, or --mesh lab",
    });
  }
  using primitives = await choosePrimitives();
  const home = await homes.create(name);
  using _lock = await lockHome(context, home);
  if (await home.load("issuer.cert") !== undefined) {
    throw new UsageError(`Mesh "${name}" has its keys already, in "${home.folder}"`, {
      hint: `See them: minime mesh show --mesh ${name}`,
    });
  }
  const authority = await prepareKeys(env, primitives, home);
  await preparePolicy(env, primitives, { home, authority, mesh: file?.mesh ?? { policy: {} } });
  if (file !== undefined) await home.store("mesh.toml", file.text);
  const issuer = makeIssuer(authority, needsNow(env, primitives), {
    name: ISSUER_NAME,
    types: ["node", "user"],
    groups: homeGroups(file?.mesh),
  });
  await home.store("issuer.key", issuer.key);
  // Last: with it the mesh is complete.
  await home.store("issuer.cert", issuer.certificate);
  // Who has just made a mesh means that one.
  await home.storeLastBoot({ at: Math.floor(env.clock.now()), up: [], failed: [] });
  const facts = await readMeshFacts(env, primitives, home);
  if (json) return out.json(facts);
  out.print(`Mesh "${name}" has its keys, in "${home.folder}"`);
  out.print(`You are "${facts.user?.name}", who may do everything (group ops)`);
  const which = config === undefined ? `--mesh ${name}` : `--config ${shellQuoted(config)}`;
  out.note(`Next: minime mesh provision ${which} NODESET --out FOLDER`);
  const others = (await homes.list()).filter((each) => each !== name);
  const chosen = env.processes.variable("MINIME_MESH") || name;
  if (chosen !== name) {
    out.note(`Commands mean mesh "${chosen}" still, as MINIME_MESH says; this one: --mesh ${name}`);
  } else if (others.length > 0) {
    out.note(`Commands mean this mesh from now on; another one of yours: --mesh ${others[0]}`);
  }
  out.note(
    `Keep a copy of ${shellQuoted(home.path("root.key"))} offline: whoever holds it is the mesh`,
  );
}
