/** `minime mesh publish`: what this home says about policy and revoked keys reaches the mesh. */

import {
  choosePrimitives,
  NO_REVOCATIONS,
  POLICY_LIMITS_DEFAULT,
  UsageError,
  verifyPolicy,
} from "../../core/mod.ts";
import { loadAuthority } from "../shared/authority.ts";
import type { CommandContext, OptionsOf } from "../shared/command.ts";
import { loadRevocations, loadSecrets } from "../shared/credentials.ts";
import { EXIT } from "../shared/exit_code.ts";
import { lockHome } from "../shared/home_lock.ts";
import { preparePolicy } from "../shared/mesh_setup.ts";
import type { publishOptions } from "./commands.ts";
import { readConfigFile } from "./config_file.ts";
import { type Publication, publish, publishedText } from "../shared/publish.ts";

/** Exit code 4 when no node can be reached, 1 when some that is up has it not. */
export async function runPublish(
  context: CommandContext,
  { config, json }: OptionsOf<typeof publishOptions>,
): Promise<number> {
  const { env, out } = context;
  const file = config === undefined ? undefined : await readConfigFile(context, config);
  const home = file === undefined
    ? await context.home()
    : (await context.homes.choose(file.mesh.name)).home;
  using _lock = await lockHome(context, home);
  using primitives = await choosePrimitives();
  const authority = await loadAuthority(home, primitives);
  if (file !== undefined) {
    await preparePolicy(env, primitives, { home, authority, mesh: file.mesh });
    await home.store("mesh.toml", file.text);
  }
  const { meshId, rootPublicKey } = authority;
  const list = await loadRevocations(home, primitives, rootPublicKey);
  const secrets = await loadSecrets(home, primitives, rootPublicKey);
  const bytes = await home.load("policy.signed");
  const policy = bytes && verifyPolicy(primitives, {
    bytes,
    meshId,
    rootPublicKey,
    now: env.clock.now(),
    revocations: list ?? NO_REVOCATIONS,
    skewMs: POLICY_LIMITS_DEFAULT.clockSkewMs,
  });
  const publications: Publication[] = [
    ...policy === undefined ? [] : [{ kind: "policy" as const, ...policy }],
    ...list === undefined ? [] : [{ kind: "revocations" as const, ...list }],
    ...secrets === undefined ? [] : [{ kind: "secrets" as const, ...secrets }],
  ];
  if (publications.length === 0) {
    throw new UsageError(`The home of mesh "${home.name}" has nothing`);
  }
  const published = await publish(context, { mesh: home.name, publications });
  const documents = publications.map(({ kind, version }) => ({ kind, version }));
  if (json) out.json({ mesh: home.name, documents, ...published });
  else if (published !== undefined) {
    const what = documents.map(({ kind, version }) => `${kind} version ${version}`).join(", ");
    out.print(`Mesh "${home.name}", ${what}: ${publishedText(published)}`);
  }
  if (published === undefined) return EXIT.unreachable;
  return published.lacking.length > 0 ? EXIT.someFailed : EXIT.ok;
}
