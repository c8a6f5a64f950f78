/**
 * `minime shrink`: nodes shut down, and the mesh forgets them. At least one node stays; it carries
 * the request and tells the others.
 */

import { CallError, errorText, MinimeError, UsageError } from "../../core/mod.ts";
import type { CommandContext, MeshClient, OptionsOf } from "../shared/command.ts";
import { formatDuration } from "../shared/duration.ts";
import { EXIT, exitCodeOf } from "../shared/exit_code.ts";
import { callGroup } from "../shared/group_client.ts";
import { lockHome } from "../shared/home_lock.ts";
import type { MeshHome } from "../shared/mesh_home.ts";
import { reachMesh, readMeshView } from "../shared/mesh_query.ts";
import type { NodeView } from "../shared/mesh_view.ts";
import { selectWithMissing } from "../shared/missing_nodes.ts";
import { readSelection } from "../shared/node_selection.ts";
import { foldNodeset } from "../shared/nodeset.ts";
import type { shrinkOptions } from "./commands.ts";
import { fateJson, formatFates, silentHint, wipeHint } from "./fate_report.ts";
import { NOTICE_MS_MAX, PROBE_INTERVAL_MS, STRAGGLER_MS_MAX } from "./limits.ts";
import { type Fate, takeDown } from "./take_down.ts";
import { plural } from "../shared/plural.ts";

const VERB = "mesh.forget";

/** Exit code: of the nodes asked, whether some or all are still in the mesh. */
export async function runShrink(
  context: CommandContext,
  options: OptionsOf<typeof shrinkOptions>,
): Promise<number> {
  const { out, env } = context;
  const selection = await readSelection(context, { ...options, all: false });
  if (!selection.given) {
    throw new UsageError("No nodes are named", { hint: "Name them: -w NODESET, or -g GROUP" });
  }
  const home = await context.home();
  using _lock = await lockHome(context, home);
  const reached = await reachMesh(context);
  await using first = reached.client;
  const { nodes } = reached.view;
  const selected = await selectWithMissing(context, first, { nodes, selection });
  const leaving = selected.nodes;
  const missing = selected.missing.nodes;
  const unheard = missing.map(({ name }) => name);
  if (leaving.length + missing.length === 0) throw new UsageError("No nodes are left to shrink");
  if (missing.length > 0) {
    await forgetAtHome(home, new Set(missing.map(({ keyId }) => keyId)));
    const names = foldNodeset(unheard);
    out.note(`The mesh has not heard of ${names}; its home on this machine forgets it, too`);
  }
  if (leaving.length === 0) {
    if (options.json) out.json({ mesh: home.name, nodes: [], missing: unheard });
    return EXIT.ok;
  }
  const staying = stayingNodes(nodes, leaving);
  const names = [...new Set(leaving.map(({ name }) => name))];
  const stays = foldNodeset(staying.map(({ name }) => name));
  out.note(`Shrinking mesh "${home.name}" by ${foldNodeset(names)}; ${stays} will stay`);
  await using client = await clientOf(context, first, { staying, mesh: home.name });
  const fates = await takeDown(context, leaving, {
    client,
    timeoutMs: options.timeout,
    reason: "the mesh shrinks",
    doing: "Shutting down",
  });
  const gone = fates.filter(({ result }) => result !== "up");
  const forgotten = await forget(context, client, { gone, staying });
  await forgetAtHome(home, forgotten);
  const left = fates.filter(({ node }) => !forgotten.has(node.keyId));
  if (options.json) {
    out.json({
      mesh: home.name,
      nodes: fates.map((fate) => ({
        ...fateJson(fate),
        forgotten: forgotten.has(fate.node.keyId),
      })),
      missing: unheard,
      stay: staying.map(({ name }) => name),
    });
  } else {
    out.print(formatFates(fates, { now: env.clock.now(), paint: out.paint.bind(out) }));
    const isUp = left.filter(({ result }) => result === "up").map(({ node }) => node.name);
    out.print(summaryOf(fates.length, left.map(({ node }) => node.name), staying.length));
    if (fates.some(({ isSilent }) => isSilent)) out.note(await silentHint(home, fates));
    if (isUp.length > 0) {
      const time = formatDuration(options.timeout);
      out.note(`Still up after ${time}: ${foldNodeset(isUp)}; ${await wipeHint(home, isUp)}`);
    }
  }
  return exitCodeOf(fates.length, left.length);
}

