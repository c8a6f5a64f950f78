/**
 * The client: reaches a mesh from wherever the user is. Through the daemon of this machine by its
 * unix socket if there is one, else by tcp to any living node of the mesh's home, nearest first; the
 * next one is tried when one has not answered soon, so dead nodes at the head of the list cost little.
 */

import {
  AuthenticationError,
  Calls,
  ConnectionError,
  type ConnectionReason,
  errorText,
  FileError,
  FirstSignal,
  MinimeError,
  type TcpFront,
  UsageError,
} from "../../core/mod.ts";
import type { MeshClient } from "../shared/command.ts";
import { Fold } from "../shared/fold.ts";
import type { KnownNode, MeshHome } from "../shared/mesh_home.ts";
import { localDaemons } from "../shared/local_daemon.ts";
import { readWholeView } from "../shared/mesh_query.ts";
import { missingText, selectWithMissing } from "../shared/missing_nodes.ts";
import { dialEndpoints } from "../shared/dial_endpoints.ts";
import { Client, type Reached, User } from "./client.ts";
import type { ConnectNeeds, ConnectRequest } from "./context.ts";
import { dialInWaves } from "./dial_waves.ts";
import type { RoutedSession } from "./routed_session.ts";

/** How long to try, in all. */
const CONNECT_MS_MAX = 10_000;
/** A node that does not answer so soon may be reached through others. */
const DIRECT_MS_MAX = 1_500;
/** Nodes that lie behind others are tried too: this machine may have moved. */
const BEHIND_MS_MAX = 1_000;

/** Rejects with ConnectionError that says what was tried. */
export async function connect(
  needs: ConnectNeeds,
  options: ConnectRequest,
): Promise<MeshClient> {
  const home = await needs.home();
  const user = new User(needs, home);
  try {
    const reached = await reachLocal(needs, home, options.node) ??
      await (options.session ? reachNode : reachRemote)(needs, { home, user, options });
    const { clock, random } = needs.env;
    const bound = options.session ?? false;
    return new Client({ home, reached, user, bound, clock, random });
  } catch (error) {
    await user.dispose();
    throw error;
  }
}

/** A session with one node: directly, or else through any other. */
async function reachNode(
  needs: ConnectNeeds,
  parts: { readonly home: MeshHome; readonly user: User; readonly options: ConnectRequest },
): Promise<Reached> {
  const { home, user, options } = parts;
  const { node = "", timeoutMs = CONNECT_MS_MAX } = options;
  let direct: unknown;
  try {
    const soon = { ...options, timeoutMs: Math.min(DIRECT_MS_MAX, timeoutMs) };
    return await reachRemote(needs, { ...parts, options: soon });
  } catch (error) {
    if (!(error instanceof ConnectionError)) throw error;
    direct = error;
    needs.out.detail(`Node "${node}" directly: ${errorText(error)}`);
  }
  const { node: _, session: __, ...anywhere } = options;
  const others = { home, user, options: anywhere, except: node };
  let hasEntered = false;
  const enter = async (signal: AbortSignal) => {
    const untilThen = { ...needs, signal };
    const entry = await reachLocal(untilThen, home, undefined) ??
      await reachRemote(untilThen, others);
    hasEntered = true;
    return entry;
  };
  const { reachRouted } = await import("./routed_session.ts");
  try {
    return await reachRouted(needs, { home, user, node, enter, timeoutMs });
  } catch (error) {
    if (!(error instanceof ConnectionError)) throw error;
    const unseen = hasEntered ? await whyUnseen(needs, { home, node, enter }) : undefined;
    const why = unseen ?? errorText(error);
    const text = `Cannot reach node "${node}": ${why}; directly: ${errorText(direct)}`;
    throw new ConnectionError(error.reason, text, { cause: error });
  }
}

/**
 * Why the mesh does not show a node: undefined when it does, or cannot be asked.
 *
 * @throws UsageError when it has no such node
 */
