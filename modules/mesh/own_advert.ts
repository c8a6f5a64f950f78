/**
 * What this node says about itself: when its links change, soon, but never in quick succession.
 *
 * An advert of our own key that we did not make comes from another life of it. If its incarnation is
 * not below ours, we jump above it, and the mesh believes us. When that other life then jumps above
 * us, again and again, it is alive: a machine was cloned. The smaller instance id stays; the other
 * one stops and says why.
 */

import { type Log, type ModuleHost, type Timer, toHex, VERSION } from "../../core/mod.ts";
import { ADVERT_DOMAIN, compareVersions, encodeAdvert, type ReceivedAdvert } from "./advert.ts";
import {
  ADVERT_DELAY_MS,
  ADVERT_ENDPOINTS_MAX,
  ADVERT_LINKS_MAX,
  ADVERTS_AT_ONCE_MAX,
  TWIN_JUMPS_MAX,
} from "./limits.ts";

export interface OwnAdvertOptions {
  readonly host: Pick<ModuleHost, "self" | "instance" | "sign"> & {
    readonly env: { readonly clock: ModuleHost["env"]["clock"] };
  };
  readonly log: Log;
  /** Where we are now. */
  readonly segment: () => string;
  /** Where others reach us now: a machine may be given other addresses. */
  readonly endpoints: () => readonly string[];
  readonly incarnation: number;
  /** Key ids of the nodes that we have links to now. */
  readonly links: () => Iterable<string>;
  /** In the long run one advert in this time. */
  readonly intervalMs: () => number;
  /** What is not urgent waits so long for more. */
  readonly unhurriedMs: () => number;
  /** Takes each new advert into the table and to the neighbours. */
  readonly publish: (received: ReceivedAdvert) => void;
  /** Another daemon with our key lives, and it is we who must go. */
  readonly onTwin: (text: string) => void;
}

export class OwnAdvert {
  readonly #options: OwnAdvertOptions;
  #incarnation: number;
  #sequence = 0;
  /** As said last. */
  #endpoints: readonly string[] = [];
  /** How many may be said at once, as of `#creditAt`. */
  #credit = ADVERTS_AT_ONCE_MAX;
  #creditAt: number;
  #timer: Timer | undefined;
  /** Monotonic ms: when the timer is due. */
  #dueAt = Infinity;
  #stopped = false;
  /** How often another life of our key jumped above us, by instance. */
  readonly #jumps = new Map<string, number>();

  constructor(options: OwnAdvertOptions) {
    this.#options = options;
    this.#incarnation = options.incarnation;
    this.#creditAt = options.host.env.clock.monotonic();
  }

  /** The first one, at once. */
  start(): void {
    this.#say(false);
  }

  /** Our links are others now. */
  changed({ urgent = true }: { readonly urgent?: boolean } = {}): void {
    if (this.#stopped) return;
    const { clock } = this.#options.host.env;
    const now = clock.monotonic();
    const intervalMs = this.#options.intervalMs();
    const earned = (now - this.#creditAt) / intervalMs;
    this.#credit = Math.min(ADVERTS_AT_ONCE_MAX, this.#credit + earned);
    this.#creditAt = now;
    const soonMs = Math.max(ADVERT_DELAY_MS, (1 - this.#credit) * intervalMs);
    const dueAt = now + (urgent ? soonMs : Math.max(soonMs, this.#options.unhurriedMs()));
    if (this.#dueAt <= dueAt) return;
    this.#timer?.cancel();
    this.#dueAt = dueAt;
    this.#timer = clock.after(dueAt - now, () => this.#say(false));
  }

  /** Whether others reach us elsewhere by now. */
  look(): void {
    const endpoints = this.#endpointsNow();
    if (endpoints.join() === this.#endpoints.join()) return;
    this.#options.log("info", `Others reach this node at ${endpoints.join(", ")} from now on`);
    this.changed();
  }

  /** What waits without hurry, if anything does, is to be told now. */
  hurry(): void {
    if (this.#dueAt < Infinity) this.changed();
  }

  /** Somebody has an advert of our key with a good signature. */
  meet({ advert }: ReceivedAdvert, { forgotten }: { readonly forgotten: boolean }): void {
    const { instance } = this.#options.host;
    const order = compareVersions(advert, {
      incarnation: this.#incarnation,
      sequence: this.#sequence,
      instance,
    });
    const ours = advert.instance === instance;
    if (this.#stopped || order < 0 || (order === 0 && ours && !forgotten)) return;
    if (order === 0 && ours) {
      // Whoever forgot us did not see us: anything newer brings us back.
      this.changed();
      return;
    }
    this.#incarnation = advert.incarnation + 1;
    this.#sequence = 0;
    this.changed();
    if (!ours && !advert.leaving) this.#countJump(advert.instance);
  }

  /** A goodbye, the last advert. */
  leave(): void {
    this.#say(true);
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  #countJump(instance: string): void {
    const { host, log, onTwin } = this.#options;
    const jumps = (this.#jumps.get(instance) ?? 0) + 1;
    this.#jumps.set(instance, jumps);
    if (jumps !== TWIN_JUMPS_MAX) return;
    const text = `Another daemon uses the key of "${host.self.name}" (its instance is ` +
      `${instance.slice(0, 16)}, ours ${host.instance.slice(0, 16)}): was this machine cloned`;
    if (host.instance < instance) log("warning", `${text}; the other one must stop`);
    else onTwin(text);
  }

  #endpointsNow(): readonly string[] {
    return this.#options.endpoints().slice(0, ADVERT_ENDPOINTS_MAX);
  }

  #say(leaving: boolean): void {
    const { host, segment, links, publish } = this.#options;
    this.#endpoints = this.#endpointsNow();
    this.#dueAt = Infinity;
    this.#credit--;
    this.#sequence++;
    const advert = {
      meshId: toHex(host.self.certificate.meshId),
      keyId: host.self.keyId,
      incarnation: this.#incarnation,
      sequence: this.#sequence,
      instance: host.instance,
      leaving,
      version: VERSION,
      segment: segment(),
      endpoints: this.#endpoints,
      // More could not be read by anybody; the rest is left out, and so not used, by all alike.
      links: [...links()].sort().slice(0, ADVERT_LINKS_MAX),
    };
    publish(encodeAdvert(advert, (bytes) => host.sign(ADVERT_DOMAIN, bytes)));
  }
}
