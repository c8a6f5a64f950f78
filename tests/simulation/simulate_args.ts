/** The command line of `deno task simulate`. */

import type { ScenarioOptions } from "./scenario.ts";

const SEEDS_DEFAULT = 100;
const NODES_MAX = 4_096;
const NUMBERS = ["--seeds", "--first", "--nodes", "--segments", "--rounds", "--jobs"];
const KNOWN =
  "--seeds N, --first S, --nodes N, --segments N, --rounds N, --jobs N, --story (of each seed) and --json";

export interface SimulateArgs {
  readonly first: number;
  readonly seeds: number;
  /** Processes at once. */
  readonly jobs: number;
  readonly size: ScenarioOptions;
  readonly story: boolean;
  readonly json: boolean;
}

/** What is wrong with them, or what they mean. */
export function parseArgs(args: readonly string[]): SimulateArgs | string {
  const numbers = new Map<string, number>();
  const flags = new Set<string>();
  for (let i = 0; i < args.length; i++) {
    const [name, value] = [args[i] as string, args[i + 1] ?? ""];
    if (name === "--story" || name === "--json") flags.add(name);
    else if (!NUMBERS.includes(name)) {
      return `Unknown option "${name}"; known are ${KNOWN}`;
    } else if (!/^[0-9]{1,15}$/.test(value)) {
      return `Option "${name}" needs a whole number, not "${value}"`;
    } else {
      numbers.set(name, Number(value));
      i++;
    }
  }
  const nodes = numbers.get("--nodes");
  const segments = numbers.get("--segments");
  const rounds = numbers.get("--rounds");
  if (nodes !== undefined && (nodes < 2 || nodes > NODES_MAX)) {
    return `A mesh has 2 to ${NODES_MAX} nodes, not ${nodes}`;
  }
  if (segments !== undefined && (segments < 1 || 2 * segments > (nodes ?? 5))) {
    return `Each segment needs two nodes at least: ${segments} segments are too many`;
  }
  return {
    first: numbers.get("--first") ?? 1,
    seeds: numbers.get("--seeds") ?? SEEDS_DEFAULT,
    jobs: Math.max(1, numbers.get("--jobs") ?? 1),
    size: {
      ...nodes === undefined ? {} : { nodes },
      ...segments === undefined ? {} : { segments },
      ...rounds === undefined ? {} : { rounds },
    },
    story: flags.has("--story"),
    json: flags.has("--json"),
  };
}
