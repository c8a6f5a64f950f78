/** A node as one that carries on group operations. */

import type { Clock, Links } from "../../core/mod.ts";
import type { MeshPicture } from "../shared/mesh_view.ts";
import type { Runs } from "./runs.ts";

/** What a node needs to take part in operations. */
export interface Station {
  readonly clock: Clock;
  readonly links: Links;
  readonly picture: MeshPicture;
  readonly runs: Runs;
  readonly selfName: string;
}
