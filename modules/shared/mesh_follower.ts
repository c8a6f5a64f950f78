/**
 * Keeps a MeshPicture up to date by the stream `mesh.watch` of this daemon's mesh module, for modules
 * that route or show nodes. The picture is the same object all the time; it changes in place.
 */

import * as v from "valibot";
import { type Call, type Caller, CallError, errorText } from "../../core/mod.ts";
import { type MeshChange, MeshPicture, type NodeView } from "./mesh_view.ts";

// The mesh module of this very daemon read each node strictly when it came in. Its objects are taken as
// they are: of thousands of nodes every module that follows would have a copy otherwise.
const Nodes = v.custom<NodeView[]>(Array.isArray);
const ViewItem = v.object({ self: v.string(), nodes: Nodes });
const ChangeItem = v.object({ changed: Nodes, forgotten: v.array(v.string()) });

export class MeshFollower {
  /** Resolves with the first snapshot; rejects with CallError when the mesh module gives none. */
  readonly picture: Promise<MeshPicture>;
  readonly #call: Call;
  readonly #done: Promise<void>;

  /** `onEnd` is told why the stream ended, unless we stopped it; `onChange` after each change, with it. */
  constructor(
    mesh: Caller,
    options: {
      readonly onEnd: (why: string) => void;
      readonly onChange?: (change: MeshChange) => void;
    },
  ) {
    const first = Promise.withResolvers<MeshPicture>();
    this.picture = first.promise;
    // Whoever asks for the picture gets the failure; nobody has to.
    this.picture.catch(() => {});
    this.#call = mesh.stream("mesh.watch", {}, { deadlineMs: 0 });
    this.#done = this.#follow(first, options.onChange).catch((error: unknown) => {
      first.reject(new CallError("unreachable", `View of the mesh is gone: ${errorText(error)}`));
      if (!(error instanceof CallError && error.class === "cancelled")) {
        options.onEnd(errorText(error));
      }
    });
  }

  async stop(): Promise<void> {
    this.#call.cancel("No longer followed");
    await this.#done;
  }

  async #follow(
    first: PromiseWithResolvers<MeshPicture>,
    onChange?: (change: MeshChange) => void,
  ): Promise<void> {
    let picture: MeshPicture | undefined;
    for await (const item of this.#call) {
      if (picture === undefined) {
        picture = new MeshPicture(v.parse(ViewItem, item));
        first.resolve(picture);
      } else {
        const change = v.parse(ChangeItem, item);
        picture.apply(change);
        onChange?.(change);
      }
    }
    throw new CallError("unreachable", "The mesh module ended the stream");
  }
}
