/**
 * A routed conduit beside plain ones, both ends of each in this process with nothing but memory
 * between them: what its sealing, numbering, reports and windows cost, apart from any network.
 */

import { createRealEnvironment } from "../core/environment/real.ts";
import { choosePrimitives, type Conduit, FramedConduit, PRIORITY, TcpFront } from "../core/mod.ts";
import { message, Taker } from "../tests/core/conduit/messages.ts";
import { Parties } from "../tests/modules/router/routed/ways.ts";
import { MemoryNetwork } from "../tests/support/memory_network.ts";
import { memoryPipes } from "../tests/support/memory_pipe.ts";
import { MeshKeys } from "../tests/support/mesh_keys.ts";
import { number, printTable } from "./table.ts";
import { takeTurns } from "./turns.ts";

const ROUNDS = 9;
const WARM_UP_ROUNDS = 3;
const CHUNK_BYTES = 60 * 1024;
const BULK_BYTES = 120 * 1024 * 1024;
const ROUND_TRIPS = 4_000;
/** About what a kernel takes. */
const PIPE_BYTES = 4 * 1024 * 1024;
const NAMES = ["plain", "sealed", "routed"] as const;

const env = createRealEnvironment();
const { clock, random } = env;

interface Pair {
  readonly dialler: Conduit;
  readonly acceptor: Conduit;
}

export async function routed(): Promise<void> {
  const primitives = await choosePrimitives();
  const keys = new MeshKeys(primitives, { random, now: () => clock.now() });
  const parties = new Parties({ clock, random, keys });
  const pairs = {
    plain: plainPair(),
    sealed: await sealedPair(keys),
    routed: await parties.connect(),
  };
  const options = { rounds: ROUNDS, warmUp: WARM_UP_ROUNDS };
  const measures = (of: (chatter: Chatter) => Promise<number>) =>
    Object.fromEntries(NAMES.map((name) => [name, () => of(chatters[name])])) as Record<
      typeof NAMES[number],
      () => Promise<number>
    >;
  const chatters = {
    plain: new Chatter(pairs.plain),
    sealed: new Chatter(pairs.sealed),
    routed: new Chatter(pairs.routed),
  };
  const bulk = await takeTurns(measures((chatter) => chatter.bulk()), options);
  const trips = await takeTurns(measures((chatter) => chatter.roundTrips()), options);
  printTable(
    ["both ends in one process, memory between them", "GB/s", "of sealed", "64 B and back, us"],
    NAMES.map((name) => [
      name,
      number(bulk[name], 2),
      number(bulk[name] / bulk.sealed, 2),
      number(trips[name], 1),
    ]),
  );
  for (const name of NAMES) {
    const { dialler, acceptor } = pairs[name];
    const rest = chatters[name].rest();
    await Promise.all([dialler.close("done"), acceptor.close("done")]);
    await rest;
  }
  await parties.settled();
}

async function cpuMs(): Promise<number> {
  return (await env.host()).process.cpuMs;
}

/** As over a unix socket. */
function plainPair(): Pair {
  const [near, far] = memoryPipes({ capacity: PIPE_BYTES });
  const peer = { kind: "local" } as const;
  return {
    dialler: new FramedConduit({ pipe: near, peer, clock }),
    acceptor: new FramedConduit({ pipe: far, peer, clock }),
  };
}

/** As over tcp. */
async function sealedPair(keys: MeshKeys): Promise<Pair> {
  const network = new MemoryNetwork();
  network.pipes = { capacity: PIPE_BYTES };
  const front = (name: string) => {
    const self = keys.person({ name });
    const trust = keys.trust();
    const context = { clock, random, primitives: keys.primitives, trust, self };
    return new TcpFront({ network, log: () => {}, context: () => context });
  };
  const accepted = Promise.withResolvers<Conduit>();
  const listener = await front("far").listen("tcp:127.0.0.1:0", accepted.resolve);
  const dialler = await front("near").dial(listener.endpoint);
  const pair = { dialler, acceptor: await accepted.promise };
  await listener.close();
  return pair;
}

/** Both ends of a conduit, at work. */
class Chatter {
  readonly #pair: Pair;
  readonly #near: Taker;
  readonly #far: Taker;

  constructor(pair: Pair) {
    this.#pair = pair;
    this.#near = new Taker(pair.dialler);
    this.#far = new Taker(pair.acceptor);
  }

  /** GB a second of processor time, one way: both ends share one thread, and the machine is shared. */
  async bulk(): Promise<number> {
    const chunk = new Uint8Array(CHUNK_BYTES);
    const chunks = BULK_BYTES / CHUNK_BYTES;
    const began = await cpuMs();
    const sending = (async () => {
      for (let i = 0; i < chunks; i++) {
        await this.#pair.dialler.send(message(chunk, { priority: PRIORITY.bulk }));
      }
    })();
    for (let i = 0; i < chunks; i++) await this.#far.next();
    await sending;
    return BULK_BYTES / (await cpuMs() - began) / 1e6;
  }

  /** Microseconds of processor time for one round trip. */
  async roundTrips(): Promise<number> {
    const body = new Uint8Array(64);
    const began = await cpuMs();
    for (let i = 0; i < ROUND_TRIPS; i++) {
      await this.#pair.dialler.send(message(body));
      await this.#far.next();
      await this.#pair.acceptor.send(message(body));
      await this.#near.next();
    }
    return (await cpuMs() - began) * 1_000 / ROUND_TRIPS;
  }

  async rest(): Promise<void> {
    await Promise.allSettled([this.#near.rest(), this.#far.rest()]);
  }
}
