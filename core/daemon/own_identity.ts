/**
 * Who this daemon is: the keys are those of its whole life, the certificate can be renewed while it
 * runs. What is shown in handshakes is always the newest one.
 */

import { AuthenticationError } from "../errors.ts";
import { type Identity, isSameSubject } from "../security/chain.ts";
import type { Self } from "../security/trust.ts";

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
    if (!isSameSubject(identity, this.#self.identity)) {
      const { name } = this.#self.identity;
      throw new AuthenticationError(
        "key-mismatch",
        `Renewed certificate of "${identity.name}" is not for the key, name and groups of "${name}"`,
      );
    }
    this.#self = { ...this.#self, identity };
  }
}
