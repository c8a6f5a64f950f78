import assert from "node:assert/strict";
import type { MeshChange, MeshView, NodeView } from "../../../modules/shared/mesh_view.ts";
import { Watchers } from "../../../modules/mesh/watchers.ts";

function node(keyId: string, since: number): NodeView {
  return {
    name: keyId,
    keyId,
    groups: [],
    segment: "default",
    endpoints: [],
    state: "up",
    since,
    version: "1",
    instance: "",
    incarnation: 1,
    links: [],
  };
}

const VIEW: MeshView = { self: "a", nodes: [] };

Deno.test("watchers: what was not taken yet is merged, the newest counts", async () => {
  const watchers = new Watchers();
  const watching = watchers.watch(() => VIEW, []);
  assert.equal((await watching.next()).value, VIEW);
  watchers.publish({ changed: [node("a", 1), node("b", 1)], forgotten: [] });
  watchers.publish({ changed: [node("a", 2)], forgotten: ["b"] });
  watchers.publish({ changed: [], forgotten: ["c"] });
  watchers.publish({ changed: [node("c", 3)], forgotten: [] });
  const { changed, forgotten } = (await watching.next()).value as MeshChange;
  assert.deepEqual(changed.map(({ keyId, since }) => [keyId, since]), [["a", 2], ["c", 3]]);
  assert.deepEqual(forgotten, ["b"]);
  await watching.return({});
});

Deno.test("watchers: each ends by any of its signals, without an error", async () => {
  const watchers = new Watchers();
  const [one, other] = [new AbortController(), new AbortController()];
  const watching = watchers.watch(() => VIEW, [one.signal, other.signal]);
  await watching.next();
  const waiting = watching.next();
  other.abort();
  assert.deepEqual(await waiting, { done: true, value: {} });
});
