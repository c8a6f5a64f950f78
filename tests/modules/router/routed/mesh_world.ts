/** Daemons with the real router on simulated machines, as in RouterWorld, that offer some verbs. */

import * as v from "valibot";
import {
  Calls,
  ConnectionError,
  EndToEnd,
  type Self,
  type Verb,
  verb,
} from "../../../../core/mod.ts";
import { createRouter } from "../../../../modules/router/mod.ts";
import { Router } from "../../../../modules/router/router.ts";
import type { Entry } from "../../../../modules/router/routed/roaming_carrier.ts";
import { openSession } from "../../../../modules/router/routed/session.ts";
import { inWorld, type World, type WorldNode } from "../../../core/daemon/world.ts";
import { numbered } from "../../../core/conduit/messages.ts";
import { Board } from "../../group/board.ts";
import type { EvilRouter } from "../evil_router.ts";
import type { Plan } from "../router_world.ts";

const PORT = 7117;
const SETTLE_MS = 20;

export interface MeshNode extends WorldNode {
  readonly router: Router;
  /** What it was told by the verb `probe.take`. */
  readonly taken: Uint8Array[];
}

export interface Mesh {
  readonly world: World;
  get(name: string): MeshNode;
  settle(): Promise<void>;
  /** A user's program that is connected to the first of `entries` and has a session with `target`. */
  session(user: Self, entries: readonly MeshNode[], target: MeshNode): Promise<Session>;
}

export interface Session {
  readonly calls: Calls;
  /** As the program knows the conduit. */
  readonly session: string;
  /** The daemon that carries now. */
  readonly entry: () => string;
  close(): Promise<void>;
}

/** Verbs that stream: numbered chunks out of the node, and any into it. */
function verbsOf(taken: Uint8Array[]): Record<string, Verb> {
  return {
    give: verb({
      action: "read",
      args: v.strictObject({ chunks: v.number(), bytes: v.number() }),
      reply: v.number(),
      async *handle({ chunks, bytes }) {
        for (let i = 0; i < chunks; i++) yield numbered(bytes, i);
        return chunks;
      },
    }),
    take: verb({
      action: "read",
      args: v.undefined(),
      reply: v.number(),
      async handle(_args, { input }) {
        for await (const item of input) taken.push(item as Uint8Array);
        return taken.length;
      },
    }),
    rm: verb({
      action: "guarded",
      args: v.undefined(),
      reply: v.string(),
      async *handle(_args, { principal, input }) {
        const who = principal.kind === "signed" ? principal.identity.name : principal.kind;
        for await (const item of input) yield `${who}: ${item}`;
        return "gone";
      },
    }),
  };
}

/** Nodes that are no honest ones. */
export interface Foes {
  /** By name: what they have instead of a router. */
  readonly routers: Readonly<Record<string, EvilRouter>>;
  /** Links that are claimed, and are not there: who claims it, and with whom. */
  readonly lies: readonly (readonly [from: string, to: string])[];
}

/** Runs a scenario with the nodes of a plan started and linked. */
export async function inMesh(
  plan: Plan,
  run: (mesh: Mesh) => Promise<void>,
  { routers, lies }: Foes = { routers: {}, lies: [] },
): Promise<void> {
  await inWorld(async (world) => {
    const segments = new Map<string, string>();
    const board: Board = new Board((name) => ({
      segment: segments.get(name) as string,
      endpoints: [`tcp:${world.simulation.host(name).network.addresses()[0]}:${PORT}`],
    }));
    const nodes = new Map<string, MeshNode>();
    for (const [segment, names] of Object.entries(plan.segments)) {
      for (const name of names) {
        segments.set(name, segment);
        nodes.set(name, await start(world, board, { name, evil: routers[name] }));
      }
    }
    const get = (name: string) => nodes.get(name) as MeshNode;
    for (const [a, b] of plan.links) await world.dial(get(a), get(b));
    for (const [from, to] of lies) board.lie(from, to);
    const settle = () => world.pass(SETTLE_MS);
    await settle();
    const opened: Session[] = [];
    const session: Mesh["session"] = async (user, entries, target) => {
      const made = await open(world, user, { entries, target });
      opened.push(made);
      return made;
    };
    await run({ world, get, settle, session });
    for (const each of opened) await each.close();
  });
}

async function start(
  world: World,
  board: Board,
  { name, evil }: { readonly name: string; readonly evil: EvilRouter | undefined },
): Promise<MeshNode> {
  const taken: Uint8Array[] = [];
  let router: Router | undefined;
  const node = await world.start(name, {
    self: world.keys.person({ name, groups: name.startsWith("g") ? ["gateway"] : [] }),
    modules: [
      board.module(),
      evil?.module() ?? createRouter((host) => router = new Router(host)),
    ],
    verbs: verbsOf(taken),
  });
  // Getters of the world's own node must stay getters.
  return Object.assign(Object.create(node) as WorldNode, {
    router: router as unknown as Router,
    taken,
  });
}

async function open(
  world: World,
  user: Self,
  { entries, target }: { readonly entries: readonly MeshNode[]; readonly target: MeshNode },
): Promise<Session> {
  const { clock, random } = world.simulation.host("desk");
  const { primitives } = world.keys;
  const trust = world.keys.trust();
  const waiting = [...entries];
  const enter = async (): Promise<Entry> => {
    const next = waiting.shift();
    if (next === undefined) throw new ConnectionError("refused", "No node is left");
    const calls = await world.client(next, user);
    return { name: next.name, caller: calls, gone: calls.done, close: () => calls.close("done") };
  };
  const { keyId, name } = target.self.identity;
  const { conduit, done, entry } = await openSession(await enter(), { keyId, name }, {
    enter,
    endToEnd: new EndToEnd({ context: () => ({ clock, random, primitives, trust, self: user }) }),
    clock,
  });
  const calls = new Calls({ conduit, clock, dialled: true });
  if (conduit.peer.kind !== "node") throw new Error("The target is no node");
  return {
    calls,
    session: conduit.peer.session,
    entry,
    close: async () => {
      await calls.close("done");
      await done;
    },
  };
}
