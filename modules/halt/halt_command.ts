/**
 * `minime halt`: the whole mesh goes down, and the command returns when it is down. A mesh that is
 * down already is a success too. The home keeps keys and policy, and forgets the nodes but those that
 * come back with their machines.
 */

import { ConnectionError } from "../../core/mod.ts";
import type { CommandContext, MeshClient, OptionsOf } from "../shared/command.ts";
import { formatDuration } from "../shared/duration.ts";
import { EXIT, exitCodeOf } from "../shared/exit_code.ts";
import { lockHome } from "../shared/home_lock.ts";
import type { KnownNode, MeshHome } from "../shared/mesh_home.ts";
import { type ReachedMesh, reachMesh } from "../shared/mesh_query.ts";
import type { MeshView } from "../shared/mesh_view.ts";
import { compareNames } from "../shared/names.ts";
import { foldNodeset } from "../shared/nodeset.ts";
import type { haltOptions } from "./commands.ts";
import { fateJson, formatFates, silentHint, wipeHint } from "./fate_report.ts";
import { HALT_CONNECT_MS_MAX } from "./limits.ts";
import { type Liveness, Prober } from "./liveness.ts";
import { type Doomed, takeDown } from "./take_down.ts";

/** Exit code: of the nodes that were to go down, whether some or all did not. */
export async function runHalt(
  context: CommandContext,
  options: OptionsOf<typeof haltOptions>,
): Promise<number> {
  const home = await context.home();
  using _lock = await lockHome(context, home);
  const known = (await home.nodes()).toSorted((a, b) => compareNames(a.name, b.name));
  let reached: ReachedMesh;
  try {
    reached = await reachMesh(context, { timeoutMs: HALT_CONNECT_MS_MAX });
  } catch (error) {
    if (!(error instanceof ConnectionError)) throw error;
    return await haltWithoutMesh(context, options, { home, known, error });
  }
  await using client = reached.client;
  return await haltMesh(context, options, { home, known, client, view: reached.view });
}

async function haltMesh(
  context: CommandContext,
  options: OptionsOf<typeof haltOptions>,
  parts: {
    readonly home: MeshHome;
    readonly known: readonly KnownNode[];
    readonly client: MeshClient;
    readonly view: MeshView;
  },
): Promise<number> {
  const { out, env } = context;
  const { home, known, client, view } = parts;
  const inView = new Set(view.nodes.map(({ keyId }) => keyId));
  const names = new Set(view.nodes.map(({ name }) => name));
  const nodes: Doomed[] = [
    ...view.nodes.filter(({ state }) => state !== "left"),
    // A part of the mesh that this part has never met.
    ...known.filter(({ name, keyId }) => !inView.has(keyId) && !names.has(name))
      .map((node) => ({ ...node, state: "down" as const })),
  ];
  const fates = await takeDown(context, nodes, {
    client,
    timeoutMs: options.timeout,
    reason: "the mesh is halted",
    doing: "Halting",
  });
  const left = fates.filter(({ result }) => result === "up");
  if (left.length === 0) await forgetBooted(home, known);
  if (options.json) {
    out.json({
      mesh: home.name,
      down: left.length === 0,
      nodes: fates.map(fateJson),
    });
  } else {
    out.print(formatFates(fates, { now: env.clock.now(), paint: out.paint.bind(out) }));
    if (left.length === 0) out.print(`Mesh "${home.name}" is down`);
    else {
      const time = formatDuration(options.timeout);
      out.print(`Mesh "${home.name}" is not all down after ${time}`);
      out.note(await wipeHint(home, left.map(({ node }) => node.name)));
    }
    if (fates.some(({ isSilent }) => isSilent)) out.note(await silentHint(home, fates));
  }
  const asked = fates.filter(({ result }) => result !== "was-down").length;
  return exitCodeOf(asked, left.length);
}

/** Nobody lets us in: either there is nobody, or nobody can tell. */
async function haltWithoutMesh(
  context: CommandContext,
  options: OptionsOf<typeof haltOptions>,
  parts: {
    readonly home: MeshHome;
    readonly known: readonly KnownNode[];
    readonly error: ConnectionError;
  },
): Promise<number> {
  const { out, env, signal } = context;
  const { home, known, error } = parts;
  const prober = await Prober.create(env, known, { mesh: home.name, signal });
  const states = await prober.probe(known);
  const namesOf = (wanted: Liveness) =>
    foldNodeset(known.filter((_, i) => states[i] === wanted).map(({ name }) => name));
  const lives = namesOf("lives");
  const unknown = namesOf("unknown");
  if (lives !== "" || unknown !== "") {
    const reasons = [
      ...lives === "" ? [] : [`${lives} takes connections but does not let us in`],
      ...unknown === "" ? [] : [`${unknown} does not answer at all`],
    ];
    const text = `Mesh "${home.name}" cannot be reached and may still run: ${reasons.join(", ")}`;
    const left = known.filter((_, i) => states[i] !== "gone").map(({ name }) => name);
    out.note(await wipeHint(home, left));
    throw new ConnectionError(error.reason, text, { cause: error });
  }
  await forgetBooted(home, known);
  if (options.json) {
    const nodes = known.map(({ name }) => ({ name, result: "was-down" }));
    out.json({ mesh: home.name, down: true, nodes });
  } else if (known.length === 0) out.print(`Mesh "${home.name}" is not booted`);
  else out.print(`Mesh "${home.name}" was down already`);
  return EXIT.ok;
}

/** Where installed nodes are is known once they are back: their keys and addresses stay. */
async function forgetBooted(home: MeshHome, known: readonly KnownNode[]): Promise<void> {
  await home.storeNodes(known.filter(({ lasting }) => lasting === true));
}
