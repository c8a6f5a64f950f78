/**
 * The node's own certificate, kept alive: at two thirds of its life a registrar of the mesh is asked
 * for another one, again and again until one has answered. While the old one lasts nobody notices; what
 * comes of it, and warnings before an end, are in the log and in `keys.status`.
 */

import {
  AuthenticationError,
  CallError,
  type Certificate,
  errorText,
  type Identity,
  isSameSubject,
  MinimeError,
  type ModuleHost,
} from "../../core/mod.ts";
import { lessByChance } from "../shared/chance.ts";
import { formatDuration } from "../shared/duration.ts";
import { lifeOf, renewalAt } from "../shared/renewal.ts";
import { type Renewal, RENEWAL_DOMAIN, renewalBytes } from "../shared/renewal_verbs.ts";
import { askRegistrars } from "./registrars.ts";
import type { RenewalOffice } from "./renewal_office.ts";
import {
  EXPIRY_WARNINGS,
  RENEWAL_BACKOFF_MS_MAX,
  RENEWAL_BACKOFF_MS_MIN,
  RENEWAL_CHECK_MS,
  RENEWAL_SPREAD,
} from "./limits.ts";

/** What a node does with its renewed chain besides showing it: keeps it for the next start. */
export type KeepChain = (chain: readonly Uint8Array[]) => Promise<void>;
/** Asks a registrar directly, which works for who has expired and is let in by nobody. */
export type ReviveChain = (signal: AbortSignal) => Promise<readonly Uint8Array[]>;

/** What the daemon's own files add. */
export interface RenewalOptions {
  readonly keep?: KeepChain;
  readonly revive?: ReviveChain;
  /** Of a registrar. */
  readonly office?: Pick<RenewalOffice, "issuer">;
}

/** From the module's start to its stop. */
export class RenewalWatch {
  readonly #host: ModuleHost;
  readonly #options: RenewalOptions;
  readonly #stopping = new AbortController();
  readonly #running: Promise<void>;
  #renewing: Promise<Identity> | undefined;
  #trouble: string | undefined;
  readonly #ownEnd = new EndWatch();
  readonly #issuerEnd = new EndWatch();

  constructor(host: ModuleHost, options: RenewalOptions) {
    this.#host = host;
    this.#options = options;
    this.#running = this.#run();
  }

  /** Why it could not be renewed; undefined while all is well. */
  get trouble(): string | undefined {
    return this.#trouble;
  }

  /** At once, whether it is due or not; who asks while it goes on gets the same. */
  renew(): Promise<Identity> {
    this.#renewing ??= this.#renew().finally(() => this.#renewing = undefined);
    return this.#renewing;
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
    await this.#renewing?.catch(() => {}); // Whoever asked for it hears of it.
  }

