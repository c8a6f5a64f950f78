/** The two environments as the conformance tests see them: a place, and how to see a scenario end. */
import type { Address, Environment, PipeListener } from "../../../core/environment/environment.ts";
import { createRealEnvironment } from "../../../core/environment/real.ts";
import { Simulation } from "../../simulation/environment.ts";

export interface Stage {
  readonly environment: Environment;
  /** Waits take real time, and the kernel decides when something arrives. */
  readonly isReal: boolean;
  /** Exists and is empty. */
  readonly folder: string;
}

/** Runs one scenario in a fresh environment. */
export type Play = (scenario: (stage: Stage) => Promise<void>) => Promise<void>;

export const STAGES: readonly (readonly [name: string, play: Play])[] = [
  ["real", playReal],
  ["simulated", playSimulated],
];

/** The real environment in a temporary folder. */
export async function playReal(scenario: (stage: Stage) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "minime-environment-" });
  try {
    await scenario({ environment: createRealEnvironment(), isReal: true, folder });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function playSimulated(scenario: (stage: Stage) => Promise<void>): Promise<void> {
  const simulation = new Simulation({ seed: 1 });
  const environment = simulation.host("n1");
  await simulation.finish((async () => {
    await environment.files.makeFolder("/tmp/stage");
    await scenario({ environment, isReal: false, folder: "/tmp/stage" });
  })());
}

/** A listener of each transport on a free address. */
export const LISTENERS: readonly (readonly [
  transport: string,
  address: (stage: Stage) => Address,
])[] = [
  ["tcp", () => ({ transport: "tcp", host: "127.0.0.1", port: 0 })],
  ["tcp over IPv6", () => ({ transport: "tcp", host: "::1", port: 0 })],
  ["unix", ({ folder }) => ({ transport: "unix", path: `${folder}/socket` })],
];

/** The dialer's end, the listener's end, and the listener (already closed). */
export async function connected(stage: Stage, address: Address): Promise<{
  dialer: Awaited<ReturnType<PipeListener["accept"]>>;
  accepted: Awaited<ReturnType<PipeListener["accept"]>>;
}> {
  const { network } = stage.environment;
  const listener = await network.listen(address);
  try {
    const [dialer, accepted] = await Promise.all([
      network.dial(listener.address),
      listener.accept(),
    ]);
    return { dialer, accepted };
  } finally {
    listener.close();
  }
}
