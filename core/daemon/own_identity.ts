/**
 * Who this daemon is: the keys are those of its whole life, the certificate can be renewed while it
 * runs. What is shown in handshakes is always the newest one.
 */

import { AuthenticationError } from "../errors.ts";
import type { Identity } from "../security/chain.ts";
import type { Self } from "../security/trust.ts";
import { equalBytes } from "../wire/bytes.ts";

/** One for each daemon. */
export class OwnIdentity {
  #self: Self;

  constructor(self: Self) {
    this.#self = self;
  }

  /** As of now. */
  get self(): Self {
    return this.#self;
  }

  /**
   * Takes a certificate that was verified. Throws AuthenticationError unless it says the same of the
   * same keys: whoever renews decides about time alone.
   */
  renew(identity: Identity): void {
    const { name, type, groups, keyId, dhPublicKey } = this.#self.identity;
    const isSame = identity.keyId === keyId && identity.name === name && identity.type === type &&
      equalBytes(identity.dhPublicKey, dhPublicKey) &&
      [...identity.groups].sort().join() === [...groups].sort().join();
    if (!isSame) {
      throw new AuthenticationError(
        "key-mismatch",
        `Renewed certificate of "${identity.name}" is not for the key, name and groups of "${name}"`,
      );
    }
    this.#self = { ...this.#self, identity };
  }
}
