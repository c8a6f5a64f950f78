/**
 * When the view of a daemon that has just started can be taken for the whole mesh: when others are in it
 * and it stays as it is for a while, or at last when it is no longer young. Who knows of nobody to link
 * with is taken to be alone. Looked at only while somebody waits for it.
 */

import type { Clock } from "../../core/mod.ts";
import type { MeshView } from "../shared/mesh_view.ts";
import { CALM_MS, FIRST_VIEW_MS_MAX } from "./limits.ts";

export class WholeView {
  readonly #clock: Pick<Clock, "monotonic" | "sleep">;
  readonly #view: () => MeshView;
  readonly #until: number;

  constructor(
    clock: Pick<Clock, "monotonic" | "sleep">,
    options: {
      readonly view: () => MeshView;
      /** It has been told of nodes to link with, or looks for some. */
      readonly expectsOthers: boolean;
    },
  ) {
    this.#clock = clock;
    this.#view = options.view;
    this.#until = options.expectsOthers ? clock.monotonic() + FIRST_VIEW_MS_MAX : -Infinity;
  }

  /** Resolves then. Rejects with the signal's reason. */
  async wait(signal: AbortSignal): Promise<void> {
    let before = "";
    for (;;) {
      const leftMs = this.#until - this.#clock.monotonic();
      if (leftMs <= 0) return;
      const others = this.#others();
      if (others !== "" && others === before) return;
      before = others;
      await this.#clock.sleep(Math.min(CALM_MS, leftMs), { signal });
    }
  }

  /** Those that are up, besides ourselves. */
  #others(): string {
    const { self, nodes } = this.#view();
    return nodes.filter(({ keyId, state }) => state === "up" && keyId !== self)
      .map(({ keyId }) => keyId).sort().join();
  }
}
