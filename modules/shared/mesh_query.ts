/** What commands ask of the mesh before they do anything: who is there, and which of them are meant. */

import * as v from "valibot";
import { type Caller, CallError, UsageError } from "../../core/mod.ts";
import { type MeshView, MeshViewSchema, type NodeView } from "./mesh_view.ts";
import { compareNames } from "./names.ts";
import { type NodeSelection, sourceOf } from "./node_selection.ts";
import { didYouMean } from "./suggest.ts";

/** How long the daemon next to us may take to say what it knows. */
const VIEW_MS_MAX = 10_000;

/** As the daemon at the other end sees it; nodes sorted by name. */
export async function readMeshView(
  caller: Caller,
  options: { readonly signal?: AbortSignal } = {},
): Promise<MeshView> {
  const reply = await caller.request("mesh.nodes", {}, { deadlineMs: VIEW_MS_MAX, ...options });
  const parsed = v.safeParse(MeshViewSchema, reply);
  if (!parsed.success) {
    throw new CallError("failed", `View of the mesh is malformed: ${parsed.issues[0].message}`);
  }
  const { self, nodes } = parsed.output;
  return { self, nodes: nodes.toSorted((a, b) => compareNames(a.name, b.name)) };
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
