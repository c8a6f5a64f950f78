/** The file that --hosts names, in either of its forms: what recon and wipe read, and what they work on. */

import { isName, UsageError } from "../../core/mod.ts";
import type { CommandContext, OptionsOf } from "../shared/command.ts";
import type { MeshFile, MeshHost } from "../shared/mesh_file.ts";
import { meshSource } from "../shared/mesh_file_build.ts";
import { readSelection } from "../shared/node_selection.ts";
import { didYouMean } from "../shared/suggest.ts";
import type { HOSTS_FILE } from "./hosts_options.ts";

type HostsFileOptions = OptionsOf<typeof HOSTS_FILE>;

/** @throws UsageError when there is no such file, or it has problems */
export async function readHostsFile(
  context: CommandContext,
  options: Pick<HostsFileOptions, "hosts" | "bhost">,
): Promise<MeshFile> {
  const { hosts, bhost } = options;
  if (hosts === undefined) {
    throw new UsageError("Option --hosts is missing", {
      hint: "It names the file that says which hosts there are: --hosts hosts.toml",
    });
  }
  const file = hosts === "-" ? "stdin" : hosts;
  const source = hosts === "-" ? await context.stdin.text() : await readFile(context, hosts);
  if (bhost) {
    const { parseBhost } = await import("../shared/bhost.ts");
    return parseBhost(source, { file, name: context.meshName ?? nameOf(file) });
  }
  const { parseMeshFile } = await import("../shared/mesh_file.ts");
  const mesh = parseMeshFile(source, { file });
  if (context.meshName === undefined || context.meshName === mesh.name) return mesh;
  context.out.note(`Mesh "${context.meshName}", with the hosts of mesh "${mesh.name}"`);
  return { ...mesh, name: context.meshName };
}

/** The hosts that -w, -x and -g leave. @throws UsageError for none, or a name that is not in the file */
export async function selectHosts(
  context: CommandContext,
  mesh: MeshFile,
  options: Pick<HostsFileOptions, "nodes" | "exclude" | "group">,
): Promise<readonly MeshHost[]> {
  const selection = await readSelection(context, { ...options, all: false });
  const names = selection.names(meshSource(mesh));
  if (names.length === 0) throw new UsageError("No host is selected");
  const known = new Map(mesh.hosts.map((host) => [host.name, host]));
  return names.map((name) => {
    const host = known.get(name);
    if (host !== undefined) return host;
    const suggestion = didYouMean(name, known.keys());
    throw new UsageError(`There is no host "${name}" in the file${suggestion}`);
  });
}

async function readFile({ env }: CommandContext, path: string): Promise<string> {
  try {
    return await env.files.readText(path);
  } catch (cause) {
    throw new UsageError(`Cannot read mesh file "${path}"`, { cause });
  }
}

/** A boot schema does not name its mesh: the file's own name does. */
function nameOf(file: string): string {
  const base = file.slice(file.lastIndexOf("/") + 1).replace(/\.[^.]*$/, "").toLowerCase();
  return isName(base) ? base : "lab";
}
