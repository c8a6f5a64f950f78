/** What commands ask of the mesh before they do anything: who is there, and which of them are meant. */

import * as v from "valibot";
import {
  type Caller,
  CallError,
  ConnectionError,
  errorText,
  MinimeError,
  UsageError,
} from "../../core/mod.ts";
import type { CommandContext, ConnectOptions, MeshClient } from "./command.ts";
import { type MeshView, MeshViewSchema, NodesPartSchema, type NodeView } from "./mesh_view.ts";
import { compareNames } from "./names.ts";
import { type NodeSelection, sourceOf } from "./node_selection.ts";
import { didYouMean } from "./suggest.ts";

/** How long a daemon may take to say what it knows; then another one is asked. */
const VIEW_MS_MAX = 3_000;
/** How long another daemon may take to let us in. */
const OTHER_MS_MAX = 3_000;

/** A connection, and what the daemon at its other end sees. */
export interface ReachedMesh {
  /** The caller closes it. */
  readonly client: MeshClient;
  /** Nodes sorted by name. */
  readonly view: MeshView;
}

/**
 * Connects to a daemon that answers. One that is frozen still takes connections, so a connection
 * alone proves nothing: when it says nothing, the next one is asked. One that has just started is given
 * the time to get to know the others.
 *
 * @throws ConnectionError when none answers
 */
export async function reachMesh(
  context: CommandContext,
  options: ConnectOptions = {},
): Promise<ReachedMesh> {
  const first = await context.connect(options);
  let failure: unknown;
  try {
    return { client: first, view: await readWholeView(first, { signal: context.signal }) };
  } catch (error) {
    await first.close();
    if (!isSilence(error) || options.node !== undefined) throw error;
    context.signal.throwIfAborted();
    context.out.detail(`Node "${first.via.name}" does not answer: ${errorText(error)}`);
    failure = error;
  }
  const home = await context.home();
  for (const { name } of await home.nodes()) {
    if (name === first.via.name) continue;
    try {
      const other = { mesh: home.name, node: name, timeoutMs: OTHER_MS_MAX };
      return await reachMesh(context, other);
    } catch (error) {
      context.signal.throwIfAborted();
      if (!(error instanceof MinimeError)) throw error;
      context.out.detail(`Node "${name}" does not answer either: ${errorText(error)}`);
    }
  }
  const text = `Node "${first.via.name}" takes connections but does not answer, nor does another`;
  throw new ConnectionError("timeout", text, { cause: failure });
}

/** As the daemon at the other end sees it; nodes sorted by name. */
export async function readMeshView(
  caller: Caller,
  options: {
    readonly signal?: AbortSignal;
    /** @default VIEW_MS_MAX */
    readonly deadlineMs?: number;
  } = {},
): Promise<MeshView> {
  const call = caller.stream("mesh.nodes", {}, { deadlineMs: VIEW_MS_MAX, ...options });
  const nodes: NodeView[] = [];
  for await (const item of call) nodes.push(...checked(NodesPartSchema, item).nodes);
  const { self, nodes: rest } = checked(MeshViewSchema, await call.reply);
  nodes.push(...rest);
  return { self, nodes: nodes.sort((a, b) => compareNames(a.name, b.name)) };
}

/** As {@link readMeshView}; from a daemon that has just started it waits until that knows the others. */
export async function readWholeView(
  caller: Caller,
  options: { readonly signal?: AbortSignal } = {},
): Promise<MeshView> {
  await mayHaveSettled(caller, options);
  return await readMeshView(caller, options);
}

async function mayHaveSettled(
  caller: Caller,
  options: { readonly signal?: AbortSignal },
): Promise<void> {
  try {
    await caller.request("mesh.settled", {}, { deadlineMs: VIEW_MS_MAX, ...options });
  } catch (error) {
    // An older daemon.
    if (error instanceof CallError && error.class === "unknown-verb") return;
    throw error;
  }
}

function checked<S extends v.GenericSchema>(schema: S, value: unknown): v.InferOutput<S> {
  const parsed = v.safeParse(schema, value, { abortEarly: true });
  if (parsed.success) return parsed.output;
  throw new CallError("failed", `View of the mesh is malformed: ${parsed.issues[0].message}`);
}

function isSilence(error: unknown): boolean {
  return error instanceof CallError && (error.class === "timeout" || error.class === "unreachable");
}

/**
 * The nodes that are meant: all that have such a name, those that are gone too.
 *
 * @throws UsageError for a name that no node has
 */
export function selectNodes(
  nodes: readonly NodeView[],
  selection: Pick<NodeSelection, "names">,
): readonly NodeView[] {
  const names = new Set(selection.names(sourceOf(nodes)));
  const known = new Set(nodes.map(({ name }) => name));
  for (const name of names) {
    if (known.has(name)) continue;
    throw new UsageError(`The mesh has no node "${name}"${didYouMean(name, known)}`);
  }
  return nodes.filter(({ name }) => names.has(name));
}

/**
 * As {@link selectNodes}, but nodes that left only when somebody named them.
 *
 * @throws UsageError when nothing is left: a set that happens to be empty must never mean all nodes
 */
export function selectPresent(
  nodes: readonly NodeView[],
  selection: Pick<NodeSelection, "names" | "named">,
): readonly NodeView[] {
  const selected = selectNodes(nodes, selection)
    .filter(({ state }) => selection.named || state !== "left");
  if (selected.length === 0) throw new UsageError("No node is selected");
  return selected;
}
