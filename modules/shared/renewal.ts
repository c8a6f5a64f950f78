/** When a certificate is to be renewed: at two thirds of its life, the same on every machine. */

import type { Identity } from "../../core/mod.ts";

type Life = Pick<Identity, "certificate" | "notAfter">;

/** Unix ms. The end is that of the whole chain: an issuer that ends sooner counts. */
export function renewalAt({ certificate: { notBefore }, notAfter }: Life): number {
  return notBefore + (notAfter - notBefore) * 2 / 3;
}

/** Length of its life in ms. */
export function lifeOf({ certificate: { notBefore }, notAfter }: Life): number {
  return Math.max(0, notAfter - notBefore);
}