async function whyUnseen(
  needs: ConnectNeeds,
  { home, node, enter }: Pick<RoutedSession, "home" | "node" | "enter">,
): Promise<string | undefined> {
  const { signal } = needs;
  try {
    const { calls, name } = await enter(signal);
    await using stack = new AsyncDisposableStack();
    stack.defer(() => calls.close("asked"));
    const { nodes } = await readWholeView(calls, { signal });
    const selection = { names: () => [node] };
    const context = { home: () => Promise.resolve(home), signal };
    const asked = {
      request: calls.request.bind(calls),
      stream: calls.stream.bind(calls),
      via: { name },
    };
    const { missing } = await selectWithMissing(context, asked, { nodes, selection });
    return missing.nodes.length === 0 ? undefined : `it is ${missingText(missing)}`;
  } catch (error) {
    if (!(error instanceof MinimeError) || error instanceof UsageError) throw error;
    needs.out.detail(`Nobody says whether there is a node "${node}": ${errorText(error)}`);
    return undefined;
  }
}

/** The daemon of this machine, if one of this mesh runs here and is ours. */
async function reachLocal(
  needs: ConnectNeeds,
  home: MeshHome,
  node: string | undefined,
): Promise<Reached | undefined> {
  for await (const daemon of localDaemons(needs, { mesh: home.name, node })) {
    return { ...daemon, session: undefined, groups: undefined, secretsVersion: 0 };
  }
  return undefined;
}

async function reachRemote(
  needs: ConnectNeeds,
  parts: {
    readonly home: MeshHome;
    readonly user: User;
    readonly options: ConnectRequest;
    /** Any node but this one. */
    readonly except?: string;
  },
): Promise<Reached> {
  const { home, user, options, except } = parts;
  const all = await home.nodes();
  const wanted = all.filter(({ name }) =>
    name !== except && (options.node === undefined || name === options.node)
  );
  // What lies behind others mostly swallows what is sent to it.
  const nodes = [...wanted.filter((node) => !isBehind(node)), ...wanted.filter(isBehind)];
  if (nodes.length === 0) {
    if (options.session && options.node !== undefined) {
      throw new ConnectionError("other", `home of mesh "${home.name}" knows no address of it`);
    }
    const other = except === undefined ? "no node" : `no other node than "${except}"`;
    const what = options.node === undefined ? other : `no node "${options.node}"`;
    throw new ConnectionError("other", `Home of mesh "${home.name}" knows ${what}: boot it first`);
  }
  const front = await user.front();
  const mayWaitMs = options.timeoutMs ?? CONNECT_MS_MAX;
  const timeoutMs = nodes.every(isBehind) ? Math.min(BEHIND_MS_MAX, mayWaitMs) : mayWaitMs;
  const reached = await race(needs, { front, nodes, options, timeoutMs });
  try {
    await user.learnSecrets(reached);
    // Who asked for one node says nothing about which is nearest.
    if (options.node === undefined && reached.name !== all[0]?.name) {
      await putFirst(home, reached.name);
    }
    return reached;
  } catch (error) {
    await reached.calls.close("not connected");
    throw error;
  }
}

function isBehind({ direct }: KnownNode): boolean {
  return direct === false;
}

/** Reads the list anew: a boot or a halt may have changed it since. */
async function putFirst(home: MeshHome, name: string): Promise<void> {
  const nodes = await home.nodes();
  const first = nodes.find((node) => node.name === name);
  if (first === undefined) return;
  try {
    // Whatever the mesh file thinks of the network: this one answered us.
    const { direct: _, ...answered } = first;
    await home.storeNodes([answered, ...nodes.filter((node) => node !== first)]);
  } catch (error) {
    // On a read-only or full disk every command looks for the nearest node itself.
    if (!(error instanceof FileError)) throw error;
  }
}

