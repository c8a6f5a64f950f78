import assert from "node:assert/strict";
import { type Call, type Caller, CallError } from "../../../core/mod.ts";
import { NODES_PER_PART } from "../../../modules/mesh/limits.ts";
import { inParts } from "../../../modules/mesh/view_parts.ts";
import { readMeshView } from "../../../modules/shared/mesh_query.ts";
import type { MeshView, NodeView } from "../../../modules/shared/mesh_view.ts";
import { keyIdOf } from "./adverts.ts";

function viewOf(count: number): MeshView {
  const nodes = Array.from({ length: count }, (_, index): NodeView => ({
    name: `n${index}`,
    keyId: keyIdOf(`n${index}`),
    groups: [],
    segment: "main",
    endpoints: ["tcp:10.0.0.1:7117"],
    state: "up",
    since: 0,
    version: "1.0.0",
    instance: "0".repeat(32),
    incarnation: 1,
    links: [],
  }));
  return { self: keyIdOf("n0"), nodes };
}

/** Answers `mesh.nodes` with what the parts are, or with something else. */
function callerOf(view: MeshView, change: (part: unknown) => unknown = (part) => part) {
  const counts = { items: 0 };
  const stream = (): Call => {
    const reply = Promise.withResolvers<unknown>();
    const items = async function* () {
      const parts = inParts(view);
      for (;;) {
        const { done, value } = await parts.next();
        if (done) return reply.resolve(change(value));
        counts.items++;
        yield change(value);
      }
    };
    return { reply: reply.promise, [Symbol.asyncIterator]: items } as unknown as Call;
  };
  return { caller: { stream } as unknown as Caller, counts };
}

Deno.test("view parts: a small mesh is one reply", async () => {
  const { caller, counts } = callerOf(viewOf(NODES_PER_PART));
  assert.equal((await readMeshView(caller)).nodes.length, NODES_PER_PART);
  assert.equal(counts.items, 0);
});

Deno.test("view parts: of a large one every node comes once, sorted by name in the end", async () => {
  const count = 3 * NODES_PER_PART + 7;
  const { caller, counts } = callerOf(viewOf(count));
  const { self, nodes } = await readMeshView(caller);
  assert.equal(self, keyIdOf("n0"));
  assert.deepEqual(nodes.map(({ name }) => name), Array.from({ length: count }, (_, i) => `n${i}`));
  assert.equal(counts.items, 3);
});

Deno.test("view parts: what is no node is said to be malformed, first or last", async () => {
  for (const count of [1, NODES_PER_PART + 1]) {
    const { caller } = callerOf(viewOf(count), (part) => ({ ...part as MeshView, nodes: [{}] }));
    await assert.rejects(
      readMeshView(caller),
      (error: unknown) =>
        error instanceof CallError && error.class === "failed" &&
        error.message.startsWith("View of the mesh is malformed: "),
    );
  }
});
