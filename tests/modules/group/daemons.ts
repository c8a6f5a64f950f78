/** Real daemons in this process, linked over loopback as a test wants, with a network to cut. */

import { createRealEnvironment } from "../../../core/environment/real.ts";
import {
  type BytePipe,
  type Caller,
  CallError,
  type Clock,
  type Environment,
  type HostFacts,
  type Log,
  Minimed,
  type Module,
  type ModuleHost,
  type Policy,
  type Self,
  type Timer,
} from "../../../core/mod.ts";
import { createGroup } from "../../../modules/group/mod.ts";
import { createUptime } from "../../../modules/uptime/mod.ts";
import { MeshKeys, testPrimitives } from "../../support/mesh_keys.ts";
import { Board } from "./board.ts";
import { type Probe, probe } from "./probe.ts";

/** Only turns a hang into a failure. */
const WAIT_MS_MAX = 60_000;
/** Hosts of a test are up for three and a half days. */
export const UP_MS = 3.5 * 86_400_000;

/** One daemon and what a test may do to it. */
export interface TestDaemon {
  readonly name: string;
  readonly daemon: Minimed;
  /** Where it listens for its owner, if it does. */
  readonly socket: string;
  readonly probe: Probe;
  readonly host: ModuleHost;
  readonly group: Caller;
  /** Its process is gone: every connection breaks at once, nothing is said. */
  kill(): void;
  /** Every connection breaks at once, and new ones can be made. */
  breakConnections(): void;
}

export interface TestMesh extends AsyncDisposable {
  readonly keys: MeshKeys;
  readonly board: Board;
  readonly user: Self;
  readonly daemons: readonly TestDaemon[];
  readonly logged: readonly string[];
  get(name: string): TestDaemon;
  link(from: string, to: string): Promise<void>;
}

export type Edges = readonly (readonly [string, string])[];

export function fullMesh(names: readonly string[]): Edges {
  return names.flatMap((a, i) => names.slice(i + 1).map((b) => [a, b] as const));
}

export function line(names: readonly string[]): Edges {
  return names.slice(1).map((name, i) => [names[i] as string, name] as const);
}

export async function startMesh(
  names: readonly string[],
  edges: Edges = fullMesh(names),
  options: {
    readonly groups?: Readonly<Record<string, readonly string[]>>;
    /** Instead of the true group module. */
    readonly group?: (name: string) => Module | undefined;
    readonly policy?: Policy;
    /** Besides the usual ones. */
    readonly modules?: (name: string) => readonly Module[];
    /** @default all in one segment */
    readonly segmentOf?: (name: string) => string;
    /** What becomes of timers, in all of them. @default they ring */
    readonly after?: (ms: number, run: () => void) => Timer | undefined;
    /** What they say that they know of the protocol. @default all there is */
    readonly revision?: (name: string) => number | undefined;
    /** Each listens on a unix socket of its own as well: {@link TestDaemon.socket}. */
    readonly sockets?: boolean;
  } = {},
): Promise<TestMesh> {
  const primitives = await testPrimitives();
  const real = createRealEnvironment();
  const keys = new MeshKeys(primitives, { random: real.random, now: () => real.clock.now() });
  const { segmentOf } = options;
  const board = segmentOf === undefined
    ? new Board()
    : new Board((name) => ({ segment: segmentOf(name) }));
  const folder = await Deno.makeTempDir();
  const logged: string[] = [];
  const log: Log = (level, text) => {
    if (level === "error") logged.push(text);
  };
  const daemons: TestDaemon[] = [];
  for (const name of names) {
    const { env: whole, cut, shake } = cuttable(real);
    const env = { ...whole, clock: clockWith(options.after) };
    let host: ModuleHost | undefined;
    const spy: Module = {
      name: "spy",
      verbs: {},
      start: (given) => {
        host = given;
        return Promise.resolve();
      },
      stop: () => Promise.resolve(),
    };
    const probed = probe();
    const groups = options.groups?.[name] ?? [];
    const revision = options.revision?.(name);
    const daemon = new Minimed({
      env,
      primitives,
      trust: keys.trust(options.policy === undefined ? {} : { policy: options.policy }),
      self: keys.person({ name, groups }),
      modules: [
        spy,
        board.module(),
        options.group?.(name) ?? createGroup(),
        createUptime(),
        probed.module,
        ...options.modules?.(name) ?? [],
      ],
      listen: ["tcp:127.0.0.1:0", ...options.sockets ? [`unix:${folder}/${name}.sock`] : []],
      auditFolder: `${folder}/${name}`,
      log: () => log,
      ...(revision === undefined ? {} : { revision }),
    });
    await daemon.start();
    daemons.push({
      name,
      daemon,
      socket: `${folder}/${name}.sock`,
      probe: probed,
      host: host as ModuleHost,
      group: daemon.caller("group"),
      kill: cut,
      breakConnections: shake,
    });
  }
  const mesh: TestMesh = {
    keys,
    board,
    daemons,
    logged,
    user: keys.person({ name: "alice", type: "user" }),
    get: (name) => daemons.find((one) => one.name === name) as TestDaemon,
    async link(from, to) {
      const [endpoint] = this.get(to).daemon.endpoints();
      await this.get(from).host.links.dial(endpoint as string, { expect: { name: to } });
      const { keyId } = this.get(from).host.self;
      await until(() => this.get(to).host.links.get(keyId) !== undefined);
    },
    async [Symbol.asyncDispose]() {
      for (const { probe } of daemons) probe.release();
      await Promise.all(daemons.map(({ daemon }) => daemon.stop("test is over")));
      await Deno.remove(folder, { recursive: true });
    },
  };
  for (const [from, to] of edges) await mesh.link(from, to);
  await told();
  return mesh;
}