/** The first that answers wins. */
async function race(
  needs: ConnectNeeds,
  parts: {
    readonly front: Pick<TcpFront, "dial">;
    readonly nodes: readonly KnownNode[];
    readonly options: ConnectRequest;
    readonly timeoutMs: number;
  },
): Promise<Reached> {
  const { clock } = needs.env;
  const { timeoutMs } = parts;
  const over = new AbortController();
  const stop = () => over.abort(needs.signal.reason);
  needs.signal.addEventListener("abort", stop);
  const timer = clock.after(timeoutMs, () => {
    over.abort(new ConnectionError("timeout", `No answer within ${timeoutMs} ms`));
  });
  const failures: Failure[] = [];
  const won = Promise.withResolvers<Reached>();
  let winner: Reached | undefined;
  const tried = new Set<KnownNode>();
  const reach = async (node: KnownNode, endpoint: string, signal: AbortSignal): Promise<void> => {
    const conduit = await parts.front.dial(endpoint, { expect: { keyId: node.keyId }, signal });
    if (winner !== undefined) return await conduit.close("another was faster");
    const { peer } = conduit;
    winner = {
      calls: new Calls({ conduit, clock, dialled: true }),
      name: node.name,
      endpoint,
      session: peer.kind === "node" ? peer.session : undefined,
      groups: peer.kind === "node" ? peer.identity.groups : undefined,
      secretsVersion: peer.kind === "node" ? peer.secretsVersion : 0,
      revision: peer.kind === "node" ? peer.revision : 0,
    };
    won.resolve(winner);
  };
  const attempt = async (node: KnownNode, signal: AbortSignal): Promise<void> => {
    tried.add(node);
    using ending = new FirstSignal(over.signal, signal);
    const failed = (error: unknown) => {
      if (winner !== undefined) return;
      const reason = error instanceof ConnectionError ? error.reason : "other";
      failures.push({ name: node.name, reason, text: errorText(error), error });
    };
    try {
      await dialEndpoints(node.endpoints, {
        clock,
        network: needs.env.network,
        signal: ending.signal,
        dial: (endpoint, signal) => reach(node, endpoint, signal),
        onFailure(endpoint, error) {
          failed(error);
          needs.out.detail(`Node "${node.name}" at ${endpoint}: ${errorText(error)}`);
        },
      });
    } catch (error) {
      // All others are told.
      if (ending.signal.aborted) failed(error);
    }
  };
  try {
    const isOver = () => winner !== undefined || over.signal.aborted;
    await dialInWaves(parts.nodes, attempt, { clock, isOver, over: won.promise });
    const result = winner;
    if (needs.signal.aborted) await result?.calls.close("not wanted any more");
    needs.signal.throwIfAborted();
    if (result !== undefined) return result;
    const untried = parts.nodes.filter((each) => !tried.has(each)).map(({ name }) => name);
    throw unreachable(parts.nodes, { failures, untried, options: parts.options });
  } finally {
    timer.cancel();
    needs.signal.removeEventListener("abort", stop);
    if (winner !== undefined) over.abort(new ConnectionError("closed", "Another node was faster"));
  }
}

/** An attempt that came to nothing. */
interface Failure {
  readonly name: string;
  readonly reason: ConnectionReason;
  readonly text: string;
  readonly error: unknown;
}

/** What most attempts have in common, whatever the address was. */
const WORDS: Readonly<Partial<Record<ConnectionReason, string>>> = {
  "refused": "connection refused",
  "timeout": "no answer",
  "no-route": "no route",
  "unknown-name": "name unknown",
};
/** Reasons that one message tells; --verbose tells all. */
const REASONS_SHOWN_MAX = 4;

/**
 * Its reason is that of all attempts, if they had the same. Whoever wanted a session with one node says
 * itself that it cannot be reached.
 */
function unreachable(
  nodes: readonly KnownNode[],
  { failures, untried, options: { node, session = false } }: {
    readonly failures: readonly Failure[];
    /** Names of those for which there was no time. */
    readonly untried: readonly string[];
    readonly options: ConnectRequest;
  },
): ConnectionError {
  const first = failures[0]?.reason ?? "other";
  const reason = failures.every((each) => each.reason === first) ? first : "other";
  const fold = new Fold<string>();
  for (const each of failures) fold.add(each.name, WORDS[each.reason] ?? each.text);
  for (const name of untried) fold.add(name, "not tried");
  const groups = fold.groups().map(({ nodeset, value }) =>
    node === undefined ? `${nodeset}: ${value}` : value
  );
  const more = groups.length > REASONS_SHOWN_MAX ? "; …" : "";
  const why = groups.slice(0, REASONS_SHOWN_MAX).join("; ") + more;
  const all = nodes.length === 1 ? "the one known node" : `any of ${nodes.length} known nodes`;
  const what = node === undefined ? `${all} of the mesh` : `node "${node}" of the mesh`;
  // Who was met and refused says more than who was not met.
  const cause = failures.find(({ error }) => error instanceof AuthenticationError)?.error;
  return new ConnectionError(reason, session ? why : `Cannot reach ${what}: ${why}`, { cause });
}
