/**
 * Nodes that the home of the mesh names and of which its daemons have not heard since they started:
 * after a restart of the whole mesh, those that did not come back. Only the home knows that they
 * should be there. Of whom the mesh was told to forget, it has heard.
 */

import * as v from "valibot";
import { type Caller, CallError, ConnectionError, REVISION, UsageError } from "../../core/mod.ts";
import type { CommandContext, MeshClient } from "./command.ts";
import type { NodeFailure } from "./group_result.ts";
import { GROUP_TARGETS_MAX } from "./limits.ts";
import type { KnownNode } from "./mesh_home.ts";
import { readWholeView, selectNodes, selectPresent } from "./mesh_query.ts";
import { type NodeView, type Unheard, UnheardSchema, unseenReason } from "./mesh_view.ts";
import { compareNames } from "./names.ts";
import { type NodeSelection, sourceOf } from "./node_selection.ts";

/** How long a daemon may take to say it; one that has just started waits for its first view. */
const UNHEARD_MS_MAX = 5_000;

/** The daemon that is asked, and how. */
type Asked = Caller & { readonly via: Pick<MeshClient["via"], "name"> };

export interface MissingNodes {
  /** As the home knows them; sorted by name. */
  readonly nodes: readonly KnownNode[];
  /** The daemon that was asked, by name. */
  readonly via: string;
  /** Unix ms by its clock: when it started. Undefined where nobody is missing. */
  readonly since: number | undefined;
}

/** What the home knows of, but for names in `present` and forgotten nodes. */
export async function missingNodes(
  context: Pick<CommandContext, "home" | "signal">,
  client: Asked,
  present: Iterable<string>,
): Promise<MissingNodes> {
  const there = new Set(present);
  const known = (await (await context.home()).nodes()).filter(({ name }) => !there.has(name));
  return await unheardOf(client, known, context.signal);
}

export interface Targets {
  /** Of nodes of which the mesh has heard, whatever became of them. */
  readonly names: readonly string[];
  /** What is to be said of those that are missing. */
  readonly missing: readonly NodeFailure[];
  /** Of `names` those that may be missing as well: see `expected` of `group.call`. @default none */
  readonly expected?: readonly string[];
}

/**
 * The nodes that are meant, those that left only when somebody named them. Asks the mesh who is there
 * only if the set cannot be read without it, or has names that the home does not know.
 *
 * @throws UsageError for a name that no node has, or when nothing is selected
 */
export async function targetsOf(
  context: Pick<CommandContext, "home" | "signal">,
  client: Asked,
  selection: NodeSelection,
): Promise<Targets> {
  const { signal } = context;
  const named = namedBy(selection);
  const known = named === undefined ? [] : await knownOf(context, named);
  // Of another name only the mesh knows whether it is one.
  if (named !== undefined && new Set(known.map(({ name }) => name)).size === named.length) {
    const missing = await unheardOf(client, known, signal);
    const away = new Set(missing.nodes.map(({ name }) => name));
    return { names: named.filter((name) => !away.has(name)), missing: failuresOf(missing) };
  }
  const { nodes } = await readWholeView(client, { signal });
  return await targetsAmong(context, client, { nodes, selection });
}

/**
 * As {@link targetsOf}, for a group operation, which finds out by itself who of those that the home names
 * is missing: nobody is asked before it where the set can be read without the mesh. That is so where one
 * operation goes to all, at most `atOnce`, and the daemon can do that.
 */
export async function groupTargetsOf(
  context: Pick<CommandContext, "home" | "signal">,
  client: Asked & { readonly via: Pick<MeshClient["via"], "revision"> },
  selection: NodeSelection,
  { atOnce = Infinity }: { readonly atOnce?: number } = {},
): Promise<Targets & { readonly expected: readonly string[] }> {
  const named = namedBy(selection);
  const isOld = client.via.revision < REVISION.starts;
  if (named === undefined || named.length > atOnce || isOld) {
    return { ...await targetsOf(context, client, selection), expected: [] };
  }
  if (named.length > GROUP_TARGETS_MAX) {
    throw new UsageError(`${named.length} nodes are too many: ${GROUP_TARGETS_MAX} is the most`);
  }
  const known = await knownOf(context, named);
  return { names: named, missing: [], expected: known.map(({ name }) => name) };
}

/** As {@link targetsOf}, for who knows already what the mesh shows. */
export async function targetsAmong(
  context: Pick<CommandContext, "home" | "signal">,
  client: Asked,
  about: { readonly nodes: readonly NodeView[]; readonly selection: NodeSelection },
): Promise<Targets> {
  const { named } = about.selection;
  const selected = await selectWithMissing(context, client, about);
  return targetsWhere(selected, ({ state }) => named || state !== "left");
}

/**
 * As {@link targetsOf}, for who asks whoever is there: those that are not up only when somebody named
 * them. Otherwise they are `away`.
 */
