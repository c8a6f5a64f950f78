/** `minime exec --bg`: starts a job on its nodes and leaves it there. */

import * as v from "valibot";
import { CallError, toHex } from "../../core/mod.ts";
import type { CommandContext, MeshClient } from "../shared/command.ts";
import { callGroup } from "../shared/group_client.ts";
import type { GroupResult, NodeFailure } from "../shared/group_result.ts";
import { foldNodeset } from "../shared/nodeset.ts";
import { END_MS } from "./limits.ts";
import { JobStartedSchema, nodesetOf, type RunOrderInput } from "./order.ts";
import { Outcome } from "./outcome.ts";

/** Random digits of a name that nobody has chosen. */
const NAME_BYTES = 3;

/** Prints the job's name. What could not be started is in the outcome. */
export async function startJob(
  { env, out }: CommandContext,
  parts: {
    readonly client: MeshClient;
    readonly nodes: readonly string[];
    /** Those that were meant as well, and are not there. */
    readonly missing: readonly NodeFailure[];
    /** As for `group.call`. */
    readonly expected: readonly string[];
    readonly order: Omit<RunOrderInput, "run" | "nodeset">;
    readonly as: string;
    readonly connectMs: number;
    readonly name: string | undefined;
  },
): Promise<Outcome> {
  const { client, nodes, as, connectMs } = parts;
  const job = parts.name ?? `job-${toHex(env.random.bytes(NAME_BYTES))}`;
  const run = toHex(env.random.bytes(16));
  const order = { ...parts.order, run, nodeset: nodesetOf(parts), job };
  const signed = await client.sign("exec.start", order, { targets: nodes, as, ttlMs: connectMs });
  const outcome = new Outcome(parts.missing);
  const calling = callGroup(client, {
    targets: foldNodeset(nodes),
    expected: foldNodeset(parts.expected),
    signed,
    startBy: env.clock.now() + connectMs,
    deadlineMs: connectMs + END_MS,
  });
  try {
    note(outcome, await calling);
  } catch (error) {
    outcome.lose(nodes, { via: client.via.name, error });
    if ([...outcome.failures.values()].some(({ ran }) => ran === "maybe")) {
      out.note(`Whether job "${job}" runs can be seen by: minime jobs`);
    }
  }
  const started = [...outcome.ends.values()].some(({ error }) => error === undefined);
  if (started) out.print(job);
  return outcome;
}

function note(outcome: Outcome, result: GroupResult): void {
  for (const [name, failure] of result.failures) outcome.failures.set(name, failure);
  for (const [name, value] of result.values) {
    const parsed = v.safeParse(JobStartedSchema, value, { abortEarly: true });
    if (!parsed.success) throw new CallError("failed", `Answer of "${name}" is malformed`);
    outcome.ends.set(name, parsed.output.end ?? { code: 0 });
  }
}
