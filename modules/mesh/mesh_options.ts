/** What the mesh module of a daemon is told by who starts the daemon. */

import type { AuthenticationError } from "../../core/mod.ts";
import type { AdvertPool } from "./advert_pool.ts";
import type { Seed } from "./topology.ts";

export interface MeshOptions {
  /** Nodes of one segment can dial each other directly. */
  readonly segment: string;
  /** Where others reach this node now, best first. @default what the daemon listens on by tcp */
  readonly endpoints?: () => readonly string[];
  /** Nodes to link with before anybody spoke of them; dialled for ever. @default none */
  readonly peers?: readonly Seed[];
  /** Others are to be expected, though not as `peers`: from the mesh file, or by looking around. */
  readonly expectsOthers?: boolean;
  /** Another machine lives with our key, and we are the one that stops. @default nobody is told */
  readonly onTwin?: (error: AuthenticationError) => void;
  /** How often this key was started, this time included. @default 1 */
  readonly incarnation?: number;
  /** Where several daemons run in one process, what they share. @default nothing */
  readonly pool?: AdvertPool;
}
