/**
 * A session with a node that this machine cannot dial: through any node that it can reach. Whoever
 * carries it can neither read nor change it.
 */

import {
  AuthenticationError,
  CallError,
  Calls,
  ConnectionError,
  errorText,
  FirstSignal,
} from "../../core/mod.ts";
import type { Entry } from "../router/routed/roaming_carrier.ts";
import { openSession } from "../router/routed/session.ts";
import type { MeshHome } from "../shared/mesh_home.ts";
import { RouteSchema } from "../shared/route_view.ts";
import { TargetWatch } from "./target_watch.ts";
import * as v from "valibot";
import type { Reached, User } from "./client.ts";
import type { ConnectNeeds } from "./context.ts";

export interface RoutedSession {
  readonly home: MeshHome;
  readonly user: User;
  /** The node's name. */
  readonly node: string;
  /** Reaches a node that is another one. */
  readonly enter: (signal: AbortSignal) => Promise<Reached>;
  /** How long to try. @default the routed conduit's own limit */
  readonly timeoutMs?: number;
}

/** Rejects with ConnectionError, or AuthenticationError when the node refuses. */
export async function reachRouted(needs: ConnectNeeds, session: RoutedSession): Promise<Reached> {
  const { env: { clock }, signal, out } = needs;
  const { node, timeoutMs, user } = session;
  const enter = async (until: AbortSignal) => {
    const entry = await session.enter(until);
    out.detail(`Node "${node}" through "${entry.name}"`);
    return entry;
  };
  const endToEnd = await user.endToEnd();
  const first = await enter(signal);
  let watch: TargetWatch | undefined;
  try {
    const keyId = await keyIdOf(first, session);
    watch = new TargetWatch(first.calls, { keyId, clock });
    using opening = new FirstSignal(signal, watch.lost);
    const { conduit, done } = await user.using(
      openSession(entryOf(first), { keyId, name: node }, {
        async enter(over) {
          using until = new FirstSignal(signal, over);
          return entryOf(await enter(until.signal));
        },
        endToEnd,
        clock,
        signal: opening.signal,
        ...(timeoutMs === undefined ? {} : { timeoutMs }),
      }),
    );
    void user.using(done);
    const { peer } = conduit;
    return {
      secretsVersion: 0,
      revision: peer.kind === "node" ? peer.revision : 0,
      calls: new Calls({ conduit, clock, dialled: true }),
      name: node,
      endpoint: `mesh:${node} through ${first.name}`,
      session: peer.kind === "node" ? peer.session : undefined,
      groups: peer.kind === "node" ? peer.identity.groups : undefined,
      afterwards: () => done,
    };
  } catch (error) {
    await first.calls.close("no session");
    if (!(error instanceof ConnectionError)) throw error;
    const why = watch?.why === undefined ? "" : `: ${watch.why}`;
    const text = `${errorText(error)}${why} (through "${first.name}")`;
    throw new ConnectionError(error.reason, text, { cause: error });
  } finally {
    watch?.[Symbol.dispose]();
  }
}

function entryOf({ calls, name }: Reached): Entry {
  return {
    name,
    caller: calls,
    gone: calls.done,
    close: () => calls.close("session is over"),
  };
}

/**
 * From the home, or else from the entry. A lie of the entry's gets it nowhere: the node must show a
 * certificate for this name.
 */
async function keyIdOf(entry: Reached, { home, node }: RoutedSession): Promise<string> {
  const known = (await home.nodes()).find(({ name }) => name === node);
  if (known !== undefined) return known.keyId;
  const reply = await entry.calls.request("router.route", { to: node }).catch((error: unknown) => {
    if (!(error instanceof CallError) || error.class !== "invalid") throw error;
    throw new ConnectionError("unknown-name", errorText(error), { cause: error });
  });
  const { high, low } = v.parse(RouteSchema, reply);
  const last = high.hops.at(-1) ?? low.hops.at(-1);
  if (last !== undefined && last.name === node) return last.keyId;
  throw new AuthenticationError("wrong-name", `"${entry.name}" knows no way to "${node}"`);
}
