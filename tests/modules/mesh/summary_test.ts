import assert from "node:assert/strict";
import fc from "fast-check";
import { ProtocolError } from "../../../core/mod.ts";
import { NodeTable } from "../../../modules/mesh/node_table.ts";
import { decodeSummary, encodeSummary } from "../../../modules/mesh/summary.ts";
import { advertOf, seededKeys } from "./adverts.ts";

const keys = await seededKeys("summary");

function table(): NodeTable {
  const nodes = new NodeTable();
  for (const name of ["n1", "n2", "n3"]) {
    const self = keys.person({ name });
    const received = advertOf(keys, self, { incarnation: 2, sequence: 2 ** 40 });
    const forgotten = name === "n2";
    nodes.put({ received, identity: self.identity, trustedAt: 0, forgotten, now: 0 });
  }
  return nodes;
}

Deno.test("summary: says the version of each node, and which are forgotten", () => {
  const nodes = table();
  const items = decodeSummary(encodeSummary([...nodes.entries()]));
  assert.deepEqual(items.map(({ keyId }) => keyId), [...nodes.entries()].map(({ keyId }) => keyId));
  assert.deepEqual(items.map(({ forgotten }) => forgotten), [false, true, false]);
  assert.deepEqual(items[0], {
    keyId: items[0]?.keyId,
    incarnation: 2,
    sequence: 2 ** 40,
    instance: items[0]?.instance,
    forgotten: false,
  });
});

Deno.test("summary: any other length is refused before anything is read", () => {
  const bytes = encodeSummary([...table().entries()]);
  const cut = fc.nat(bytes.length - 1).map((length) => bytes.subarray(0, length));
  fc.assert(
    fc.property(cut, (other) => assert.throws(() => decodeSummary(other), ProtocolError)),
    { seed: 9, numRuns: 200 },
  );
  assert.throws(
    () => decodeSummary(new Uint8Array([...bytes, 0])),
    /3 nodes do not fill 196 bytes/,
  );
  const huge = new Uint8Array([0xff, 0xff, 0xff, 0xff]);
  assert.throws(() => decodeSummary(huge), /4294967295 nodes, 70000 is the most/);
});
