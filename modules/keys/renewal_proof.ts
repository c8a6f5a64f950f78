/** Who asks for a renewal: the holder of the key of a node's certificate, expired or not, a moment ago. */

import { CallError, type Clock, type Identity, type ModuleHost } from "../../core/mod.ts";
import { formatDuration } from "../shared/duration.ts";
import { type Renewal, RENEWAL_DOMAIN, renewalBytes } from "../shared/renewal_verbs.ts";
import { RENEWAL_AGE_MS_MAX } from "./limits.ts";

/** Throws AuthenticationError and CallError, with the reason. */
export function requireOwner(
  { chain, unixMs, signature }: Renewal,
  judges: Pick<ModuleHost, "verifyChain" | "verify">,
  clock: Pick<Clock, "now">,
): Identity {
  const identity = judges.verifyChain(chain, { allowExpired: true });
  const { name, certificate, signPublicKey } = identity;
  if (identity.type !== "node") throw new CallError("refused", `"${name}" is no node`);
  const bytes = renewalBytes(unixMs, certificate.bytes);
  if (!judges.verify(RENEWAL_DOMAIN, { publicKey: signPublicKey, bytes, signature })) {
    throw new CallError("refused", `The request is not signed by the key of "${name}"`);
  }
  const off = unixMs - clock.now();
  if (Math.abs(off) <= RENEWAL_AGE_MS_MAX) return identity;
  const text = formatDuration(Math.abs(off));
  throw new CallError(
    "refused",
    `The clock of "${name}" is ${text} ${
      off > 0 ? "ahead of" : "behind"
    } ours, or its request is old`,
  );
}
