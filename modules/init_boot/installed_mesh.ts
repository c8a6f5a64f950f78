/** Of which mesh a node is installed on this machine. */

import { type Environment, isName, UsageError } from "../../core/mod.ts";
import { type ServiceKind, servicePath } from "./service_kind.ts";

/** Undefined when there is none. @throws UsageError when there are several */
export async function installedMesh(
  { files }: Pick<Environment, "files">,
  { kind, root }: { readonly kind: ServiceKind; readonly root: string },
): Promise<string | undefined> {
  // The path of a mesh called MESH says what stands before and behind every name.
  const [before = "", behind = ""] = servicePath(kind, "MESH").split("MESH");
  const slash = before.lastIndexOf("/");
  const prefix = before.slice(slash + 1);
  const found = (await files.list(root + before.slice(0, slash)))
    .filter((file) => file.startsWith(prefix) && file.endsWith(behind))
    .map((file) => file.slice(prefix.length, file.length - behind.length))
    .filter(isName);
  const [first] = found;
  if (found.length <= 1) return first;
  throw new UsageError(`Nodes of several meshes are installed here: ${found.join(", ")}`, {
    hint: `Say which: --mesh ${first}`,
  });
}
