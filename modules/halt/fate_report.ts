/** What halt and shrink print about the nodes that they took down. */

import { formatDuration } from "../shared/duration.ts";
import { Fold } from "../shared/fold.ts";
import type { MeshHome } from "../shared/mesh_home.ts";
import { foldNodeset } from "../shared/nodeset.ts";
import type { Output } from "../shared/output.ts";
import { shellQuoted } from "../shared/private_folder.ts";
import { printable } from "../shared/text.ts";
import type { Fate } from "./take_down.ts";

/** A line for each fate, nodes with the same one together; who is still there stands last. */
export function formatFates(
  fates: readonly Fate[],
  options: { readonly now: number; readonly paint: Output["paint"] },
): string {
  const fold = new Fold<{ result: Fate["result"]; text: string }>();
  for (const fate of fates) {
    const text = textOf(fate, options.now);
    fold.add(fate.node.name, {
      result: fate.result,
      text: fate.result === "up" ? options.paint("red", text) : text,
    });
  }
  const order = ["down", "was-down", "up"];
  return fold.groups()
    .sort((a, b) => order.indexOf(a.value.result) - order.indexOf(b.value.result))
    .map(({ nodeset, value }) => `${nodeset}: ${value.text}`)
    .join("\n");
}

/** For programs. */
export function fateJson({ node, result, isSilent, why }: Fate): Record<string, unknown> {
  return {
    name: node.name,
    result,
    ...(isSilent === true ? { silent: true } : {}),
    ...(why === undefined ? {} : { why }),
  };
}

/** What to do about nodes that do not go by themselves. */
export async function wipeHint(home: MeshHome, names: readonly string[]): Promise<string> {
  return `What still runs can be ended by force: ${await wipeCommand(home, names)}`;
}

/** The same for nodes that nobody can see. */
export async function silentHint(home: MeshHome, fates: readonly Fate[]): Promise<string> {
  const names = fates.filter(({ isSilent }) => isSilent).map(({ node }) => node.name);
  return `Should a daemon still run on ${foldNodeset(names)}: ${await wipeCommand(home, names)}`;
}

async function wipeCommand(home: MeshHome, names: readonly string[]): Promise<string> {
  const file = (await home.lastBoot())?.file ?? home.path("mesh.toml");
  return `minime wipe --hosts ${shellQuoted(file)} -w ${shellQuoted(foldNodeset(names))}`;
}

function textOf({ node, result, isSilent, why }: Fate, now: number): string {
  if (result === "down") return "down";
  if (result === "up") return why === undefined ? "still up" : `still up: ${printable(why)}`;
  const silent = isSilent === true ? "; nothing answers there" : "";
  if (node.since === undefined) return `was down already${silent}`;
  return `was down already, for ${formatDuration(Math.max(0, now - node.since))}${silent}`;
}
