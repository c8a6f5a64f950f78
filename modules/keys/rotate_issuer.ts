/**
 * New issuers, signed by the root: one for this home, one for each registrar that is up. Nodes accept
 * whatever issuer the root has signed, so the old ones go on until somebody revokes them.
 */

import * as v from "valibot";
import {
  ConnectionError,
  errorText,
  MinimeError,
  NO_REVOCATIONS,
  parseCertificate,
  type Revocations,
  UsageError,
} from "../../core/mod.ts";
import { needsNow } from "../shared/authority.ts";
import type { CommandContext } from "../shared/command.ts";
import { loadRevocations } from "../shared/credentials.ts";
import { EXIT } from "../shared/exit_code.ts";
import { certifyIssuer, homeGroups, makeIssuer, registrarGroups } from "../shared/issuer.ts";
import { type MeshFile, parseMeshFile } from "../shared/mesh_file.ts";
import type { MeshHome } from "../shared/mesh_home.ts";
import { reachMesh } from "../shared/mesh_query.ts";
import { IssuerRequestSchema } from "../shared/renewal_verbs.ts";
import { REGISTRAR_GROUP } from "../shared/roles.ts";
import { checkIssuerRequest, REGISTRAR_TYPES } from "./issuer_request.ts";
import { ISSUER_ANSWER_MS_MAX } from "./limits.ts";
import type { RotateParts } from "./rotate_psk.ts";

interface Exchanged {
  /** Of the registrar; null: this home. */
  readonly registrar: string | null;
  readonly keyId: string;
  readonly formerKeyId: string;
}

type Parts = Omit<RotateParts, "rootSeed"> & {
  /** Says which groups there are. */
  readonly mesh: MeshFile | undefined;
  readonly revocations: Revocations;
};

/** Exit code 1 when a registrar keeps its old one, 4 when the mesh could not be asked for registrars. */
export async function rotateIssuer(
  context: CommandContext,
  { home, primitives, authority }: RotateParts,
  { json }: { readonly json: boolean },
): Promise<number> {
  const { out } = context;
  const exchanged: Exchanged[] = [];
  const kept = new Map<string, string>();
  const parts = {
    home,
    primitives,
    authority,
    mesh: await loadMeshFile(home),
    revocations: await loadRevocations(home, primitives, authority.rootPublicKey) ?? NO_REVOCATIONS,
  };
  const own = await exchangeOwn(context, parts);
  if (own !== undefined) exchanged.push(own);
  const registrars = await registrarsOf(context, kept);
  for (const name of registrars ?? []) {
    try {
      exchanged.push(await exchangeAt(context, name, parts));
    } catch (error) {
      context.signal.throwIfAborted();
      if (!(error instanceof MinimeError)) throw error;
      kept.set(name, errorText(error));
    }
  }
  if (exchanged.length === 0 && kept.size === 0 && registrars !== undefined) {
    throw new UsageError(`Mesh "${home.name}" has no issuer: its root key signs for all nodes`);
  }
  if (json) {
    out.json({
      mesh: home.name,
      exchanged,
      kept: [...kept].map(([name, reason]) => ({ name, reason })),
    });
  } else {
    for (const { registrar, keyId } of exchanged) {
      const where = registrar === null ? "This home" : `Registrar "${registrar}"`;
      out.print(`${where} has a new issuer, key ${keyId.slice(0, 16)}`);
    }
    for (const [name, reason] of kept) out.warn(`Registrar "${name}" keeps its issuer: ${reason}`);
    const former = exchanged.map(({ formerKeyId }) => formerKeyId);
    if (former.length > 0) {
      out.note(
        'Next: "minime mesh renew"; when "minime mesh certificates" shows none of the old ones any ' +
          `more, end them: minime revoke ${former.join(" ")}`,
      );
    }
  }
  if (registrars === undefined) return EXIT.unreachable;
  return kept.size > 0 ? EXIT.someFailed : EXIT.ok;
}

/** Undefined where the home has no issuer. The key goes first: a rotation cut short is repeated. */
async function exchangeOwn(
  { env }: CommandContext,
  { home, primitives, authority, mesh }: Parts,
): Promise<Exchanged | undefined> {
  const { issuer } = authority;
  if (issuer === undefined) return undefined;
  const former = parseCertificate(primitives, issuer.certificate);
  const { name, constraint, keyId: formerKeyId } = former;
  const made = makeIssuer(authority, needsNow(env, primitives), {
    name,
    types: constraint?.types ?? [],
    groups: [...homeGroups(mesh), ...constraint?.groups ?? []],
  });
  await home.store("issuer.key", made.key);
  await home.store("issuer.cert", made.certificate);
  const { keyId } = parseCertificate(primitives, made.certificate);
  return { registrar: null, keyId, formerKeyId };
}

/** Those that are up; undefined when nobody answers. Those that are away keep what they have. */
async function registrarsOf(
  context: CommandContext,
  kept: Map<string, string>,
): Promise<readonly string[] | undefined> {
  try {
    const { client, view: { nodes } } = await reachMesh(context);
    await client.close();
    const all = nodes.filter(({ groups }) => groups.includes(REGISTRAR_GROUP));
    for (const { name, state } of all) if (state === "down") kept.set(name, "It is down");
    return all.filter(({ state }) => state === "up").map(({ name }) => name);
  } catch (error) {
    if (!(error instanceof ConnectionError)) throw error;
    context.out.warn(`No registrar was asked: ${errorText(error)}`);
    return undefined;
  }
}

/** In a connection that ends in the registrar. What it may sign is for the mesh file to say, not for it. */
async function exchangeAt(
  context: CommandContext,
  registrar: string,
  { primitives, authority, mesh, revocations }: Omit<Parts, "home">,
): Promise<Exchanged> {
  const { env, signal } = context;
  await using session = await context.session(registrar);
  const call = async (verb: string, args: unknown): Promise<unknown> => {
    const request = await session.sign(verb, args, { targets: [registrar] });
    const patience = { deadlineMs: ISSUER_ANSWER_MS_MAX, signal };
    return await session.request(verb, request, { signed: true, ...patience });
  };
  const reply = v.parse(IssuerRequestSchema, await call("keys.issuer_request", {}));
  const needs = needsNow(env, primitives);
  const asked = checkIssuerRequest(reply, { ...needs, registrar, authority, revocations });
  const certificate = certifyIssuer(authority, needs, {
    name: registrar,
    types: REGISTRAR_TYPES,
    groups: [...registrarGroups(mesh), ...asked.formerGroups],
    signPublicKey: asked.signPublicKey,
    dhPublicKey: asked.dhPublicKey,
  });
  await call("keys.issuer_install", { certificate });
  return { registrar, keyId: asked.keyId, formerKeyId: asked.formerKeyId };
}

/** Undefined: the home has none, and nothing is known but what issuers had so far. */
async function loadMeshFile(home: MeshHome): Promise<MeshFile | undefined> {
  const bytes = await home.load("mesh.toml");
  if (bytes === undefined) return undefined;
  return parseMeshFile(new TextDecoder().decode(bytes), { file: home.path("mesh.toml") });
}
