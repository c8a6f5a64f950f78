/** Of which meshes nodes are installed on this machine. */

import { type Environment, isName, UsageError } from "../../core/mod.ts";
import { type ServiceKind, servicePath } from "./service_kind.ts";

interface Machine {
  readonly kind: ServiceKind;
  /** Prefix of all paths. */
  readonly root: string;
}

/** Undefined when there is none. @throws UsageError when there are several */
export async function installedMesh(
  env: Pick<Environment, "files">,
  machine: Machine,
): Promise<string | undefined> {
  const found = await installedMeshes(env, machine);
  const [first] = found;
  if (found.length <= 1) return first;
  throw new UsageError(`Nodes of several meshes are installed here: ${found.join(", ")}`, {
    hint: `Say which: --mesh ${first}`,
  });
}

/** All of them, sorted. */
export async function installedMeshes(
  { files }: Pick<Environment, "files">,
  { kind, root }: Machine,
): Promise<string[]> {
  // The path of a mesh called MESH says what stands before and behind every name.
  const [before = "", behind = ""] = servicePath(kind, "MESH").split("MESH");
  const slash = before.lastIndexOf("/");
  const prefix = before.slice(slash + 1);
  return (await files.list(root + before.slice(0, slash)))
    .filter((file) => file.startsWith(prefix) && file.endsWith(behind))
    .map((file) => file.slice(prefix.length, file.length - behind.length))
    .filter(isName);
}