/** Waits for something that must come, however long it takes on a busy machine. */
export async function until(condition: () => boolean): Promise<void> {
  const start = performance.now();
  while (!condition()) {
    if (performance.now() - start > WAIT_MS_MAX) throw new Error(`Waited in vain: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** What stands on the board has reached all pictures: that takes no more than microtasks. */
export async function told(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 0));
}

export function isCallError(errorClass: string, text?: RegExp): (error: unknown) => boolean {
  return (error) =>
    error instanceof CallError && error.class === errorClass &&
    (text === undefined || text.test(error.message));
}

/** The real one, but for timers that a test takes. */
function clockWith(
  after: (ms: number, run: () => void) => Timer | undefined = () => undefined,
): Clock {
  const { clock } = createRealEnvironment();
  return {
    now: () => clock.now(),
    monotonic: () => clock.monotonic(),
    after: (ms, run) => after(ms, run) ?? clock.after(ms, run),
    sleep: (ms, options) => clock.sleep(ms, options),
    yield: () => clock.yield(),
  };
}

function cuttable(
  real: Environment,
): { env: Environment; cut: () => void; shake: () => void } {
  const pipes = new Set<BytePipe>();
  let dead = false;
  const keep = (pipe: BytePipe): BytePipe => {
    if (dead) pipe.close();
    pipes.add(pipe);
    return pipe;
  };
  const network: Environment["network"] = {
    addresses: () => real.network.addresses(),
    multicast: (group) => real.network.multicast(group),
    async dial(address, options) {
      return keep(await real.network.dial(address, options));
    },
    async listen(address) {
      const listener = await real.network.listen(address);
      return {
        address: listener.address,
        get closed() {
          return listener.closed;
        },
        accept: async () => keep(await listener.accept()),
        close: () => listener.close(),
      };
    },
  };
  const shake = () => {
    for (const pipe of pipes) pipe.close();
    pipes.clear();
  };
  const cut = () => {
    dead = true;
    shake();
  };
  // Loads and free memory that stay, so that nodes of one machine are in the same state.
  const host = async (): Promise<HostFacts> => ({
    ...await real.host(),
    booted: real.clock.now() - UP_MS,
    load: [0.1, 0.2, 0.3],
    memory: { totalBytes: 8e9, freeBytes: 6e9 },
  });
  return { env: { ...real, network, host }, cut, shake };
}
