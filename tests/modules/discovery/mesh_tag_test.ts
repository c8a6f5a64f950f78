import assert from "node:assert/strict";
import { meshTags } from "../../../modules/discovery/mesh_tag.ts";
import { testPrimitives } from "../../support/mesh_keys.ts";

Deno.test("mesh tags: name one mesh, its segment, and its gateways, and none is its id", async () => {
  const primitives = await testPrimitives();
  const meshId = new Uint8Array(16).fill(7);
  const tagsOf = (segment: string, gateway = false, id = meshId) =>
    meshTags(primitives, { meshId: id, circle: { segment, gateway } });
  const [tag = ""] = tagsOf("default");
  assert.match(tag, /^[0-9a-f]{16}$/);
  assert.ok(!meshId.toHex().startsWith(tag));
  assert.deepEqual(tagsOf("default"), [tag]);
  const all = [
    ...tagsOf("default", true),
    ...tagsOf("gateways"),
    ...tagsOf("rack"),
    ...tagsOf("default", false, new Uint8Array(16).fill(8)),
  ];
  assert.deepEqual([all[0], new Set(all).size], [tag, 5]);
  // Gateways hear each other, whatever their segments.
  assert.deepEqual(tagsOf("rack", true), [tagsOf("rack")[0], all[1]]);
});
