import assert from "node:assert/strict";
import fc from "fast-check";
import { Collator } from "../../../modules/group/collate.ts";
import { type PartialBody, readPartial } from "../../../modules/group/partial.ts";
import { fromRanges } from "../../../modules/group/ranges.ts";
import { createReducer, type FoldedAnswers } from "../../../modules/group/reducers.ts";
import { FAILURE_SETS } from "../../../modules/shared/group_result.ts";

const SEED = 20_260_103;

function collator(targets: Iterable<number>): Collator {
  return new Collator(targets, createReducer({ kind: "fold" }));
}

/** A subtree: its own collator, and what it still owes to the one above. */
interface Node {
  readonly collator: Collator;
  readonly owed: Set<number>;
  readonly own: number[];
  readonly children: Node[];
  alive: boolean;
}

function subtree(targets: readonly number[], draw: (below: number) => number): Node {
  const node: Node = {
    collator: collator(targets),
    owed: new Set(targets),
    own: [],
    children: [],
    alive: true,
  };
  let rest = [...targets];
  if (rest.length > 0) node.own.push(rest.shift() as number);
  while (rest.length > 0) {
    const count = 1 + draw(rest.length);
    node.children.push(subtree(rest.slice(0, count), draw));
    rest = rest.slice(count);
  }
  return node;
}

function all(node: Node): Node[] {
  return [node, ...node.children.flatMap(all)];
}

Deno.test("collator: in random trees with losses every target is accounted for exactly once", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 40 }), fc.infiniteStream(fc.nat()), (size, chances) => {
      const draw = (below: number) => (chances.next().value as number) % below;
      const targets = Array.from({ length: size }, (_, i) => i);
      const root = subtree(targets, draw);
      const nodes = all(root);
      const settled = new Map<number, string>();
      const note = (index: number, what: string) => {
        assert.equal(settled.get(index), undefined, `target ${index} came twice`);
        settled.set(index, what);
      };
      const deliver = (child: Node, above: Node) => {
        const body = child.collator.take();
        const partial = readPartial(body, child.owed);
        above.collator.merge(partial);
        const indices = [
          ...partial.answered,
          ...partial.failures.flatMap((failure) => failure.indices),
        ];
        for (const index of indices) child.owed.delete(index);
        if (indices.length === 0) return;
        // The same partial once more is refused as a whole, and changes nothing.
        const open = above.collator.open;
        assert.throws(() => readPartial(body, child.owed), { name: "ProtocolError" });
        assert.throws(() => above.collator.merge(partial), { name: "ProtocolError" });
        assert.equal(above.collator.open, open);
      };
      const lose = (child: Node, above: Node) => {
        for (const dead of all(child)) dead.alive = false;
        above.collator.fail("unreachable", [...child.owed], { reason: "lost", ran: "maybe" });
        child.owed.clear();
      };
      const report = (body: PartialBody) => {
        for (const [ranges, answer] of (body.state ?? []) as FoldedAnswers) {
          for (const index of fromRanges(ranges)) note(index, `answered ${answer}`);
        }
        for (const set of FAILURE_SETS) {
          for (const [ranges] of body[set] ?? []) {
            for (const index of fromRanges(ranges)) note(index, set);
          }
        }
      };
      while (root.collator.open > 0) {
        const node = nodes[draw(nodes.length)] as Node;
        const above = nodes.find(({ children }) => children.includes(node));
        if (!node.alive) continue;
        const what = draw(10);
        if (what < 5 && node.own.length > 0) {
          const index = node.own.pop() as number;
          if (draw(3) > 0) node.collator.answer(index, index % 3);
          else node.collator.fail("failed", [index], { reason: `no ${index % 2}` });
        } else if (above === undefined) report(node.collator.take());
        else if (what === 9 && draw(4) === 0) lose(node, above);
        else if (node.owed.size > 0) deliver(node, above);
      }
      report(root.collator.take());
      assert.deepEqual([...settled.keys()].sort((a, b) => a - b), targets);
      for (const [index, what] of settled) {
        if (what.startsWith("answered")) assert.equal(what, `answered ${index % 3}`);
      }
    }),
    { seed: SEED, numRuns: 200 },
  );
});

Deno.test("collator: equal failures fold, and long reasons are cut", () => {
  const one = collator([0, 1, 2, 3]);
  one.fail("failed", [2], { reason: "no" });
  one.fail("failed", [0, 1], { reason: "no" });
  one.fail("refused", [3], { reason: "x".repeat(600) });
  assert.deepEqual(one.take(), {
    failed: [[[0, 2], { reason: "no" }]],
    refused: [[[3, 3], { reason: "x".repeat(500) }]],
  });
  assert.equal(one.bytes, 0);
  assert.deepEqual(one.take(), {});
});

Deno.test("collator: an answer that the reducer can make nothing of is a failure", () => {
  const one = new Collator([0, 1], createReducer({ kind: "sum" }));
  one.answer(0, "many");
  one.answer(1, 4);
  const { answered, failed } = one.take();
  assert.deepEqual(answered, [1, 1]);
  assert.deepEqual(failed, [
    [[0, 0], { reason: "Answer is no number but of type string: name a field" }],
  ]);
  assert.throws(() => one.answer(1, 4), { message: "Target 1 is settled already" });
});
