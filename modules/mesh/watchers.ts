/**
 * Those who watch the mesh: each gets the whole view first and then changes. What a slow watcher has
 * not taken yet is merged, so it always gets the newest state and never costs more than one view.
 */

import type { MeshChange, MeshView, NodeView } from "../shared/mesh_view.ts";

interface Watcher {
  readonly changed: Map<string, NodeView>;
  readonly forgotten: Set<string>;
  wake: (() => void) | undefined;
}

export class Watchers {
  readonly #watchers = new Set<Watcher>();

  publish(change: MeshChange): void {
    for (const watcher of this.#watchers) {
      for (const node of change.changed) {
        watcher.forgotten.delete(node.keyId);
        watcher.changed.set(node.keyId, node);
      }
      for (const keyId of change.forgotten) {
        watcher.changed.delete(keyId);
        watcher.forgotten.add(keyId);
      }
      wake(watcher);
    }
  }

  /** Ends, without an error, when any of the signals aborts. */
  async *watch(
    view: () => MeshView,
    signals: readonly AbortSignal[],
  ): AsyncGenerator<MeshView | MeshChange, Record<never, never>, void> {
    const watcher: Watcher = { changed: new Map(), forgotten: new Set(), wake: undefined };
    const end = () => wake(watcher);
    const over = () => signals.some(({ aborted }) => aborted);
    this.#watchers.add(watcher);
    for (const signal of signals) signal.addEventListener("abort", end);
    try {
      yield view();
      while (!over()) {
        const { changed, forgotten } = watcher;
        if (changed.size === 0 && forgotten.size === 0) {
          await new Promise<void>((resolve) => watcher.wake = resolve);
          continue;
        }
        const change = { changed: [...changed.values()], forgotten: [...forgotten] };
        changed.clear();
        forgotten.clear();
        yield change;
      }
      return {};
    } finally {
      this.#watchers.delete(watcher);
      for (const signal of signals) signal.removeEventListener("abort", end);
    }
  }
}

function wake(watcher: Watcher): void {
  const run = watcher.wake;
  watcher.wake = undefined;
  run?.();
}
