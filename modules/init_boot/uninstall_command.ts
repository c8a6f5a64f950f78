/**
 * `minime init uninstall`: the machine starts the node no more, and nothing of it runs on unknown; keys and
 * state stay.
 */

import type { CommandContext, OptionsOf } from "../shared/command.ts";
import { shellQuoted } from "../shared/private_folder.ts";
import type { uninstallOptions } from "./init_commands.ts";
import { installedMesh } from "./installed_mesh.ts";
import { endJobs, jobHolders } from "./left_jobs.ts";
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
  const isHere = root === "";
  if (options.dryRun) {
    for (const { node, pid } of isHere && !options.keepJobs ? await jobHolders(env, mesh) : []) {
      out.print(`# background jobs of "${node}", which process ${pid} holds, would be ended`);
    }
    return out.print(`# ${control.path} would be removed`);
  }
  await control.requireRights();
  for (const line of await control.disable()) out.print(line);
  // Now that nobody begins another one.
  for (const holder of isHere ? await jobHolders(env, mesh) : []) {
    const { node, pid } = holder;
    if (options.keepJobs) {
      out.note(
        `Background jobs of "${node}" run on, held by process ${pid}; to end them: kill ${pid}`,
      );
    } else {
      await endJobs(env, holder);
      out.print(`Background jobs of "${node}", which process ${pid} held, are ended`);
    }
  }
  await env.files.remove(control.path);
  await control.forget();
  out.print(`${control.path} is removed`);
  const left = [`/etc/minime/${mesh}`, `/var/lib/minime/${mesh}`].map((path) => root + path);
  out.note(
    `Keys and state of the node stay; to remove them: rm -r ${left.map(shellQuoted).join(" ")}`,
  );
}
