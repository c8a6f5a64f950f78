/**
 * The fronts as the conformance suite sees them: each in the environments where it runs, and a way
 * to get a connected pair of conduits out of it.
 */

import type { Conduit, Endpoint, Front } from "../../../core/conduit/conduit.ts";
import { InternalFront } from "../../../core/conduit/internal.ts";
import { TcpFront } from "../../../core/conduit/tcp.ts";
import { UnixFront } from "../../../core/conduit/unix.ts";
import type { BytePipe, Environment, Network } from "../../../core/environment/environment.ts";
import { Dice, SEED } from "../../support/fuzz.ts";
import { MeshKeys, testPrimitives } from "../../support/mesh_keys.ts";
import { Parties, type Path } from "../../modules/router/routed/ways.ts";
import { STAGES } from "../environment/stages.ts";

/** Both ends of one conduit. */
export interface Pair {
  readonly dialler: Conduit;
  readonly acceptor: Conduit;
  /** Ends the connection below the dialler without a word. */
  cut(): void;
}

/** A front in an environment. */
export interface Stage {
  readonly environment: Environment;
  readonly front: Front;
  /** Where it may listen. */
  readonly endpoint: Endpoint;
  /** Messages travel as bytes: they are cut, may be overtaken, and their connection may break. */
  readonly encodes: boolean;
  connect(): Promise<Pair>;
}

export type Play = (scenario: (stage: Stage) => Promise<void>) => Promise<void>;

/** Every front in every environment. */
export const FRONTS: readonly (readonly [name: string, play: Play])[] = [
  ["internal", playInternal],
  ...STAGES.flatMap(([environmentName, play]) =>
    (["unix", "tcp"] as const).map((scheme) =>
      [
        `${scheme} (${environmentName})`,
        (scenario) =>
          play(async ({ environment, folder }) => {
            const tapped = new TappedNetwork(environment.network);
            const { clock } = environment;
            const front = scheme === "unix"
              ? new UnixFront({ clock, network: tapped, log: () => {} })
              : await tcpFront(environment, tapped);
            const endpoint = scheme === "unix" ? `unix:${folder}/socket` : "tcp:127.0.0.1:0";
            await scenario({
              environment,
              front,
              endpoint,
              encodes: true,
              connect: () => connect(front, endpoint, () => tapped.cut()),
            });
          }),
      ] as const satisfies readonly [string, Play]
    )
  ),
  ...STAGES.map(([name, play]) =>
    [`routed (${name})`, (scenario) => playRouted(play, scenario)] as const satisfies readonly [
      string,
      Play,
    ]
  ),
  [
    "routed, on a bad way (simulated)",
    (scenario) => playRouted((STAGES[1] as (typeof STAGES)[number])[1], scenario, [BAD_PATH]),
  ],
];

const BAD_PATH: Path = {
  delayMs: 1,
  jitterMs: 3,
  lose: 30,
  double: 30,
  alter: 30,
  cut: 10,
};

/** Over carriers in memory; what lies between routers has its own tests. */
function playRouted(
  play: (typeof STAGES)[number][1],
  scenario: (stage: Stage) => Promise<void>,
  paths?: readonly Path[],
): Promise<void> {
  return play(async ({ environment }) => {
    const { clock, random } = environment;
    const primitives = await testPrimitives();
    const keys = new MeshKeys(primitives, { random, now: () => clock.now() });
    const lies = paths === undefined ? {} : { paths, dice: new Dice(SEED) };
    const parties = new Parties({ clock, random, keys, ...lies });
    const { front } = parties;
    const endpoint = "mesh:acceptor";
    await scenario({
      environment,
      front,
      endpoint,
      encodes: true,
      connect: () => connect(front, endpoint, () => parties.cut()),
    });
    await parties.settled();
  });
}

async function playInternal(scenario: (stage: Stage) => Promise<void>): Promise<void> {
  const [, play] = STAGES[0] as (typeof STAGES)[number];
  const front = new InternalFront();
  await play(({ environment }) =>
    scenario({
      environment,
      front,
      endpoint: "internal:there",
      encodes: false,
      connect: () => connect(front, "internal:there", () => {}),
    })
  );
}

async function connect(front: Front, endpoint: Endpoint, cut: () => void): Promise<Pair> {
  const accepted = Promise.withResolvers<Conduit>();
  const listener = await front.listen(endpoint, accepted.resolve);
  try {
    const dialler = await front.dial(listener.endpoint);
    return { dialler, acceptor: await accepted.promise, cut };
  } finally {
    await listener.close();
  }
}

/** Two daemons share it here: one key dials itself never, so the acceptor has another one. */
async function tcpFront(environment: Environment, network: Network): Promise<Front> {
  const { clock, random } = environment;
  const primitives = await testPrimitives();
  const keys = new MeshKeys(primitives, { random, now: () => clock.now() });
  const trust = keys.trust();
  const make = (name: string) => {
    const self = keys.person({ name });
    const context = () => ({ clock, random, primitives, trust, self });
    return new TcpFront({ network, log: () => {}, context });
  };
  const [dialler, acceptor] = [make("dialler"), make("acceptor")];
  return {
    scheme: "tcp",
    dial: (endpoint, options) => dialler.dial(endpoint, options),
    listen: (endpoint, accept) => acceptor.listen(endpoint, accept),
  };
}

/** Remembers the pipes that were dialled. */
class TappedNetwork implements Network {
  readonly #network: Network;
  readonly #pipes: BytePipe[] = [];

  constructor(network: Network) {
    this.#network = network;
  }

  async dial(...args: Parameters<Network["dial"]>): Promise<BytePipe> {
    const pipe = await this.#network.dial(...args);
    this.#pipes.push(pipe);
    return pipe;
  }

  listen(...args: Parameters<Network["listen"]>): ReturnType<Network["listen"]> {
    return this.#network.listen(...args);
  }

  addresses(): readonly string[] {
    return this.#network.addresses();
  }

  multicast(...args: Parameters<Network["multicast"]>): ReturnType<Network["multicast"]> {
    return this.#network.multicast(...args);
  }

  cut(): void {
    for (const pipe of this.#pipes) pipe.close();
  }
}
