/**
 * The list of nodes in the mesh's home while a boot changes it. Written soon after each change, so
 * that a boot which is cut short leaves a mesh that can be reached; one write at a time.
 */

import { NotFoundError } from "../../core/mod.ts";
import type { KnownNode, MeshHome } from "../shared/mesh_home.ts";

export class KnownNodes {
  readonly #home: MeshHome;
  readonly #nodes: Map<string, KnownNode>;
  #writing: Promise<void> | undefined;
  #isChanged = false;

  private constructor(home: MeshHome, nodes: readonly KnownNode[]) {
    this.#home = home;
    this.#nodes = new Map(nodes.map((node) => [node.name, node]));
  }

  static async load(home: MeshHome): Promise<KnownNodes> {
    return new KnownNodes(home, await home.nodes());
  }

  /**
   * In place of an older one of the same name; a mesh cannot say whether we dial a node directly, nor
   * whether it is installed.
   */
  add(node: KnownNode): void {
    const before = this.#nodes.get(node.name);
    const direct = node.direct ?? before?.direct;
    const lasting = node.lasting ?? (before?.keyId === node.keyId ? before.lasting : undefined);
    this.#nodes.set(node.name, {
      ...node,
      ...(direct === undefined ? {} : { direct }),
      ...(lasting === undefined ? {} : { lasting }),
    });
    this.#isChanged = true;
  }

  /** @throws NotFoundError */
  require(name: string): KnownNode {
    const node = this.#nodes.get(name);
    if (node === undefined) throw new NotFoundError(`There is no node "${name}"`);
    return node;
  }

  /** Resolves when the file holds all that was added before. Changes of the same moment share a write. */
  async store(): Promise<void> {
    while (this.#isChanged || this.#writing !== undefined) {
      this.#writing ??= this.#write().finally(() => this.#writing = undefined);
      await this.#writing;
    }
  }

  async #write(): Promise<void> {
    this.#isChanged = false;
    await this.#home.storeNodes([...this.#nodes.values()]);
  }
}
