/** Brings documents to the mesh, and sees that they count on every node that is up. */

import * as v from "valibot";
import { CallError, type DocumentKind, errorText } from "../../core/mod.ts";
import { askAnyone, isAway } from "./ask_anyone.ts";
import type { CommandContext, MeshClient } from "./command.ts";
import { OfferedSchema, VersionsSchema } from "./document_verbs.ts";
import { callGroup } from "./group_client.ts";
import type { GroupResult } from "./group_result.ts";
import { foldNodeset } from "./nodeset.ts";
import { PUBLISHED_ANSWER_MS_MAX, PUBLISHED_MS_MAX, PUBLISHED_POLL_MS } from "./limits.ts";

/** A signed document, and its version. */
export interface Publication {
  readonly kind: DocumentKind;
  readonly version: number;
  readonly bytes: Uint8Array;
}

/** Who has it. */
export interface Published {
  /** Names of nodes on which all of it counts. */
  readonly counts: readonly string[];
  /** Up, and without it still. */
  readonly lacking: readonly string[];
  /** They get it when they come back. */
  readonly away: readonly string[];
  readonly ms: number;
}

/** Undefined when no node can be reached, or none tells any more who has it; the reason is noted. */
export async function publish(
  context: CommandContext,
  options: { readonly mesh: string; readonly publications: readonly Publication[] },
): Promise<Published | undefined> {
  let isReached = false;
  try {
    return await askAnyone(context, options.mesh, (client) => {
      isReached = true;
      return offer(context, client, options.publications);
    });
  } catch (error) {
    if (!isAway(error)) throw error;
    context.out.warn(
      isReached
        // It may have taken what it was told: others hear it from there.
        ? `Where it counts is not known: ${errorText(error)}; "minime mesh publish" tells the ` +
          "mesh again, and says it"
        : `Nobody was told yet: ${errorText(error)}; "minime mesh publish" tells the mesh later`,
    );
    return undefined;
  }
}

async function offer(
  { env: { clock }, signal }: CommandContext,
  client: MeshClient,
  publications: readonly Publication[],
): Promise<Published> {
  const begun = clock.monotonic();
  for (const { kind, bytes } of publications) {
    v.parse(OfferedSchema, await client.request("documents.offer", { kind, bytes }));
  }
  for (;;) {
    const result = await callGroup(client, {
      targets: "",
      steps: [{ verb: "documents.versions", args: {} }],
      reduce: { kind: "list" },
      deadlineMs: PUBLISHED_ANSWER_MS_MAX,
      signal,
    });
    const ms = clock.monotonic() - begun;
    const published = judge(result, publications, ms);
    if (published.lacking.length === 0 || ms > PUBLISHED_MS_MAX) return published;
    await clock.sleep(PUBLISHED_POLL_MS, { signal });
  }
}

/** A line for people. */
export function publishedText({ counts, lacking, away, ms }: Published): string {
  const parts = [
    `counts on ${counts.length === 0 ? "no node" : foldNodeset(counts)} after ${Math.round(ms)} ms`,
    ...lacking.length === 0 ? [] : [`not yet on ${foldNodeset(lacking)}`],
    ...away.length === 0 ? [] : [`${foldNodeset(away)} will be told when back`],
  ];
  return parts.join("; ");
}

function judge(
  { values, failures }: GroupResult,
  publications: readonly Publication[],
  ms: number,
): Published {
  const counts: string[] = [];
  const lacking: string[] = [];
  for (const [name, value] of values) {
    const versions = v.safeParse(VersionsSchema, value);
    if (!versions.success) throw new CallError("failed", `"${name}" names no versions`);
    const has = publications.every(({ kind, version }) =>
      (versions.output[kind]?.version ?? 0) >= version
    );
    (has ? counts : lacking).push(name);
  }
  return { counts, lacking, away: [...failures.keys()], ms };
}
