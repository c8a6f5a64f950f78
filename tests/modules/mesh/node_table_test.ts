import assert from "node:assert/strict";
import type { Self } from "../../../core/mod.ts";
import type { Advert } from "../../../modules/mesh/advert.ts";
import { FULL_GRAPH_NODES_MAX } from "../../../modules/mesh/limits.ts";
import { type NodeEntry, NodeTable } from "../../../modules/mesh/node_table.ts";
import { advertOf, keyIdOf, seededKeys } from "./adverts.ts";

const keys = await seededKeys("node table");
const many = Array.from(
  { length: FULL_GRAPH_NODES_MAX + 1 },
  (_, index) => keys.person({ name: `n${index + 1}` }),
);
const [first] = many as [Self, ...Self[]];
const gateway = keys.person({ name: "gate", groups: ["gateway"] });
const [A, B] = [keyIdOf("a"), keyIdOf("b")];

/** A table in which all of these are up and linked with one node. */
function tableOf(people: readonly Self[]) {
  const table = new NodeTable();
  const say = (self: Self, change: Partial<Advert>): NodeEntry => {
    const received = advertOf(keys, self, change);
    const { identity } = self;
    return table.put({ received, identity, trustedAt: 0, forgotten: false, now: 0 });
  };
  for (const self of people) say(self, { links: [A] }).state = "up";
  table.countUp();
  return { table, say };
}

Deno.test("node table: only that a node has more links than before is not urgent", () => {
  const { say } = tableOf(many);
  let sequence = 1;
  const next = (change: Partial<Advert>) => {
    const entry = say(first, { links: [A, B], sequence: ++sequence, ...change });
    return entry.urgent;
  };
  assert.equal(next({}), false);
  assert.equal(next({ links: [A] }), true, "a link is gone");
  assert.equal(next({}), false);
  assert.equal(next({}), true, "it has the same links, and another certificate");
  assert.equal(next({ endpoints: ["tcp:10.0.0.2:7117"] }), true, "it is elsewhere");
  assert.equal(next({}), true, "and back");
  assert.equal(next({ segment: "other" }), true, "it is of another segment");
  assert.equal(next({}), true);
  assert.equal(next({ instance: "ff".repeat(16) }), true, "it is another life");
  assert.equal(next({ instance: "ff".repeat(16), leaving: true }), true, "it leaves");
});

Deno.test("node table: what a node says that is new, or was down, is urgent", () => {
  const { say } = tableOf(many);
  const stranger = keys.person({ name: "stranger" });
  assert.equal(say(stranger, {}).urgent, true);
  say(first, { links: [A], sequence: 2 }).state = "down";
  assert.equal(say(first, { links: [A, B], sequence: 3 }).urgent, true);
});

Deno.test("node table: in a small mesh, and of gateways, all is urgent", () => {
  const small = tableOf(many.slice(0, FULL_GRAPH_NODES_MAX));
  assert.equal(small.say(first, { links: [A, B], sequence: 2 }).urgent, true);
  const large = tableOf([...many, gateway]);
  assert.equal(large.say(gateway, { links: [A, B], sequence: 2 }).urgent, true);
  assert.equal(large.say(first, { links: [A, B], sequence: 2 }).urgent, false);
});
