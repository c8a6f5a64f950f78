/** Groups that mean something to the program. A node is what its certificate says, and nothing else. */

import type { MeshHost } from "./mesh_file.ts";
import { GATEWAY_GROUP } from "./mesh_view.ts";

/** It holds an issuer's key: it admits nodes that show a token, and renews certificates. */
export const REGISTRAR_GROUP = "registrar";

/** People log in there, and may ask there to become users of the mesh. */
export const LOGIN_GROUP = "login";

/** The groups in the certificate of a host of the mesh file. */
export function certificateGroups(host: Pick<MeshHost, "groups" | "gateway">): string[] {
  return host.gateway ? [...new Set([...host.groups, GATEWAY_GROUP])] : [...host.groups];
}
