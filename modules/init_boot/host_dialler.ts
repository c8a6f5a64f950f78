/**
 * Dials the hosts of the mesh file that are not up, by their names, for ever: nodes may come and go
 * in any order. Which links there should be once they know each other is the mesh module's business;
 * this only makes sure that whoever lives is found, also after years, and under a new key.
 */

import {
  AuthenticationError,
  type Environment,
  errorText,
  type Links,
  type Log,
  type Timer,
} from "../../core/mod.ts";
import { lessByChance, shuffled } from "../shared/chance.ts";
import { dialLink } from "../shared/dial_link.ts";
import { nearestFirst } from "../shared/nearest_endpoints.ts";
import {
  HOST_BACKOFF_MS_MAX,
  HOST_BACKOFF_MS_MIN,
  HOST_DIAL_MS_MAX,
  HOST_DIALS_MAX,
  HOST_REASONS_MAX,
  HOSTS_CHECK_MS,
} from "./limits.ts";

/** Somebody of the mesh file, who has no key id there. */
export interface FileHost {
  readonly name: string;
  /** Empty when the file does not say where it listens: then it has to dial us. */
  readonly endpoints: readonly string[];
}

/** What dialling takes. */
export interface HostDiallerOptions {
  readonly env: Pick<Environment, "clock" | "random"> & {
    readonly network: Pick<Environment["network"], "addresses">;
  };
  readonly links: Pick<Links, "dial">;
  readonly log: Log;
  readonly isUp: (name: string) => boolean;
}

interface Target {
  readonly host: FileHost;
  attempts: number;
  /** Monotonic ms: not dialled before. */
  dueAt: number;
  dialling: boolean;
  /** What was logged since it was up, so that each reason is logged once for each endpoint. */
  readonly told: Set<string>;
}

/** Runs from the first {@link HostDialler.update} to {@link HostDialler.stop}. */
export class HostDialler {
  readonly #options: HostDiallerOptions;
  readonly #stopping = new AbortController();
  readonly #dials = new Set<Promise<void>>();
  #targets = new Map<string, Target>();
  #timer: Timer | undefined;

  constructor(options: HostDiallerOptions) {
    this.#options = options;
  }

  /** From now on these hosts, in any order. Those that were there before keep their turn. */
  update(hosts: readonly FileHost[]): void {
    const before = this.#targets;
    const reachable = hosts.filter(({ endpoints }) => endpoints.length > 0);
    // By chance, or all of a big mesh would begin with the same host.
    const order = shuffled(reachable, this.#options.env.random);
    this.#targets = new Map(order.map((host) => {
      const known = before.get(host.name);
      const same = known !== undefined &&
        known.host.endpoints.join() === host.endpoints.join();
      const fresh = { host, attempts: 0, dueAt: 0, dialling: false, told: new Set<string>() };
      return [host.name, same ? known : fresh];
    }));
    this.#check();
  }

  async stop(): Promise<void> {
    this.#timer?.cancel();
    this.#stopping.abort();
    this.#targets.clear();
    await Promise.all(this.#dials);
  }

  #check(): void {
    this.#timer?.cancel();
    if (this.#stopping.signal.aborted) return;
    const { clock } = this.#options.env;
    const now = clock.monotonic();
    // Who has waited longest first: of many dead ones, none must keep the others from their turn.
    for (const target of [...this.#targets.values()].sort((a, b) => a.dueAt - b.dueAt)) {
      if (this.#dials.size >= HOST_DIALS_MAX) break;
      if (target.dialling) continue;
      if (this.#options.isUp(target.host.name)) {
        target.attempts = 0;
        target.told.clear();
        continue;
      }
      if (target.dueAt > now) continue;
      const dial = this.#dial(target).finally(() => {
        this.#dials.delete(dial);
        // The next ones have waited long enough.
        if (this.#dials.size === HOST_DIALS_MAX - 1) this.#check();
      });
      this.#dials.add(dial);
    }
    this.#timer = clock.after(HOSTS_CHECK_MS, () => this.#check());
  }

  /** Never rejects. */
  async #dial(target: Target): Promise<void> {
    const { clock, network } = this.#options.env;
    target.dialling = true;
    for (const endpoint of nearestFirst(target.host.endpoints, network)) {
      try {
        await this.#dialEndpoint(target.host.name, endpoint);
        break;
      } catch (error) {
        if (this.#stopping.signal.aborted) return;
        this.#report(target, endpoint, error);
      }
    }
    target.dialling = false;
    // After a success too: until the mesh shows it up, it need not be dialled at once again.
    target.dueAt = clock.monotonic() + this.#backoff(target);
    target.attempts++;
  }

  async #dialEndpoint(name: string, endpoint: string): Promise<void> {
    const { env: { clock }, links } = this.#options;
    const { signal } = this.#stopping;
    const dial = { endpoint, expect: { name }, ms: HOST_DIAL_MS_MAX, signal };
    await dialLink({ clock, links }, dial);
  }

  #report(target: Target, endpoint: string, error: unknown): void {
    const text = `Cannot reach "${target.host.name}" at ${endpoint}: ${errorText(error)}`;
    if (target.told.has(text)) return;
    if (target.told.size >= HOST_REASONS_MAX) target.told.clear();
    target.told.add(text);
    this.#options.log(error instanceof AuthenticationError ? "warning" : "info", text);
  }

  #backoff({ attempts }: Target): number {
    const most = Math.min(HOST_BACKOFF_MS_MAX, HOST_BACKOFF_MS_MIN * 2 ** Math.min(attempts, 8));
    return lessByChance(most, this.#options.env.random);
  }
}
