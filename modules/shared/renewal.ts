/** When a certificate is to be renewed, the same on every machine, and when a person should look. */

import type { Identity } from "../../core/mod.ts";
import { formatDuration } from "./duration.ts";
import { EXPIRY_WARNING_PART, ISSUER_RENEWAL_MS } from "./limits.ts";
import type { KeysStatus } from "./renewal_verbs.ts";

type Life = Pick<Identity, "certificate" | "notAfter">;

/** Unix ms. The end is that of the whole chain: an issuer that ends sooner counts. */
export function renewalAt({ certificate: { notBefore }, notAfter }: Life): number {
  return notBefore + (notAfter - notBefore) * 2 / 3;
}

/** Length of its life in ms. */
export function lifeOf({ certificate: { notBefore }, notAfter }: Life): number {
  return Math.max(0, notAfter - notBefore);
}

/** What is wrong, in sentences; nothing while a node can go on by itself. */
export function certificateWarnings(status: KeysStatus, now: number): string[] {
  const { trouble, registrar, notBefore, notAfter } = status;
  const left = notAfter - now;
  const isEnding = left < (notAfter - notBefore) * EXPIRY_WARNING_PART;
  return [
    ...isEnding ? [`Its certificate ${endText(left)}`] : [],
    ...trouble === null ? [] : [`It could not renew its certificate: ${trouble}`],
    ...registrar === null || registrar.notAfter - now > ISSUER_RENEWAL_MS ? [] : [
      `Its issuer ${endText(registrar.notAfter - now)}: ` +
      '"minime mesh rotate issuer" makes another one',
    ],
  ];
}

function endText(leftMs: number): string {
  return leftMs > 0 ? `ends in ${formatDuration(leftMs)}` : "has ended";
}
