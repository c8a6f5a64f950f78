/** The registrars of the mesh that are up, asked for a certificate by the mesh: for ourselves, or for who cannot. */

import * as v from "valibot";
import { CallError, type ModuleHost } from "../../core/mod.ts";
import { callGroup } from "../shared/group_client.ts";
import { readMeshView } from "../shared/mesh_query.ts";
import { type Renewal, RenewedSchema } from "../shared/renewal_verbs.ts";
import { REGISTRAR_GROUP } from "../shared/roles.ts";
import { RENEWAL_ANSWER_MS_MAX } from "./limits.ts";

/** Rejects with CallError, with why the last one gave none: the first chain that is of use, in any order. */
export async function askRegistrars(
  { env: { random }, module }: ModuleHost,
  renewal: Renewal,
  { whyUseless, signal }: {
    /** Undefined: it is of use. @default whoever wanted it looks for himself */
    readonly whyUseless?: (chain: readonly Uint8Array[]) => string | undefined;
    readonly signal: AbortSignal;
  },
): Promise<readonly Uint8Array[]> {
  const { nodes } = await readMeshView(module("mesh"), { signal });
  const registrars = nodes.filter(({ state, groups }) =>
    state === "up" && groups.includes(REGISTRAR_GROUP)
  ).map(({ name }) => name);
  const first = registrars.length < 2 ? 0 : (random.bytes(1)[0] as number) % registrars.length;
  const order = [...registrars.slice(first), ...registrars.slice(0, first)];
  let why = `no node that is up is in group "${REGISTRAR_GROUP}"`;
  for (const name of order) {
    const { values, failures } = await callGroup(module("group"), {
      targets: name,
      steps: [{ verb: "keys.renew", args: renewal }],
      reduce: { kind: "list" },
      deadlineMs: RENEWAL_ANSWER_MS_MAX,
      signal,
    });
    const parsed = v.safeParse(RenewedSchema, values.get(name));
    const useless = parsed.success
      ? whyUseless?.(parsed.output.chain)
      : failures.get(name)?.reason ?? "its answer is malformed";
    if (parsed.success && useless === undefined) return parsed.output.chain;
    why = `"${name}": ${useless}`;
  }
  throw new CallError("failed", why);
}
