/**
 * Which nodes a command works on: everything that -w, -g and -a name, without what -x names. Files
 * (`^FILE`) and stdin (`-`) are read first; groups and patterns are settled afterwards, when the
 * command knows the nodes of its mesh.
 */

import { type Environment, MinimeError, UsageError } from "../../core/mod.ts";
import type { NODES, OptionsOf, StandardInput } from "./command.ts";
import { didYouMean } from "./suggest.ts";
import { sortedNames } from "./names.ts";
import { differenceNames, type NodesetSource, parseNodeset } from "./nodeset.ts";

/** As the name of a file. */
const STDIN = "-";

interface Needs {
  readonly env: Pick<Environment, "files">;
  readonly stdin: Pick<StandardInput, "text">;
}

export interface NodeSelection {
  /** Nodes or groups were named, by -w or -g. */
  readonly named: boolean;
  /** Something was named. Without it `names` gives all nodes, less the excluded ones. */
  readonly given: boolean;
  /** Sorted, each once. @throws UsageError for a set that cannot be read, or an unknown group */
  names(source: NodesetSource): string[];
}

/** Reads the files and stdin that the options of {@link NODES} name. */
export async function readSelection(
  context: Needs,
  options: OptionsOf<typeof NODES>,
): Promise<NodeSelection> {
  const wanted = await Promise.all(options.nodes.map((text) => readOperand(context, text)));
  const unwanted = await Promise.all(options.exclude.map((text) => readOperand(context, text)));
  const groups: Operand[] = options.group.map((name) => [{ text: `@${name.replace(/^@/, "")}` }]);
  const everything: Operand[] = [[{ text: "*" }]];
  const named = wanted.length + groups.length > 0;
  const given = named || options.all;
  const included = options.all || !given ? everything : [...wanted, ...groups];
  return {
    named,
    given,
    names: (source) =>
      differenceNames(
        included.flatMap((operand) => operandNames(operand, source)),
        unwanted.flatMap((operand) => operandNames(operand, source)),
      ),
  };
}

/** Whether the nodes are read from stdin, which nobody else can read then. */
export function takesInput(
  { nodes, exclude }: Pick<OptionsOf<typeof NODES>, "nodes" | "exclude">,
): boolean {
  return [...nodes, ...exclude].includes(STDIN);
}

/** One nodeset as it was given: a single text, or the lines of a file. */
export type Operand = readonly { readonly text: string; readonly place?: string }[];

/** A nodeset, `^FILE`, or `-` for stdin. In files each line is a nodeset; `#` starts a comment. */
export async function readOperand(context: Needs, given: string): Promise<Operand> {
  if (given === STDIN) return linesOf(await context.stdin.text(), "stdin");
  if (!given.startsWith("^")) return [{ text: given }];
  const path = given.slice(1);
  if (path === "") throw new UsageError(`"^" must be followed by the name of a file`);
  let text: string;
  try {
    text = await context.env.files.readText(path);
  } catch (cause) {
    throw new UsageError(`Cannot read nodes from file "${path}"`, { cause });
  }
  return linesOf(text, path);
}

/** Sorted, each once. */
export function operandNames(operand: Operand, source: NodesetSource): string[] {
  return sortedNames(
    operand.flatMap(({ text, place }) =>
      place === undefined ? parseNodeset(text, source) : parseLine(text, place, source)
    ),
  );
}

/** What `@group` and `*` mean among these nodes. */
export function sourceOf(
  nodes: readonly { readonly name: string; readonly groups: readonly string[] }[],
): NodesetSource {
  return {
    all: () => nodes.map((node) => node.name),
    resolve(group) {
      const names = nodes.filter((node) => node.groups.includes(group)).map((node) => node.name);
      if (names.length > 0) return names;
      const known = nodes.flatMap((node) => node.groups);
      throw new UsageError(`There is no group "${group}"${didYouMean(group, new Set(known))}`);
    },
  };
}

function parseLine(text: string, place: string, source: NodesetSource): string[] {
  try {
    return parseNodeset(text, source);
  } catch (error) {
    if (error instanceof MinimeError) throw new UsageError(`${place}: ${error.message}`);
    throw error;
  }
}

function linesOf(text: string, name: string): Operand {
  return text.split("\n").flatMap((line, i) => {
    const set = line.replace(/#.*/, "").trim();
    return set === "" ? [] : [{ text: set, place: `${name}:${i + 1}` }];
  });
}
