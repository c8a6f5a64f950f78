/** The mesh file as a daemon reads it: at its start, and whenever it is told to. */

import { type Environment, UsageError } from "../../core/mod.ts";
import type { FileHost } from "../init_boot/mod.ts";
import { dialEndpoints } from "../shared/host_endpoints.ts";
import { type MeshFile, type MeshHost, parseMeshFile } from "../shared/mesh_file.ts";
import { requireTrusted } from "../shared/trusted_file.ts";
import { findOwnHost } from "./own_host.ts";

/** The file, and who of it we are. */
export interface OwnFile {
  readonly mesh: MeshFile;
  readonly host: MeshHost;
}

/** Rejects with UsageError for a file that cannot be used, or that others could change. */
export async function readOwnFile(
  env: Pick<Environment, "files" | "host" | "network" | "processes">,
  { config, name }: { readonly config: string; readonly name?: string },
): Promise<OwnFile> {
  await requireTrusted(env, config);
  let text: string;
  try {
    text = await env.files.readText(config);
  } catch (cause) {
    throw new UsageError(`Cannot read mesh file "${config}"`, { cause });
  }
  const mesh = parseMeshFile(text, { file: config });
  if (mesh.hooks !== undefined) await requireTrusted(env, mesh.hooks.program);
  const machine = { hostName: (await env.host()).name, addresses: env.network.addresses() };
  const wanted = name === undefined ? {} : { name };
  return { mesh, host: findOwnHost({ mesh, file: config, ...wanted }, machine) };
}

/** Those that we may dial: of our segment, and between gateways. */
export function othersOf({ mesh, host: self }: OwnFile): FileHost[] {
  return mesh.hosts
    .filter((host) => mayDial(self, host))
    .map((host) => ({ name: host.name, endpoints: dialEndpoints(host) }));
}

/** Never ourselves. */
export function mayDial(self: MeshHost, { name, segment, gateway }: MeshHost): boolean {
  return name !== self.name && (segment === self.segment || (gateway && self.gateway));
}
