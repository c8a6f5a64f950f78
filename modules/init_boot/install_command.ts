/** `minime init install`: a node that comes up with its machine. Doing it twice changes nothing. */

import type { CommandContext, OptionsOf } from "../shared/command.ts";
import { makePrivateFolder } from "../shared/private_folder.ts";
import type { installOptions } from "./init_commands.ts";
import { writeFiles } from "./install_files.ts";
import { type InstallPlan, planInstall } from "./install_plan.ts";
import { ServiceControl } from "./service_control.ts";
import { chooseKind } from "./service_kind.ts";

/** With --root nothing is started: it is the root of another machine, or of an image of one. */
export async function runInstall(
  context: CommandContext,
  options: OptionsOf<typeof installOptions>,
): Promise<number | void> {
  const { env, out } = context;
  const root = (options.root ?? "").replace(/\/+$/, "");
  const kind = await chooseKind(env, options);
  if (options.enrol) {
    const { runEnrolledInstall } = await import("./enrolled_install.ts");
    return await runEnrolledInstall(context, { ...options, kind });
  }
  const plan = await planInstall(env, {
    kind,
    config: options.config,
    root,
    ...(options.name === undefined ? {} : { name: options.name }),
  });
  if (options.dryRun) return printPlan(context, plan);
  const control = new ServiceControl(env, { kind, mesh: plan.mesh, root });
  await control.requireRights();
  for (const folder of plan.folders) await makePrivateFolder(env, folder);
  const written = await writeFiles(env, plan.files);
  for (const { path } of written) out.print(`${path} is written`);
  for (const note of plan.notes) out.note(note);
  if (written.length === 0) out.print("All files are as they should be");
  for (const line of await control.enable(written.length > 0 ? "restart" : "start")) {
    out.print(line);
  }
}

function printPlan({ out }: CommandContext, plan: InstallPlan): void {
  for (const { path, mode, data, from } of plan.files) {
    out.print(`# ${path} (mode ${mode.toString(8).padStart(4, "0")})${from ? `: ${from}` : ""}`);
    if (from === undefined) out.print(`${data as string}`);
  }
  for (const note of plan.notes) out.note(note);
}
