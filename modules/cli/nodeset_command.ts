/**
 * `minime nodeset`: algebra on names, without a mesh. Groups and `*` come from --hosts, otherwise
 * from the nodes that the chosen mesh's home knows.
 */

import { UsageError } from "../../core/mod.ts";
import type { CommandContext, OptionsOf, Run } from "../shared/command.ts";
import { type Operand, operandNames, readOperand, sourceOf } from "../shared/node_selection.ts";
import {
  differenceNames,
  foldNodeset,
  intersectionNames,
  type NodesetSource,
  symmetricDifferenceNames,
  unionNames,
} from "../shared/nodeset.ts";
import type { expandOptions, setOptions } from "./commands.ts";

type SetOptions = OptionsOf<typeof setOptions>;

/** `minime nodeset expand`. */
export async function expand(
  context: CommandContext,
  options: OptionsOf<typeof expandOptions>,
  args: readonly string[],
): Promise<void> {
  const names = await namesOf("union", context, options, args);
  if (options.json) return context.out.json(names);
  if (names.length > 0) context.out.print(names.join(unescaped(options.separator)));
}

/** `minime nodeset count`. */
export async function count(
  context: CommandContext,
  options: SetOptions,
  args: readonly string[],
): Promise<void> {
  const names = await namesOf("union", context, options, args);
  if (options.json) context.out.json({ count: names.length });
  else context.out.print(String(names.length));
}

/** `fold`, `union`, `difference` and so on: one set is printed. */
export function combine(operation: "fold" | Operation): Run<typeof setOptions> {
  return async (context, options, args) => {
    const names = await namesOf(operation === "fold" ? "union" : operation, context, options, args);
    const nodeset = foldNodeset(names);
    if (options.json) context.out.json({ nodeset, count: names.length });
    else if (nodeset !== "") context.out.print(nodeset);
  };
}

async function namesOf(
  operation: Operation,
  context: CommandContext,
  options: SetOptions,
  args: readonly string[],
): Promise<string[]> {
  const given = [...options.nodes, ...args];
  if (given.length === 0) {
    if (context.stdin.isTerminal) throw new UsageError("NODESET is missing");
    given.push("-");
  }
  const operands = await Promise.all(given.map((text) => readOperand(context, text)));
  const excluded = await Promise.all(options.exclude.map((text) => readOperand(context, text)));
  const source = await sourceFor([...operands, ...excluded], context, options.hosts);
  const sets = operands.map((operand) => operandNames(operand, source));
  const combined = sets.reduce((left, right) => OPERATIONS[operation](left, right));
  return differenceNames(combined, excluded.flatMap((operand) => operandNames(operand, source)));
}

const OPERATIONS = {
  union: unionNames,
  difference: differenceNames,
  intersection: intersectionNames,
  "symmetric-difference": symmetricDifferenceNames,
};
type Operation = keyof typeof OPERATIONS;

/** Reads groups only when a set asks for them. */
async function sourceFor(
  operands: readonly Operand[],
  context: CommandContext,
  hosts: string | undefined,
): Promise<NodesetSource> {
  if (!operands.flat().some(({ text }) => /[@*]/.test(text))) return {};
  if (hosts === undefined) return sourceOf(await (await context.home()).nodes());
  const [{ parseMeshFile }, { meshSource }] = await Promise.all([
    import("../shared/mesh_file.ts"),
    import("../shared/mesh_file_build.ts"),
  ]);
  let text: string;
  try {
    text = await context.env.files.readText(hosts);
  } catch (cause) {
    throw new UsageError(`Cannot read mesh file "${hosts}"`, { cause });
  }
  return meshSource(parseMeshFile(text, { file: hosts }));
}

function unescaped(separator: string): string {
  return separator.replaceAll("\\n", "\n").replaceAll("\\t", "\t").replaceAll("\\0", "\0");
}
