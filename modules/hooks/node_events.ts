/** Finds the events in what the mesh says of its nodes. Pure. */

import type { MeshChange, NodeView } from "../shared/mesh_view.ts";
import { eventOf, type NodeEvent } from "./node_event.ts";

export class NodeEvents {
  readonly #self: string;
  readonly #onEvent: (event: NodeEvent) => void;
  /** As last seen, by key id; who has left stays so until it is up again. */
  readonly #nodes = new Map<string, NodeView>();

  /** `self` is the key id of the node that looks: of itself it tells nothing. */
  constructor(self: string, onEvent: (event: NodeEvent) => void) {
    this.#self = self;
    this.#onEvent = onEvent;
  }

  apply({ changed, forgotten }: MeshChange): void {
    for (const node of changed) {
      const before = this.#nodes.get(node.keyId);
      // It is on its way back, and may leave again before it is here.
      if (before?.state === "left" && node.state === "down") continue;
      this.#nodes.set(node.keyId, node);
      if (node.keyId === this.#self) continue;
      const event = eventOf(node, before);
      if (event !== undefined) this.#onEvent(event);
    }
    for (const keyId of forgotten) this.#nodes.delete(keyId);
  }
}
