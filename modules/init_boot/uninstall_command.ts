/** `minime init uninstall`: the machine starts the node no more; keys and state stay. */

import type { CommandContext, OptionsOf } from "../shared/command.ts";
import { shellQuoted } from "../shared/private_folder.ts";
import type { uninstallOptions } from "./init_commands.ts";
import { installedMesh } from "./installed_mesh.ts";
import { ServiceControl } from "./service_control.ts";
import { chooseKind } from "./service_kind.ts";

/** Doing it twice changes nothing. */
export async function runUninstall(
  context: CommandContext,
  options: OptionsOf<typeof uninstallOptions>,
): Promise<void> {
  const { env, out } = context;
  const root = (options.root ?? "").replace(/\/+$/, "");
  const kind = await chooseKind(env, options);
  const mesh = context.meshName ?? await installedMesh(env, { kind, root });
  if (mesh === undefined) return out.print("No node is installed here");
  const control = new ServiceControl(env, { kind, mesh, root });
  if (await env.files.facts(control.path) === undefined) {
    return out.print(`No node of mesh "${mesh}" is installed here`);
  }
  if (options.dryRun) return out.print(`# ${control.path} would be removed`);
  await control.requireRights();
  for (const line of await control.disable()) out.print(line);
  await env.files.remove(control.path);
  await control.forget();
  out.print(`${control.path} is removed`);
  const left = [`/etc/minime/${mesh}`, `/var/lib/minime/${mesh}`].map((path) => root + path);
  out.note(
    `Keys and state of the node stay; to remove them: rm -r ${left.map(shellQuoted).join(" ")}`,
  );
}
