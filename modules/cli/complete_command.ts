/**
 * `minime __complete -- WORDS`: prints what could stand in place of the last word, one proposal a
 * line with its brief behind a tab. The line ":files" asks the shell to complete file names. It is
 * called at every press of the tab key: quick, and silent whatever is wrong.
 */

import { MinimeError } from "../../core/mod.ts";
import type { CommandContext, Completion } from "../shared/command.ts";
import type { KnownNode, MeshHome } from "../shared/mesh_home.ts";
import { proposeWords } from "./app.ts";
import type { Entry } from "./entries.ts";
import { HELP_TOPICS } from "./help.ts";
import { SHELLS } from "./completion_scripts.ts";

/** A shell shows no more than this usefully. */
const PROPOSALS_MAX = 2_000;

export function complete(
  entries: readonly Entry[],
): (context: CommandContext, options: unknown, words: readonly string[]) => Promise<void> {
  return async (context, _options, words) => {
    try {
      const lines = await proposalLines(entries, context, words);
      context.out.write(lines.slice(0, PROPOSALS_MAX).map((line) => `${line}\n`).join(""));
    } catch (error) {
      // A half-typed line is often wrong; the shell has no place to say so.
      if (!(error instanceof MinimeError)) throw error;
      context.out.detail(error.message);
    }
  };
}

async function proposalLines(
  entries: readonly Entry[],
  context: CommandContext,
  given: readonly string[],
): Promise<string[]> {
  const words = splitEquals(given);
  const last = given.at(-1) ?? "";
  const prefix = last.slice(0, last.length - (words.at(-1) ?? "").length);
  const mesh = words.slice(0, -1).lastIndexOf("--mesh");
  const meshName = mesh >= 0 && mesh < words.length - 2 ? words[mesh + 1] : context.meshName;
  let files = false;
  const proposals = await proposeWords(entries, words, async (completion, partial) => {
    if (completion === "files") files = true;
    return await values(completion, partial, entries, context, meshName);
  });
  const lines = proposals.map(({ value, brief }) =>
    brief === "" ? `${prefix}${value}` : `${prefix}${value}\t${brief}`
  );
  return files ? [":files"] : lines;
}

/** `--mesh=la` is completed as `--mesh la`; what is printed keeps its first part. */
function splitEquals(words: readonly string[]): string[] {
  const last = words.at(-1) ?? "";
  const equals = last.indexOf("=");
  if (!last.startsWith("--") || equals < 0) return [...words];
  return [...words.slice(0, -1), last.slice(0, equals), last.slice(equals + 1)];
}

async function values(
  completion: Completion,
  partial: string,
  entries: readonly Entry[],
  context: CommandContext,
  meshName: string | undefined,
): Promise<readonly string[]> {
  switch (completion) {
    case "commands":
      return [...entries.filter((each) => !each.hidden).map((each) => each.name), ...HELP_TOPICS];
    case "shells":
      return SHELLS;
    case "meshes":
      return await context.homes.list();
    case "groups":
      return groupsOf(await knownNodes(context, meshName));
    case "nodes":
      return nodesetValues(partial, await knownNodes(context, meshName));
    case "files":
      return [];
  }
}

async function knownNodes(
  context: CommandContext,
  meshName: string | undefined,
): Promise<readonly KnownNode[]> {
  const home: MeshHome = (await context.homes.choose(meshName)).home;
  return await home.nodes();
}

function groupsOf(nodes: readonly KnownNode[]): string[] {
  return [...new Set(nodes.flatMap((node) => node.groups))].sort();
}

/** The name after the last operator is completed, what stands before it is kept; ranges are not. */
function nodesetValues(partial: string, nodes: readonly KnownNode[]): string[] {
  if (partial.lastIndexOf("[") > partial.lastIndexOf("]")) return [];
  const before = /^(?:.*[,!&^ ])?/.exec(partial)?.[0] ?? "";
  const already = new Set(before.split(/[,!&^ ]/));
  const names = nodes.map((node) => node.name).filter((name) => !already.has(name));
  return [...names, ...groupsOf(nodes).map((group) => `@${group}`)].map((name) => before + name);
}
