/**
 * A session with a node that this machine cannot dial: through any node that it can reach. Whoever
 * carries it can neither read nor change it.
 */

import { AuthenticationError, Calls, ConnectionError, errorText } from "../../core/mod.ts";
import { openSession } from "../router/routed/session.ts";
import type { MeshHome } from "../shared/mesh_home.ts";
import { RouteSchema } from "../shared/route_view.ts";
import * as v from "valibot";
import type { Reached, User } from "./client.ts";
import type { ConnectNeeds } from "./context.ts";

export interface RoutedSession {
  readonly home: MeshHome;
  readonly user: User;
  /** The node's name. */
  readonly node: string;
  /** How long to try. @default the routed conduit's own limit */
  readonly timeoutMs?: number;
}

/** Takes the entry over. Rejects with ConnectionError, or AuthenticationError when the node refuses. */
export async function reachRouted(
  needs: ConnectNeeds,
  entry: Reached,
  session: RoutedSession,
): Promise<Reached> {
  const { env: { clock }, signal } = needs;
  const { node, timeoutMs, user } = session;
  try {
    const keyId = await keyIdOf(entry, session);
    const { conduit, done } = await openSession(entry.calls, { keyId, name: node }, {
      endToEnd: await user.endToEnd(),
      clock,
      signal,
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
    });
    const { peer } = conduit;
    return {
      calls: new Calls({ conduit, clock, dialled: true }),
      name: node,
      endpoint: `mesh:${node} through ${entry.name}`,
      session: peer.kind === "node" ? peer.session : undefined,
      afterwards: async () => {
        await done;
        await entry.calls.close("session is over");
      },
    };
  } catch (error) {
    await entry.calls.close("no session");
    if (!(error instanceof ConnectionError)) throw error;
    throw new ConnectionError(error.reason, `${errorText(error)} (through "${entry.name}")`, {
      cause: error,
    });
  }
}

/**
 * From the home, or else from the entry. A lie of the entry's gets it nowhere: the node must show a
 * certificate for this name.
 */
async function keyIdOf(entry: Reached, { home, node }: RoutedSession): Promise<string> {
  const known = (await home.nodes()).find(({ name }) => name === node);
  if (known !== undefined) return known.keyId;
  const reply = await entry.calls.request("router.route", { to: node });
  const { high, low } = v.parse(RouteSchema, reply);
  const last = high.hops.at(-1) ?? low.hops.at(-1);
  if (last !== undefined && last.name === node) return last.keyId;
  throw new AuthenticationError("wrong-name", `"${entry.name}" knows no way to "${node}"`);
}
