/** `minime init install`: a node that comes up with its machine. Doing it twice changes nothing. */

import { choosePrimitives, type JoinToken, type Primitives, UsageError } from "../../core/mod.ts";
import type { CommandContext, OptionsOf } from "../shared/command.ts";
import { makePrivateFolder } from "../shared/private_folder.ts";
import type { installOptions } from "./init_commands.ts";
import { refuseBooted } from "./booted_node.ts";
import { writeFiles } from "./install_files.ts";
import { type InstallPlan, planInstall } from "./install_plan.ts";
import { planProgram, requireReplaceable } from "./installed_program.ts";
import { ServiceControl } from "./service_control.ts";
import { chooseKind } from "./service_kind.ts";
import { joinByToken, readToken } from "./token_join.ts";

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
  const token = options.tokenFile === undefined
    ? undefined
    : await readToken(context, options.tokenFile);
  if (token !== undefined && root !== "") {
    throw new UsageError(
      "A token makes a node of the machine on which it is used, not of an image",
      {
        hint: 'For an image "minime mesh provision" makes the keys',
      },
    );
  }
  const { config, name } = options;
  using primitives = await choosePrimitives();
  const program = await planProgram(env, root);
  const plan = await planInstall(env, primitives, { kind, config, program, root, name, token });
  if (options.dryRun) return printPlan(context, plan);
  const control = new ServiceControl(env, { kind, mesh: plan.mesh, root });
  await control.requireRights();
  if (root === "") {
    await refuseBooted(env, plan);
    await requireReplaceable(env, { program, kind, isRemote: false, replace: options.replace });
  }
  await makePrivateFolder(env, plan.folder);
  if (token !== undefined) await join(context, primitives, { token, plan });
  const written = await writeFiles(env, plan.files);
  for (const { path } of written) out.print(`${path} is written`);
  for (const note of plan.notes) out.note(note);
  if (written.length === 0) out.print("All files are as they should be");
  const isChanged = written.length > 0 || plan.joins;
  for (const line of await control.enable(isChanged ? "restart" : "start")) out.print(line);
}

async function join(
  { env, out, signal }: CommandContext,
  primitives: Primitives,
  { token, plan }: { readonly token: JoinToken; readonly plan: InstallPlan },
): Promise<void> {
  const { folder, mesh, name } = plan;
  if (!plan.joins) return out.note(`"${name}" has its keys already: no token is needed`);
  await joinByToken(env, primitives, { token, folder, signal });
  out.print(`"${name}" has joined mesh "${mesh}"; its keys were made in ${folder}`);
}

function printPlan({ out }: CommandContext, plan: InstallPlan): void {
  for (const { path, mode, data, from } of plan.files) {
    out.print(`# ${path} (mode ${mode.toString(8).padStart(4, "0")})${from ? `: ${from}` : ""}`);
    if (from === undefined) out.print(`${data as string}`);
  }
  if (plan.joins) {
    out.print(`# "${plan.name}" would join; its keys would be made in ${plan.folder}`);
  }
  for (const note of plan.notes) out.note(note);
}