  async #run(): Promise<void> {
    const { env: { clock }, log } = this.#host;
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      let waitMs = this.#dueAt() - clock.now();
      if (waitMs <= 0) {
        try {
          await this.renew();
          continue;
        } catch (error) {
          if (signal.aborted) return;
          if (!(error instanceof MinimeError)) throw error;
          const text = errorText(error);
          if (text !== this.#trouble) log("warning", `Certificate is not renewed yet: ${text}`);
          this.#trouble = text;
          waitMs = this.#backoffMs();
        }
      }
      this.#warn();
      // Aborts only when we stop.
      await clock.sleep(Math.min(waitMs, RENEWAL_CHECK_MS), { signal }).catch(() => {});
    }
  }

  #dueAt(): number {
    const { self } = this.#host;
    const spread = parseInt(self.keyId.slice(0, 8), 16) / 2 ** 32 * RENEWAL_SPREAD;
    return renewalAt(self) + spread * lifeOf(self);
  }

  #backoffMs(): number {
    const { self, env: { clock, random } } = this.#host;
    // After its end too it grows: nobody comes back sooner for being asked more often.
    const tenth = Math.abs(self.notAfter - clock.now()) / 10;
    const most = Math.min(RENEWAL_BACKOFF_MS_MAX, Math.max(RENEWAL_BACKOFF_MS_MIN, tenth));
    return lessByChance(most, random);
  }

  #warn(): void {
    const { self, env: { clock }, log } = this.#host;
    const { certificate: { notBefore }, notAfter } = self;
    const own = this.#ownEnd.look({ notBefore, notAfter }, clock.now());
    if (own !== undefined) {
      const what = own <= 0
        ? "has expired: nobody links with this node any more"
        : `ends in ${formatDuration(own)}`;
      log(own <= 0 ? "error" : "warning", `Certificate of "${self.name}" ${what}`);
    }
    const issuer = this.#options.office?.issuer;
    const left = issuer && this.#issuerEnd.look(issuer, clock.now());
    if (left === undefined) return;
    const what = left <= 0
      ? "has expired: this registrar renews and admits nobody"
      : `ends in ${formatDuration(left)}, and what it has signed ends with it`;
    const how = '"minime mesh rotate issuer" makes another one';
    log(left <= 0 ? "error" : "warning", `The issuer of this registrar ${what}: ${how}`);
  }

  async #renew(): Promise<Identity> {
    const { self, env, log } = this.#host;
    const { keep, revive } = this.#options;
    const isLetIn = env.clock.now() <= self.notAfter;
    const chain = isLetIn || revive === undefined
      ? await askRegistrars(this.#host, renewalOf(this.#host), {
        whyUseless: (chain) => this.#whyUseless(chain),
        signal: this.#stopping.signal,
      })
      : await revive(this.#stopping.signal);
    const useless = this.#whyUseless(chain);
    if (useless !== undefined) throw new CallError("failed", useless);
    // First on disk: what others were shown must not be forgotten by a restart.
    if (keep !== undefined) {
      await keep(chain).catch((error: unknown) => {
        if (!(error instanceof MinimeError)) throw error;
        log("warning", `Renewed certificate cannot be kept: ${errorText(error)}`);
      });
    }
    const identity = this.#host.renewed(chain);
    await this.#host.module("mesh").request("mesh.renewed", {});
    this.#trouble = undefined;
    const left = formatDuration(identity.notAfter - env.clock.now());
    log("info", `Certificate was renewed, for another ${left}`);
    return identity;
  }

  /** The same for the same keys, and for longer: whoever answers, or carries it, may be mistaken. */
  #whyUseless(chain: readonly Uint8Array[]): string | undefined {
    const { self } = this.#host;
    try {
      const given = this.#host.verifyChain(chain);
      if (!isSameSubject(given, self)) {
        return "The certificate that it gave is not for our key, name and groups";
      }
      if (given.notAfter > self.notAfter) return undefined;
    } catch (error) {
      if (!(error instanceof AuthenticationError)) throw error;
      return errorText(error);
    }
    return 'The registrar has none that lasts longer: its issuer ends too soon, see "minime mesh rotate"';
  }
}

/** Warns once for each part of a life that is left, of a certificate and of each that follows it. */
class EndWatch {
  #warned = { notAfter: 0, part: Infinity };

  /** How many ms are left, where that is to be told now. `now` in unix ms. */
  look(
    { notBefore, notAfter }: Pick<Certificate, "notBefore" | "notAfter">,
    now: number,
  ): number | undefined {
    if (this.#warned.notAfter !== notAfter) this.#warned = { notAfter, part: Infinity };
    const left = notAfter - now;
    const life = Math.max(0, notAfter - notBefore);
    const part = left <= 0 ? 0 : EXPIRY_WARNINGS.filter((part) => left < part * life).at(-1);
    if (part === undefined || part >= this.#warned.part) return undefined;
    this.#warned = { notAfter, part };
    return left;
  }
}

/** What proves to a registrar that we hold the key. */
export function renewalOf(
  host: Pick<ModuleHost, "self" | "sign"> & { readonly env: Pick<ModuleHost["env"], "clock"> },
): Renewal {
  const { self: { chain, certificate }, env: { clock } } = host;
  const unixMs = Math.floor(clock.now());
  const signature = host.sign(RENEWAL_DOMAIN, renewalBytes(unixMs, certificate.bytes));
  return { chain: [...chain], unixMs, signature };
}
