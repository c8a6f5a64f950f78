/** Fronts for benchmarks: two nodes of one mesh whose keys lie in a folder that both processes read. */

import type { Environment } from "../core/mod.ts";
import { type Random, TcpFront, UnixFront } from "../core/mod.ts";
import { MeshKeys } from "../tests/support/mesh_keys.ts";
import { choosePrimitives } from "../core/mod.ts";

export interface BenchFronts {
  tcp(name: string): TcpFront;
  readonly unix: UnixFront;
}

/** Both processes draw the same bytes from the seed, and so make the same keys. */
function seeded(): Random {
  let state = 1;
  return {
    bytes(length) {
      const bytes = new Uint8Array(length);
      for (let i = 0; i < length; i++) {
        state = Math.imul(state, 1_103_515_245) + 12_345 >>> 0;
        bytes[i] = state >>> 16;
      }
      return bytes;
    },
  };
}

export async function benchFronts(env: Environment): Promise<BenchFronts> {
  const primitives = await choosePrimitives();
  const keys = new MeshKeys(primitives, { random: seeded(), now: () => env.clock.now() });
  const people = new Map(["a", "b"].map((name) => [name, keys.person({ name })]));
  const trust = keys.trust();
  return {
    tcp: (name) => {
      const self = people.get(name);
      if (self === undefined) throw new Error(`No key for "${name}"`);
      const context = { clock: env.clock, random: env.random, primitives, trust, self };
      return new TcpFront({ network: env.network, log: () => {}, context: () => context });
    },
    unix: new UnixFront({ clock: env.clock, network: env.network, log: () => {} }),
  };
}
