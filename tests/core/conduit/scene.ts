/** Two nodes on a network in memory under a stopped clock, and whoever else connects to them. */

import assert from "node:assert/strict";
import type { BytePipe } from "../../../core/environment/environment.ts";
import type { Self } from "../../../core/mod.ts";
import { ManualClock } from "../../support/manual_clock.ts";
import { MemoryNetwork } from "../../support/memory_network.ts";
import type { MeshKeys } from "../../support/mesh_keys.ts";
import { RawPeer } from "../../support/raw_peer.ts";
import { makeKeys, Party } from "./parties.ts";

export interface Scene {
  readonly clock: ManualClock;
  readonly keys: MeshKeys;
  readonly network: MemoryNetwork;
  readonly dialler: Party;
  readonly acceptor: Party;
  /** Where the acceptor listens. */
  readonly endpoint: string;
  /** A connection to it, from that address. */
  connect(from?: string): BytePipe;
  /** Somebody of the mesh who is driven by hand. */
  peer(change?: Partial<ConstructorParameters<typeof RawPeer>[1]>): RawPeer;
}

/** Nodes "a" and "b" on one network, and "b" listens. */
export async function scene(run: (scene: Scene) => Promise<void>): Promise<void> {
  const clock = new ManualClock();
  const keys = await makeKeys(clock);
  const network = new MemoryNetwork();
  {
    await using acceptor = new Party({ keys, clock, network, self: keys.person({ name: "b" }) });
    await using dialler = new Party({ keys, clock, network, self: keys.person({ name: "a" }) });
    const endpoint = await acceptor.listen();
    const connect = (from = "10.0.0.1:1") => network.connect(endpoint.slice(4), from);
    const self: Self = keys.person({ name: "c" });
    const peer: Scene["peer"] = (change = {}) =>
      new RawPeer("initiator", { keys, self, pipe: connect(), ...change });
    await run({ clock, keys, network, dialler, acceptor, endpoint, connect, peer });
  }
  assert.equal(clock.timers, 0);
}

/** Every byte that comes back until the other end closes. */
export async function bytesBack(pipe: BytePipe): Promise<number> {
  const into = new Uint8Array(10_000);
  for (let sum = 0;;) {
    const got = await pipe.read(into).catch(() => null);
    if (got === null) return sum;
    sum += got;
  }
}
