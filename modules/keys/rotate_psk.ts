/**
 * A new PSK for the mesh: a document that the root signs, which reaches all nodes over encrypted
 * links. It is in the home before anybody is told, so a command that was cut short is repeated by
 * "minime mesh publish".
 */

import * as v from "valibot";
import {
  CallError,
  ConnectionError,
  errorText,
  type MeshSecrets,
  type Primitives,
  signMeshSecrets,
  UsageError,
  verifyMeshSecrets,
} from "../../core/mod.ts";
import { type Authority, KEY_BYTES } from "../shared/authority.ts";
import type { CommandContext } from "../shared/command.ts";
import { loadSecrets } from "../shared/credentials.ts";
import { DocumentSchema } from "../shared/document_verbs.ts";
import { formatDuration } from "../shared/duration.ts";
import { EXIT } from "../shared/exit_code.ts";
import type { MeshHome } from "../shared/mesh_home.ts";
import { publish, publishedText } from "../shared/publish.ts";
import { OVERLAP_MS_MAX, OVERLAP_MS_MIN } from "./limits.ts";

/** What both rotations need. */
export interface RotateParts {
  readonly home: MeshHome;
  readonly primitives: Primitives;
  readonly authority: Authority;
  readonly rootSeed: Uint8Array;
}

interface RotatePskOptions {
  readonly overlap: number;
  readonly finish: boolean;
  readonly json: boolean;
}

/** Refuses a second one before the overlap of the first has ended: nodes accept two at most. */
export async function rotatePsk(
  context: CommandContext,
  { home, primitives, authority, rootSeed }: RotateParts,
  { overlap, finish, json }: RotatePskOptions,
): Promise<number> {
  const { env: { clock, random }, out } = context;
  if (overlap < OVERLAP_MS_MIN || overlap > OVERLAP_MS_MAX) {
    throw new UsageError(
      `An overlap lasts from ${formatDuration(OVERLAP_MS_MIN)} to ${
        formatDuration(OVERLAP_MS_MAX)
      }, not ${formatDuration(overlap)}`,
    );
  }
  const { meshId, rootPublicKey } = authority;
  const newest = await newestOf(context, { home, primitives, authority });
  const now = Math.floor(clock.now());
  const isOverlapping = newest?.former !== undefined && now <= newest.formerUntilMs;
  if (isOverlapping && !finish) {
    throw new UsageError(
      `The PSK before the present one is accepted for another ${
        formatDuration(newest.formerUntilMs - now)
      }`,
      { hint: 'Wait for that, or refuse it from now on: "minime mesh rotate psk --finish"' },
    );
  }
  if (finish && !isOverlapping) throw new UsageError("No PSK but the present one is accepted");
  const present = newest?.secret.psk ?? authority.psk;
  const untilMs = now + overlap;
  const version = (newest?.version ?? 0) + 1;
  const bytes = signMeshSecrets(primitives, {
    meshId,
    version,
    issuedMs: now,
    psk: finish ? present : random.bytes(KEY_BYTES),
    ...(finish ? {} : { former: { psk: present, untilMs } }),
    rootSeed,
  });
  verifyMeshSecrets(primitives, { bytes, meshId, rootPublicKey });
  await home.store("secrets.signed", bytes);
  const publication = { kind: "secrets" as const, version, bytes };
  const published = await publish(context, { mesh: home.name, publications: [publication] });
  if (json) {
    out.json({ mesh: home.name, version, formerUntil: finish ? now : untilMs, ...published });
  } else {
    if (published !== undefined) out.print(`PSK version ${version} ${publishedText(published)}`);
    out.print(
      finish
        ? "The one before is refused from now on"
        : `The one before is accepted for another ${formatDuration(overlap)}`,
    );
    out.note(
      `Who is away for longer needs "${home.path("secrets.signed")}": nodes in their folder of ` +
        `keys, people in their home of the mesh; hosts of boot are booted again`,
    );
  }
  if (published === undefined) return EXIT.unreachable;
  return published.lacking.length > 0 ? EXIT.someFailed : EXIT.ok;
}

/** Of the home and the mesh: somebody else may have rotated with a copy of the root key. */
async function newestOf(
  context: CommandContext,
  { home, primitives, authority }: Omit<RotateParts, "rootSeed">,
): Promise<MeshSecrets | undefined> {
  const { meshId, rootPublicKey } = authority;
  const own = await loadSecrets(home, primitives, rootPublicKey);
  try {
    await using client = await context.connect({ mesh: home.name });
    const reply = v.parse(
      DocumentSchema,
      await client.request("documents.get", { kind: "secrets" }),
    );
    const { bytes } = reply;
    const theirs = verifyMeshSecrets(primitives, { bytes, meshId, rootPublicKey });
    return theirs.version > (own?.version ?? 0) ? theirs : own;
  } catch (error) {
    // "failed" is how a node says that it has none.
    const isNone = error instanceof CallError && error.class === "failed";
    if (!isNone && !(error instanceof ConnectionError)) throw error;
    if (!isNone) context.out.detail(`The mesh cannot be asked: ${errorText(error)}`);
    return own;
  }
}
