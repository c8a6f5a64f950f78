/**
 * What the origin, and nobody else, does about targets whose way was lost: it sends again, with the
 * same id, around the broken edge, however long it has been running. A target that did get the first
 * copy attaches and never runs twice, and one that did not begins nothing after its latest start. One
 * that stays unreachable is told apart by whether any copy may have reached it.
 */

import type { Clock, Timer } from "../../core/mod.ts";
import type { MeshPicture } from "../shared/mesh_view.ts";
import { ATTEMPTS_MAX, AVOID_EDGES_MAX, FLAP_MS, RESEND_MS } from "./limits.ts";
import type { Detail } from "./partial.ts";
import type { Edge } from "./tree.ts";

export interface ResenderOptions {
  readonly clock: Pick<Clock, "now" | "after">;
  readonly picture: MeshPicture;
  readonly targets: ReadonlyMap<number, string>;
  readonly send: (targets: ReadonlyMap<number, string>) => void;
  readonly fail: (indices: readonly number[], detail: Detail) => void;
}

export class Resender {
  /** Edges found broken; grows. */
  readonly avoid: Edge[] = [];
  readonly #options: ResenderOptions;
  readonly #attempts = new Map<number, number>();
  readonly #maybeRan = new Set<number>();
  /** What was lost first says more than that later ways did not exist. */
  readonly #firstLoss = new Map<number, Detail>();
  readonly #timers = new Set<Timer>();

  constructor(options: ResenderOptions) {
    this.#options = options;
  }

  /** Sends them again soon, or fails them. */
  readonly lost = (indices: readonly number[], detail: Detail): void => {
    this.#remember(indices, detail);
    const again = new Map<number, Map<number, string>>();
    for (const index of indices) {
      const name = this.#options.targets.get(index) ?? "";
      const attempt = this.#attempts.get(index) ?? 1;
      if (!this.#worthwhile(name, attempt)) {
        this.#fail(index, name, detail);
        continue;
      }
      if (attempt === 1) this.#firstLoss.set(index, detail);
      this.#attempts.set(index, attempt + 1);
      const batch = again.get(attempt);
      if (batch === undefined) again.set(attempt, new Map([[index, name]]));
      else batch.set(index, name);
    }
    for (const [attempt, batch] of again) this.#sendLater(batch, RESEND_MS * 2 ** (attempt - 1));
  };

  /** A copy may have reached the target before its way was lost. */
  readonly mayHaveRan = (index: number): boolean => this.#maybeRan.has(index);

  stop(): void {
    for (const timer of this.#timers) timer.cancel();
    this.#timers.clear();
  }

  #worthwhile(name: string, attempt: number): boolean {
    const { clock, picture } = this.#options;
    const node = picture.byName(name);
    const now = clock.now();
    if (node === undefined || attempt >= ATTEMPTS_MAX) return false;
    return node.state === "up" || (node.state === "down" && now - node.since < FLAP_MS);
  }

  #remember(indices: readonly number[], { by, at, ran }: Detail): void {
    if (ran === "maybe") { for (const index of indices) this.#maybeRan.add(index); }
    if (by === undefined || at === undefined || this.avoid.length >= AVOID_EDGES_MAX) return;
    if (this.avoid.some(([from, to]) => from === by && to === at)) return;
    this.avoid.push([by, at]);
  }

  #fail(index: number, name: string, detail: Detail): void {
    const { reason, at, since } = this.#firstLoss.get(index) ?? detail;
    const node = this.#options.picture.byName(name);
    this.#options.fail([index], {
      reason,
      ran: this.#maybeRan.has(index) ? "maybe" : "never",
      ...(at === undefined ? {} : { at }),
      ...(node === undefined || node.state === "up" ? {} : { since: since ?? node.since }),
    });
  }

  #sendLater(batch: ReadonlyMap<number, string>, ms: number): void {
    const timer = this.#options.clock.after(ms, () => {
      this.#timers.delete(timer);
      this.#options.send(batch);
    });
    this.#timers.add(timer);
  }
}