export async function presentTargetsOf(
  context: Pick<CommandContext, "home" | "signal">,
  client: Asked,
  selection: NodeSelection,
): Promise<Targets & { readonly away: Targets }> {
  const { nodes } = await readWholeView(client, { signal: context.signal });
  const selected = await selectWithMissing(context, client, { nodes, selection });
  const missing = selection.named ? selected.missing : { ...selected.missing, nodes: [] };
  const present = targetsWhere(
    { nodes: selected.nodes, missing },
    ({ state }) => selection.named || state === "up",
  );
  const asked = new Set(present.names);
  const others = selected.nodes.map(({ name }) => name).filter((name) => !asked.has(name));
  const unseen = selection.named ? [] : failuresOf(selected.missing);
  return { ...present, away: { names: [...new Set(others)], missing: unseen } };
}

function targetsWhere(
  { nodes, missing }: { readonly nodes: readonly NodeView[]; readonly missing: MissingNodes },
  isMeant: (node: NodeView) => boolean,
): Targets {
  const names = nodes.filter(isMeant).map(({ name }) => name);
  if (names.length + missing.nodes.length === 0) throw new UsageError("No node is selected");
  return { names: [...new Set(names)], missing: failuresOf(missing) };
}

/**
 * Those that are meant of both: of the nodes that the mesh shows, and of the missing ones.
 *
 * @throws UsageError for a name that no node has
 */
export async function selectWithMissing(
  context: Pick<CommandContext, "home" | "signal">,
  client: Asked,
  { nodes, selection }: {
    readonly nodes: readonly NodeView[];
    readonly selection: Pick<NodeSelection, "names">;
  },
): Promise<{ readonly nodes: readonly NodeView[]; readonly missing: MissingNodes }> {
  const missing = await missingNodes(context, client, nodes.map(({ name }) => name));
  const asked = new Set(selection.names(sourceOf([...nodes, ...missing.nodes])));
  const away = missing.nodes.filter(({ name }) => asked.delete(name));
  const present = selectNodes(nodes, { names: () => [...asked] });
  return { nodes: present, missing: { ...missing, nodes: away } };
}

/** Without asking the mesh; undefined where that cannot be read. @throws UsageError for nobody */
function namedBy(selection: NodeSelection): readonly string[] | undefined {
  let needsMesh = false;
  const ask = () => {
    needsMesh = true;
    return [];
  };
  const named = selection.names({ all: ask, resolve: ask });
  if (needsMesh) return undefined;
  if (named.length === 0) throw new UsageError("No node is selected");
  return named;
}

/** Those that the home of the mesh names. */
async function knownOf(
  context: Pick<CommandContext, "home">,
  names: readonly string[],
): Promise<KnownNode[]> {
  const meant = new Set(names);
  return (await (await context.home()).nodes()).filter(({ name }) => meant.has(name));
}

/** What such a node is, in a sentence. */
export function missingText({ via }: Pick<MissingNodes, "via">): string {
  return `missing, not seen since "${via}" started`;
}

/**
 * As `selectPresent`, for who can do nothing with a node that is missing.
 *
 * @throws UsageError for a name that no node has; ConnectionError for one that is missing
 */
export async function selectSeen(
  context: Pick<CommandContext, "home" | "signal">,
  client: Asked,
  about: {
    readonly nodes: readonly NodeView[];
    readonly selection: Pick<NodeSelection, "names" | "named">;
  },
): Promise<readonly NodeView[]> {
  const { nodes, missing } = await selectWithMissing(context, client, about);
  const [first] = missing.nodes;
  if (first !== undefined) {
    throw new ConnectionError("no-route", `Node "${first.name}" is ${missingText(missing)}`);
  }
  return selectPresent(nodes, {
    named: about.selection.named,
    names: () => nodes.map(({ name }) => name),
  });
}

/** What a group operation says of them. */
export function failuresOf({ nodes, via, since }: MissingNodes): NodeFailure[] {
  const reason = unseenReason(via);
  return nodes.map(({ name }) => ({
    name,
    set: "unreachable",
    reason,
    ran: "never",
    ...(since === undefined ? {} : { since }),
  }));
}

async function unheardOf(
  client: Asked,
  known: readonly KnownNode[],
  signal: AbortSignal,
): Promise<MissingNodes> {
  const via = client.via.name;
  const none: MissingNodes = { nodes: [], via, since: undefined };
  if (known.length === 0) return none;
  const answer = await askUnheard(client, known.map(({ name }) => name), signal);
  if (answer === undefined || answer.names.length === 0) return none;
  const unheard = new Set(answer.names);
  const nodes = known.filter(({ name }) => unheard.has(name))
    .sort((a, b) => compareNames(a.name, b.name));
  return { nodes, via, since: answer.since };
}

/** Undefined: the daemon is an older one, which does not know the question. */
async function askUnheard(
  client: Asked,
  names: readonly string[],
  signal: AbortSignal,
): Promise<Unheard | undefined> {
  let answer: unknown;
  try {
    answer = await client.request("mesh.unheard", { names }, {
      deadlineMs: UNHEARD_MS_MAX,
      signal,
    });
  } catch (error) {
    if (error instanceof CallError && error.class === "unknown-verb") return undefined;
    throw error;
  }
  const parsed = v.safeParse(UnheardSchema, answer, { abortEarly: true });
  if (parsed.success) return parsed.output;
  const text = `Answer of node "${client.via.name}" is malformed: ${parsed.issues[0].message}`;
  throw new CallError("failed", text);
}
