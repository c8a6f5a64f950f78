import assert from "node:assert/strict";
import type { Context, ModuleHost, Peer } from "../../../core/mod.ts";
import { createDocuments } from "../../../modules/documents/mod.ts";

const BYTES = new Uint8Array([1, 2, 3]);

/** Who may have the document, of all that may reach the verb by whatever way. */
async function givenTo(kind: string): Promise<string[]> {
  const links = { watch: () => ({ [Symbol.dispose]: () => {} }), list: () => [] };
  const documents = { current: () => ({ version: 1, hash: BYTES, bytes: BYTES }) };
  const module = createDocuments({});
  await module.start({ links, documents } as unknown as ModuleHost);
  const kinds: Peer["kind"][] = ["internal", "local", "nobody", "node", "joiner", "user"];
  const given: string[] = [];
  for (const peerKind of kinds) {
    const context = { peer: { kind: peerKind } } as Context;
    try {
      assert.deepEqual(await module.verbs.get?.handle({ kind }, context), { kind, bytes: BYTES });
      given.push(peerKind);
    } catch (error) {
      assert.equal((error as { class?: string }).class, "refused");
    }
  }
  await module.stop({});
  return given;
}

Deno.test("documents: the PSK goes to nodes, users and the owner themselves, never through a module", async () => {
  assert.deepEqual(await givenTo("secrets"), ["local", "node", "user"]);
  // What is open to readers is left to the class of the verb.
  assert.equal((await givenTo("policy")).length, 6);
});
