/** What everybody of a mesh needs besides a key and a certificate of their own, as an operator's home has it. */

import type { MeshHome } from "./mesh_home.ts";

const SHARED = ["psk", "root.pub", "mesh.toml", "revocations.signed", "secrets.signed"] as const;

/** By name; what the home does not have is left out. */
export async function sharedFiles(home: MeshHome): Promise<Record<string, Uint8Array>> {
  const files: Record<string, Uint8Array> = {};
  for (const file of SHARED) {
    const bytes = await home.load(file);
    if (bytes !== undefined) files[file] = bytes;
  }
  return files;
}
