/** `minime revoke`: keys that no node of the mesh trusts any more. */

import * as v from "valibot";
import {
  CallError,
  choosePrimitives,
  ConnectionError,
  errorText,
  parseCertificate,
  type Primitives,
  type Revocation,
  REVOKED_FOR_EVER,
  signRevocations,
  UsageError,
  verifyRevocations,
} from "../../core/mod.ts";
import { askAnyone } from "../shared/ask_anyone.ts";
import { type Authority, loadAuthority, rootSeedOf } from "../shared/authority.ts";
import type { CommandContext, OptionsOf } from "../shared/command.ts";
import { loadRevocations } from "../shared/credentials.ts";
import { DocumentSchema } from "../shared/document_verbs.ts";
import { EXIT } from "../shared/exit_code.ts";
import { lockHome } from "../shared/home_lock.ts";
import type { MeshHome } from "../shared/mesh_home.ts";
import { readMeshView } from "../shared/mesh_query.ts";
import { didYouMean } from "../shared/suggest.ts";
import type { revokeOptions } from "./commands.ts";
import { publish, publishedText } from "../shared/publish.ts";

/** Somebody with a key, whatever they are. */
interface Keyholder {
  readonly name: string;
  readonly keyId: string;
}

/** Exit code 4 when no node could be told yet, 1 when some that is up was not. */
export async function runRevoke(
  context: CommandContext,
  { json }: OptionsOf<typeof revokeOptions>,
  args: readonly string[],
): Promise<number> {
  const { env, out } = context;
  const home = await context.home();
  using _lock = await lockHome(context, home);
  using primitives = await choosePrimitives();
  const authority = await loadAuthority(home, primitives);
  const rootSeed = rootSeedOf(authority, "a revocation list");
  const mesh = await askMesh(context, home, { authority, primitives });
  const revoked = findKeys(args, await keyholders(home, mesh.nodes));
  await refuseOwnKey(home, primitives, revoked);
  const own = await loadRevocations(home, primitives, authority.rootPublicKey);
  const version = Math.max(own?.version ?? 0, mesh.version) + 1;
  const bytes = signRevocations(primitives, {
    meshId: authority.meshId,
    version,
    issuedMs: Math.floor(env.clock.now()),
    entries: [
      ...own?.entries ?? [],
      ...mesh.entries,
      ...revoked.map(({ keyId }) => ({ keyId, time: REVOKED_FOR_EVER })),
    ],
    rootSeed,
  });
  await home.store("revocations.signed", bytes);
  const gone = new Set(revoked.map(({ keyId }) => keyId));
  await home.storeNodes((await home.nodes()).filter(({ keyId }) => !gone.has(keyId)));
  const publication = { kind: "revocations" as const, version, bytes };
  const published = await publish(context, { mesh: home.name, publications: [publication] });
  if (json) out.json({ mesh: home.name, version, revoked, ...published });
  else {
    for (const { name, keyId } of revoked) out.print(`Revoked: ${name}, key ${keyId.slice(0, 16)}`);
    if (published !== undefined) {
      out.print(`Revocation list ${version} ${publishedText(published)}`);
    }
  }
  if (published === undefined) return EXIT.unreachable;
  return published.lacking.length > 0 ? EXIT.someFailed : EXIT.ok;
}

/** What the mesh knows; nothing when nobody answers, which is no reason to wait. */
async function askMesh(
  context: CommandContext,
  home: MeshHome,
  { authority, primitives }: { readonly authority: Authority; readonly primitives: Primitives },
): Promise<{
  readonly nodes: readonly Keyholder[];
  readonly version: number;
  readonly entries: readonly Revocation[];
}> {
  try {
    return await askAnyone(context, home.name, async (client) => {
      const { nodes } = await readMeshView(client, { signal: context.signal });
      let list;
      try {
        const reply = await client.request("documents.get", { kind: "revocations" });
        const { bytes } = v.parse(DocumentSchema, reply);
        list = verifyRevocations(primitives, { ...authority, bytes });
      } catch (error) {
        // "failed" is how a node says that it has none.
        if (!(error instanceof CallError && error.class === "failed")) throw error;
      }
      return { nodes, version: list?.version ?? 0, entries: list?.entries ?? [] };
    });
  } catch (error) {
    if (!(error instanceof ConnectionError)) throw error;
    context.out.detail(`The mesh cannot be asked: ${errorText(error)}`);
    return { nodes: [], version: 0, entries: [] };
  }
}

async function keyholders(
  home: MeshHome,
  nodes: readonly Keyholder[],
): Promise<readonly Keyholder[]> {
  const all = [
    ...nodes,
    ...await home.nodeKeys(),
    ...await home.nodes(),
    ...await home.users(),
  ];
  return [...new Map(all.map(({ name, keyId }) => [keyId, { name, keyId }])).values()];
}

/** A name means all keys that it ever had, as far as anybody knows. */
function findKeys(args: readonly string[], known: readonly Keyholder[]): Keyholder[] {
  return args.flatMap((arg) => {
    const found = known.filter(({ name, keyId }) => name === arg || keyId === arg.toLowerCase());
    if (found.length > 0) return found;
    // A key may be revoked that nobody here has ever met.
    if (/^[0-9a-f]{64}$/i.test(arg)) return [{ name: "somebody", keyId: arg.toLowerCase() }];
    const suggestion = didYouMean(arg, new Set(known.map(({ name }) => name)));
    throw new UsageError(`Nobody called "${arg}" is known here${suggestion}`, {
      hint: "Somebody who got a certificate elsewhere is revoked by key id: 64 hex digits",
    });
  });
}

/** Whoever revokes themselves cannot take it back. */
async function refuseOwnKey(
  home: MeshHome,
  primitives: Primitives,
  revoked: readonly Keyholder[],
): Promise<void> {
  const bytes = await home.load("user.cert");
  const own = bytes && parseCertificate(primitives, bytes).keyId;
  if (!revoked.some(({ keyId }) => keyId === own)) return;
  throw new UsageError("That is your own key: the mesh would not let you in any more");
}