function stayingNodes(nodes: readonly NodeView[], leaving: readonly NodeView[]): NodeView[] {
  const keys = new Set(leaving.map(({ keyId }) => keyId));
  const staying = nodes.filter(({ keyId, state }) => state === "up" && !keys.has(keyId));
  if (staying.length > 0) return staying;
  throw new UsageError("No node that is up would stay in the mesh", {
    hint: 'To take down the whole mesh: "minime halt"',
  });
}

/** A connection to a node that stays: the one that there is, if it does. */
async function clientOf(
  context: CommandContext,
  first: MeshClient,
  { staying, mesh }: { readonly staying: readonly NodeView[]; readonly mesh: string },
): Promise<MeshClient> {
  if (staying.some(({ name }) => name === first.via.name)) return first;
  let last: unknown;
  for (const { name } of staying) {
    try {
      return await context.connect({ mesh, node: name, timeoutMs: STRAGGLER_MS_MAX });
    } catch (error) {
      context.signal.throwIfAborted();
      if (!(error instanceof MinimeError)) throw error;
      context.out.detail(`Node "${name}" cannot carry the request: ${errorText(error)}`);
      last = error;
    }
  }
  const stays = foldNodeset(staying.map(({ name }) => name));
  throw new MinimeError(`None of the nodes that stay can be reached from here: ${stays}`, {
    cause: last,
  });
}

/** Key ids of what the mesh has forgotten. */
async function forget(
  context: CommandContext,
  client: MeshClient,
  parts: { readonly gone: readonly Fate[]; readonly staying: readonly NodeView[] },
): Promise<ReadonlySet<string>> {
  const { out, signal } = context;
  const keys = parts.gone.map(({ node }) => node.keyId);
  if (keys.length === 0) return new Set();
  const names = parts.gone.map(({ node }) => node.name);
  out.progress(`Waiting until the mesh has noticed that ${foldNodeset(names)} left`);
  try {
    await waitUntilNoticed(context, client, keys);
  } finally {
    out.progress(undefined);
  }
  // One would be enough, since they tell each other; this way the next command finds none of them.
  const targets = parts.staying.map(({ name }) => name);
  const signed = await client.sign(VERB, { nodes: keys }, { targets });
  const result = await callGroup(client, { targets: foldNodeset(targets), signed, signal });
  const failure = [...result.failures.values()][0];
  if (result.answered.size === 0 && failure !== undefined) {
    throw new CallError(
      failure.set === "refused" ? "refused" : "failed",
      `The nodes are down, but the mesh does not forget them: ${failure.reason}`,
    );
  }
  return new Set(keys);
}

/** Only what is gone can be forgotten; who is not noticed in time is told to be so all the same. */
async function waitUntilNoticed(
  { env: { clock }, signal }: CommandContext,
  client: MeshClient,
  keys: readonly string[],
): Promise<void> {
  const end = clock.monotonic() + NOTICE_MS_MAX;
  for (;;) {
    const { nodes } = await readMeshView(client, { signal });
    const isNoticed = nodes.every(({ keyId, state }) => !keys.includes(keyId) || state !== "up");
    if (isNoticed || clock.monotonic() > end) return;
    await clock.sleep(PROBE_INTERVAL_MS, { signal });
  }
}

async function forgetAtHome(home: MeshHome, keys: ReadonlySet<string>): Promise<void> {
  const nodes = await home.nodes();
  const left = nodes.filter(({ keyId }) => !keys.has(keyId));
  if (left.length < nodes.length) await home.storeNodes(left);
}

function summaryOf(asked: number, left: readonly string[], staying: number): string {
  const stay = staying === 1 ? "1 node stays" : `${staying} nodes stay`;
  const gone = asked - left.length;
  if (left.length === 0) return `${plural(gone, "node")} left the mesh, ${stay}`;
  return `${gone} of ${plural(asked, "node")} left the mesh, not ${foldNodeset(left)}; ${stay}`;
}
