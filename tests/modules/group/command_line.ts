/** Runs a command against daemons of a test, as the user alice who comes over tcp. */

import { createRealEnvironment } from "../../../core/environment/real.ts";
import {
  Calls,
  type Clock,
  fromHex,
  type Peer,
  REVISION_NEWEST,
  type Self,
  signForModule,
  TcpFront,
  UnixFront,
} from "../../../core/mod.ts";
import { createContext } from "../../../modules/cli/context.ts";
import { exitCodeFor, failureText } from "../../../modules/cli/failure.ts";
import { StreamOutput } from "../../../modules/cli/output.ts";
import type { CommandContext, MeshClient } from "../../../modules/shared/command.ts";
import type { KnownNode, MeshHome } from "../../../modules/shared/mesh_home.ts";
import { MemoryTerminal } from "../cli/memory_terminal.ts";
import type { TestMesh } from "./daemons.ts";

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** As the home of a mesh names a node. */
export function knownNode(name: string): KnownNode {
  return { name, keyId: "ab".repeat(32), endpoints: [], groups: [], seen: 0 };
}

/** `via`: the daemon that the client reaches. */
export async function runCommand(
  mesh: TestMesh,
  run: (context: CommandContext) => Promise<number | void>,
  options: {
    readonly via?: string;
    readonly signal?: AbortSignal;
    readonly input?: string;
    /** @default one of its own, with that input */
    readonly terminal?: MemoryTerminal;
    /** By the daemon's unix socket, as its owner. */
    readonly local?: boolean;
    readonly takeSignals?: CommandContext["takeSignals"];
    /** Whose keys. @default alice's */
    readonly user?: Self;
    /** What the home of the mesh names. @default nothing */
    readonly known?: readonly KnownNode[];
  } = {},
): Promise<Ran> {
  const { via = "n1", signal = new AbortController().signal } = options;
  const { terminal = new MemoryTerminal({ input: options.input ?? "" }) } = options;
  const out = new StreamOutput(terminal, { plain: true, onBroken: () => {} });
  const context = createContext({
    env: createRealEnvironment(),
    out,
    terminal,
    signal,
    takeHangUp: () => ({ [Symbol.dispose]: () => {} }),
    takeSignals: options.takeSignals ?? (() => ({ [Symbol.dispose]: () => {} })),
    meshName: "test",
    connect: (_needs, { node = via, session = false }) => {
      const { local = false, user = mesh.user } = options;
      return connect(mesh, node, { local: local && node === via, bound: session, user });
    },
  });
  const home = { name: "test", nodes: () => Promise.resolve(options.known ?? []) };
  context.home = () => Promise.resolve(home as Partial<MeshHome> as MeshHome);
  let code: number;
  try {
    code = await run(context) ?? 0;
  } catch (error) {
    code = exitCodeFor(error);
    out.writeError(`${failureText(error, { debug: false })}\n`);
  }
  await out.finish();
  return { code, stdout: terminal.stdout, stderr: terminal.stderr };
}

async function connect(
  mesh: TestMesh,
  name: string,
  options: { readonly local: boolean; readonly bound: boolean; readonly user: Self },
): Promise<MeshClient> {
  const { local, bound, user } = options;
  const { calls, endpoint, peer } = await reach(mesh, name, { local, user });
  const session = bound && peer.kind === "node" ? peer.session : undefined;
  const groups = peer.kind === "node" ? peer.identity.groups : undefined;
  const revision = peer.kind === "node" ? peer.revision : REVISION_NEWEST;
  return clientOver(mesh, calls, { name, endpoint, user, session, groups, revision });
}

/** A connection to one of the daemons, by tcp as that user or by its unix socket as its owner. */
export async function reach(
  mesh: TestMesh,
  name: string,
  { local, user, skewMs = 0 }: {
    readonly local: boolean;
    readonly user: Self;
    /** What the caller's clock is ahead. @default 0 */
    readonly skewMs?: number;
  },
): Promise<{ readonly calls: Calls; readonly endpoint: string; readonly peer: Peer }> {
  const { clock: real, random, network } = createRealEnvironment();
  const clock: Clock = {
    now: () => real.now() + skewMs,
    monotonic: () => real.monotonic(),
    after: (ms, run) => real.after(ms, run),
    sleep: (ms, options) => real.sleep(ms, options),
    yield: () => real.yield(),
  };
  const { primitives } = mesh.keys;
  const context = { clock, random, primitives, trust: mesh.keys.trust(), self: user };
  const front = new TcpFront({ network, context: () => context, log: () => {} });
  const [tcp = ""] = mesh.get(name).daemon.endpoints();
  const endpoint = local ? `unix:${mesh.get(name).socket}` : tcp;
  const conduit = local
    ? await new UnixFront({ clock, network, log: () => {} }).dial(endpoint)
    : await front.dial(endpoint, { expect: { name } });
  return { calls: new Calls({ conduit, clock, dialled: true }), endpoint, peer: conduit.peer };
}

/** What commands get of it. `session`: what is signed is good for that session alone. */
export function clientOver(
  { keys }: TestMesh,
  calls: Calls,
  options: {
    readonly name: string;
    readonly endpoint: string;
    readonly user: Self;
    readonly session: string | undefined;
    readonly groups?: readonly string[] | undefined;
    /** @default that of an older daemon */
    readonly revision?: number;
  },
): MeshClient {
  const { name, endpoint, user, session, groups, revision = 0 } = options;
  const bind = session === undefined ? {} : { bind: fromHex(session) };
  const close = () => calls.close("done");
  return {
    meshName: "test",
    via: { name, endpoint, groups, revision },
    request: (verb, args, options) => calls.request(verb, args, options),
    stream: (verb, args, options) => calls.stream(verb, args, options),
    sign: (verb, args, { targets, as = "" }) => {
      const own = as === "$user" ? user.identity.unixUser ?? "" : as;
      const names = { kind: "names", names: targets } as const;
      return Promise.resolve(keys.sign(user, { verb, args, as: own, targets: names, ...bind }));
    },
    signBytes: (domain, signed) =>
      Promise.resolve(signForModule(keys.primitives, { domain, ...signed, seed: user.signSeed })),
    close,
    [Symbol.asyncDispose]: close,
  };
}
