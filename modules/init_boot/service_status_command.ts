/** `minime init status`: whether a node is installed on this machine, and how it is. */

import type { CommandContext, OptionsOf } from "../shared/command.ts";
import { EXIT } from "../shared/exit_code.ts";
import type { serviceStatusOptions } from "./init_commands.ts";
import { installedMesh } from "./installed_mesh.ts";
import { ServiceControl } from "./service_control.ts";
import { chooseKind } from "./service_kind.ts";

/** Exit code 0 only if it is installed and runs. */
export async function runServiceStatus(
  context: CommandContext,
  options: OptionsOf<typeof serviceStatusOptions>,
): Promise<number> {
  const { env, out } = context;
  const root = (options.root ?? "").replace(/\/+$/, "");
  const kind = await chooseKind(env, options);
  const mesh = context.meshName ?? await installedMesh(env, { kind, root });
  if (mesh === undefined) {
    if (options.json) out.json({ kind, installed: false, running: false });
    else out.print(`No node is installed here (${kind})`);
    return EXIT.someFailed;
  }
  const control = new ServiceControl(env, { kind, mesh, root });
  const state = await control.state();
  if (options.json) out.json({ kind, mesh, path: control.path, ...state });
  else {
    const start = state.enabled === undefined
      ? ""
      : state.enabled
      ? ", starts with the machine"
      : ", does not start with the machine";
    out.print(`${control.name} (${kind}, ${control.path}): ${state.text}${start}`);
  }
  return state.installed && state.running ? EXIT.ok : EXIT.someFailed;
}
