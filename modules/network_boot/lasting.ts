/**
 * Nodes that boot leaves installed on their hosts: which hosts can have one, and what each is given
 * besides a certificate. Its private keys are made there; see modules/init_boot/enrolled_install.ts.
 */

import { UsageError } from "../../core/mod.ts";
import { dialEndpoints } from "../shared/host_endpoints.ts";
import { registrarGroups } from "../shared/issuer.ts";
import type { MeshFile, MeshHost } from "../shared/mesh_file.ts";
import { formatMeshFile } from "../shared/mesh_file_format.ts";
import type { MeshHome } from "../shared/mesh_home.ts";
import { writtenByBoot } from "../shared/node_folder.ts";
import { foldNodeset } from "../shared/nodeset.ts";
import { HostError } from "./host_error.ts";
import type { ScriptFacts } from "./script_facts.ts";

/** The same for all of a mesh. */
export interface LastingParts {
  /** Of all its hosts, so that whoever comes up first finds the others. */
  readonly file: string;
  /** Signed documents. */
  readonly revocations?: Uint8Array | undefined;
  readonly secrets?: Uint8Array | undefined;
  /** What a registrar among them may give. */
  readonly registrarGroups: readonly string[];
}

/** From the mesh file and what the home holds. */
export async function lastingParts(mesh: MeshFile, home: MeshHome): Promise<LastingParts> {
  return {
    file: writtenByBoot(formatMeshFile(mesh)),
    revocations: await home.load("revocations.signed"),
    secrets: await home.load("secrets.signed"),
    registrarGroups: registrarGroups(mesh),
  };
}

/**
 * Commands come from here, where nobody looks around: so each host has a port, also where the nodes
 * find each other. @throws UsageError for hosts that cannot have a node which others find again */
export function requireInstallable(
  hosts: readonly MeshHost[],
  { install, replace }: { readonly install: boolean; readonly replace: boolean },
): void {
  if (!install && replace) throw new UsageError("Option --replace goes with --install only");
  if (!install) return;
  const namesOf = (some: readonly MeshHost[]) => foldNodeset(some.map(({ name }) => name));
  const local = hosts.filter(({ launcher }) => launcher === "local");
  if (local.length > 0) {
    throw new UsageError(
      `Nothing can be installed by launcher "local", which ${namesOf(local)} would take`,
      { hint: 'On this machine itself: "minime mesh provision" and "minime init install"' },
    );
  }
  const portless = hosts.filter((host) => dialEndpoints(host).length === 0);
  if (portless.length === 0) return;
  throw new UsageError(
    `${namesOf(portless)} would listen on any free port, where no command finds it after a start`,
    { hint: "Write a port into the mesh file: port = 7117" },
  );
}

/** Before anything is copied. @throws HostError */
export function checkInstallable(facts: ScriptFacts): void {
  const uid = facts.number("uid");
  if (uid !== undefined && uid !== 0) {
    throw new HostError(
      "denied",
      `installing takes root, and ssh logs in as user ${uid}; write user = "root" into the mesh ` +
        `file, or let root run "minime init install" there`,
    );
  }
  if (facts.get("init") !== undefined) return;
  throw new HostError(
    "no-init",
    "neither systemd runs there nor is there a folder /etc/init.d; boot it without --install",
  );
}
