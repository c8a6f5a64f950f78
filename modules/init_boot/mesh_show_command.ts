/** `minime mesh show`: what the home of a mesh holds, for people and for programs. */

import { choosePrimitives } from "../../core/mod.ts";
import type { CommandContext, OptionsOf } from "../shared/command.ts";
import { formatDuration } from "../shared/duration.ts";
import { ISSUER_RENEWAL_MS } from "../shared/limits.ts";
import { plural } from "../shared/plural.ts";
import { isUserEnding } from "../shared/user_renewal.ts";
import type { meshShowOptions } from "./commands.ts";
import { type CertificateFacts, type MeshFacts, readMeshFacts } from "./mesh_facts.ts";

/** Warns of certificates that end soon. */
export async function runMeshShow(
  context: CommandContext,
  { json }: OptionsOf<typeof meshShowOptions>,
): Promise<void> {
  const { env, out } = context;
  const home = await context.home();
  using primitives = await choosePrimitives();
  const facts = await readMeshFacts(env, primitives, home);
  if (json) return out.json(facts);
  const now = env.clock.now();
  for (const [label, text] of rowsOf(facts, now)) out.print(`${label.padEnd(12)}${text}`);
  const { user, issuer } = facts;
  if (user !== null && isUserEnding(user, now)) {
    const how = facts.root
      ? "the next command that needs it renews it"
      : '"minime user renew" helps';
    out.warn(`Certificate of "${user.name}" ${lifeText(user, now)}: ${how}`);
  }
  if (issuer !== null && issuer.notAfter - now < ISSUER_RENEWAL_MS) {
    out.warn(
      `Certificate of "${issuer.name}" ${
        lifeText(issuer, now)
      }: "minime mesh rotate issuer" makes ` +
        "another one",
    );
  }
}

function rowsOf(facts: MeshFacts, now: number): readonly (readonly [string, string])[] {
  const { revoked, issuer, user } = facts;
  const who = (one: CertificateFacts | null) =>
    one === null
      ? "none"
      : `${one.name} ${one.groups.length === 0 ? "" : `(${one.groups.join(", ")}) `}` +
        `key ${one.keyId.slice(0, 16)}, ${lifeText(one, now)}`;
  return [
    ["mesh", facts.mesh],
    ["id", facts.id],
    ["home", facts.folder],
    ["root key", facts.root ? "here" : "not here"],
    ["issuer", who(issuer)],
    ["you", who(user)],
    ["policy", facts.policyVersion === null ? "none" : `version ${facts.policyVersion}`],
    [
      "revoked",
      revoked.version === 0
        ? "nothing"
        : `${plural(revoked.keys, "key")}, version ${revoked.version}`,
    ],
    ["nodes", `${facts.nodes} known`],
  ];
}

function lifeText({ notAfter }: CertificateFacts, now: number): string {
  const left = notAfter - now;
  return left <= 0
    ? `expired ${formatDuration(-left)} ago`
    : `valid for another ${formatDuration(left)}`;
}
