/** `minime init install`: a node that comes up with its machine. Doing it twice changes nothing. */

import { type Environment, equalBytes, MinimeError, NotFoundError } from "../../core/mod.ts";
import type { CommandContext, OptionsOf } from "../shared/command.ts";
import { makePrivateFolder } from "../shared/private_folder.ts";
import type { installOptions } from "./init_commands.ts";
import { type InstallPlan, planInstall, type PlannedFile } from "./install_plan.ts";
import { ServiceControl } from "./service_control.ts";
import { chooseKind } from "./service_kind.ts";

/** With --root nothing is started: it is the root of another machine, or of an image of one. */
export async function runInstall(
  context: CommandContext,
  options: OptionsOf<typeof installOptions>,
): Promise<void> {
  const { env, out } = context;
  const root = (options.root ?? "").replace(/\/+$/, "");
  const kind = await chooseKind(env, options);
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
  let changes = 0;
  for (const file of plan.files) {
    if (!await writeFile(env, file)) continue;
    changes++;
    out.print(`${file.path} is written`);
  }
  for (const note of plan.notes) out.note(note);
  if (changes === 0) out.print("All files are as they should be");
  for (const line of await control.enable(changes > 0)) out.print(line);
}

function printPlan({ out }: CommandContext, plan: InstallPlan): void {
  for (const { path, mode, data, from } of plan.files) {
    out.print(`# ${path} (mode ${mode.toString(8).padStart(4, "0")})${from ? `: ${from}` : ""}`);
    if (from === undefined) out.print(`${data as string}`);
  }
  for (const note of plan.notes) out.note(note);
}

/** False when it was like that already. */
async function writeFile(
  { files }: Pick<Environment, "files">,
  { path, data, mode }: PlannedFile,
): Promise<boolean> {
  const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data;
  try {
    const facts = await files.facts(path);
    if (facts?.mode === mode && equalBytes(await files.read(path), bytes)) return false;
  } catch (error) {
    if (!(error instanceof NotFoundError)) throw error;
  }
  const folder = path.slice(0, path.lastIndexOf("/"));
  const folderFacts = await files.facts(folder);
  if (folderFacts === undefined) await files.makeFolder(folder, { mode: 0o755 });
  else if (folderFacts.kind === "file") {
    throw new MinimeError(`"${folder}" is a file, and a folder is wanted`);
  }
  await files.write(path, bytes, { mode });
  return true;
}
