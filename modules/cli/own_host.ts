/** Which host of the mesh file this machine is: by name, by host name, or by one of its addresses. */

import { MinimeError, UsageError } from "../../core/mod.ts";
import type { MeshFile, MeshHost } from "../shared/mesh_file.ts";
import { foldNodeset } from "../shared/nodeset.ts";
import { didYouMean } from "../shared/suggest.ts";

/** What a machine knows of itself. */
export interface MachineFacts {
  /** As the kernel has it, with or without a domain. */
  readonly hostName: string;
  /** IP addresses; loopback may be left out. */
  readonly addresses: readonly string[];
}

/** @throws MinimeError when there is none now, UsageError when there is more than one */
export function findOwnHost(
  { mesh, file, name }: { readonly mesh: MeshFile; readonly file: string; readonly name?: string },
  machine: MachineFacts,
): MeshHost {
  if (name !== undefined) return namedHost(mesh, file, name);
  const full = machine.hostName.toLowerCase();
  const short = full.split(".", 1)[0] ?? "";
  const byName = mesh.hosts.filter((host) =>
    [full, short].includes(host.name) || host.address.toLowerCase() === full
  );
  const addresses = new Set(machine.addresses);
  const found = byName.length > 0
    ? byName
    : mesh.hosts.filter(({ address }) => addresses.has(address));
  const [host] = found;
  if (host !== undefined && found.length === 1) return host;
  if (host === undefined) {
    const known = machine.addresses.length === 0
      ? "no address"
      : `addresses ${machine.addresses.join(", ")}`;
    // No mistake of whoever asked: its address may come later, and then a service manager gets it up.
    throw new MinimeError(
      `This machine is no host of "${file}": its name is "${machine.hostName}", it has ${known}; ` +
        `add it to the file, or say which host it is: --name ${mesh.hosts[0]?.name ?? "n1"}`,
    );
  }
  throw new UsageError(
    `This machine could be any of ${foldNodeset(found.map((each) => each.name))} in "${file}"`,
    { hint: `Say which: --name ${host.name}` },
  );
}

function namedHost(mesh: MeshFile, file: string, name: string): MeshHost {
  const host = mesh.hosts.find((each) => each.name === name);
  if (host !== undefined) return host;
  const suggestion = didYouMean(name, mesh.hosts.map((each) => each.name));
  throw new UsageError(`There is no host "${name}" in "${file}"${suggestion}`);
}
