/** For simulated nodes: whoever copies files is a process of its own, and there are none of those. */

import type { Disk } from "../../core/environment/environment.ts";

export const NO_DISK: Disk = new Proxy({} as Disk, {
  get: (_, call) => () => {
    throw new Error(`A simulated node has no disk of its own: ${String(call)}`);
  },
});
