import assert from "node:assert/strict";
import { meshTag } from "../../../modules/discovery/mesh_tag.ts";
import { testPrimitives } from "../../support/mesh_keys.ts";

Deno.test("mesh tag: names one mesh, and is not its id", async () => {
  const primitives = await testPrimitives();
  const meshId = new Uint8Array(16).fill(7);
  const tag = meshTag(primitives, { meshId });
  assert.match(tag, /^[0-9a-f]{16}$/);
  assert.equal(meshTag(primitives, { meshId }), tag);
  assert.notEqual(meshTag(primitives, { meshId: new Uint8Array(16).fill(8) }), tag);
  assert.ok(!meshId.toHex().startsWith(tag));
});
