/** Two simulated machines with a connection between them, for tests of the simulator. */
import type { Address, BytePipe, Environment } from "../../core/environment/environment.ts";
import { Simulation, type SimulationOptions } from "./environment.ts";

export const PORT = 7117;
/** Enough to shuffle what is sent within a few milliseconds. */
export const JITTER: Omit<SimulationOptions, "seed"> = { path: { delayMs: 1, jitterMs: 5 } };

/** Machines "a" and "b", with a connection that a dialed. */
export async function pair(options: Omit<SimulationOptions, "seed"> = {}): Promise<{
  simulation: Simulation;
  hostA: Environment;
  hostB: Environment;
  a: BytePipe;
  b: BytePipe;
}> {
  const simulation = new Simulation({ seed: 1, ...options });
  const [hostA, hostB] = [simulation.host("a"), simulation.host("b")];
  const any: Address = { transport: "tcp", host: "0.0.0.0", port: PORT };
  const listener = await simulation.finish(hostB.network.listen(any));
  const [a, b] = await simulation.finish(Promise.all([
    hostA.network.dial({ transport: "tcp", host: "b", port: PORT }),
    listener.accept(),
  ]));
  return { simulation, hostA, hostB, a, b };
}

/** Empty at the end of file. */
export async function readOnce(pipe: BytePipe): Promise<Uint8Array> {
  const into = new Uint8Array(65_536);
  return into.subarray(0, await pipe.read(into) ?? 0);
}
