/**
 * Looks around on behalf of a node that nobody links with, since its certificate has expired: asks who
 * renews certificates or reaches who does, says nothing of itself, and tells where the answers came from. What it hears is a
 * place and no more: who is there proves itself, and what it gives is verified.
 */

import { ConnectionError, type Environment } from "../../core/mod.ts";
import type { Place } from "./candidates.ts";
import { INQUIRY_MS, INQUIRY_PLACES_MAX, MDNS_GROUP } from "./limits.ts";
import { decodeWord, encodeCall } from "./word.ts";

type Needs = Pick<Environment, "clock"> & {
  readonly network: Pick<Environment["network"], "multicast">;
};

/** Places where somebody of the mesh is, those who answered first. Rejects with ConnectionError. */
export async function inquire(
  { clock, network }: Needs,
  { tags, signal }: { readonly tags: readonly string[]; readonly signal: AbortSignal },
): Promise<readonly Place[]> {
  const group = network.multicast(MDNS_GROUP);
  const close = () => group.close();
  const timer = clock.after(INQUIRY_MS, close);
  signal.addEventListener("abort", close);
  /** By text; the value: whether it was an answer. */
  const heard = new Map<string, { readonly place: Place; readonly answers: boolean }>();
  try {
    for (const address of await group.networks()) {
      for (const tag of tags) await group.send(encodeCall(tag), address);
    }
    while (heard.size < INQUIRY_PLACES_MAX) {
      const { bytes, from } = await group.receive();
      for (const tag of tags) {
        const word = decodeWord(tag, bytes);
        if (word === undefined) continue;
        const { keyId, port, asks } = word;
        const text = `${keyId} ${from}:${port}`;
        if (asks && heard.has(text)) continue;
        heard.set(text, { place: { keyId, host: from, port }, answers: !asks });
      }
    }
  } catch (error) {
    // That is how listening ends.
    if (!(error instanceof ConnectionError) || error.reason !== "closed") throw error;
  } finally {
    timer.cancel();
    signal.removeEventListener("abort", close);
    group.close();
  }
  const places = [...heard.values()];
  const those = (answers: boolean) =>
    places.filter((each) => each.answers === answers).map(({ place }) => place);
  return [...those(true), ...those(false)];
}
