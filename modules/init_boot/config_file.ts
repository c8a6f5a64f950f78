/** The mesh file that --config names, or the one in the mesh's home. */

import { UsageError } from "../../core/mod.ts";
import type { CommandContext } from "../shared/command.ts";
import { type MeshFile, parseMeshFile } from "../shared/mesh_file.ts";
import type { MeshHome } from "../shared/mesh_home.ts";

/** A mesh file, and its text with all comments. */
export interface ConfigFile {
  readonly mesh: MeshFile;
  readonly text: string;
}

/** @throws UsageError when it cannot be read, has problems, or is of another mesh than --mesh says */
export async function readConfigFile(
  { env, stdin, meshName }: Pick<CommandContext, "env" | "stdin" | "meshName">,
  path: string,
): Promise<ConfigFile> {
  const text = path === "-" ? await stdin.text() : await readText(env.files, path);
  const mesh = parseMeshFile(text, { file: path === "-" ? "stdin" : path });
  if (meshName === undefined || meshName === mesh.name) return { mesh, text };
  throw new UsageError(`"${path}" is of mesh "${mesh.name}", not of "${meshName}"`, {
    hint: "That is what --mesh says, or MINIME_MESH where it is set",
  });
}

/** @throws UsageError when the home has none */
export async function homeConfigFile(home: MeshHome): Promise<ConfigFile> {
  const bytes = await home.load("mesh.toml");
  if (bytes === undefined) {
    throw new UsageError(`The home of mesh "${home.name}" has no mesh file`, {
      hint: "Name one: --config mesh.toml",
    });
  }
  const text = new TextDecoder().decode(bytes);
  return { mesh: parseMeshFile(text, { file: home.path("mesh.toml") }), text };
}

async function readText(
  files: CommandContext["env"]["files"],
  path: string,
): Promise<string> {
  try {
    return await files.readText(path);
  } catch (cause) {
    throw new UsageError(`Cannot read mesh file "${path}"`, { cause });
  }
}
