import assert from "node:assert/strict";
import fc from "fast-check";
import { type Gateway, gatewayNeighbours } from "../../../modules/mesh/gateways.ts";
import { GATEWAYS_PER_PAIR_MAX } from "../../../modules/mesh/limits.ts";
import { vertexConnectivity } from "../../../tools/graph_figures.ts";
import { keyIdOf } from "./adverts.ts";

/** So many gateways for each segment. */
function gatewaysOf(seed: number, counts: readonly number[]): Gateway[] {
  return counts.flatMap((count, segment) =>
    Array.from({ length: count }, (_, index): Gateway => ({
      keyId: keyIdOf(`${seed} ${segment} ${index}`),
      segment: `s${segment}`,
    }))
  );
}

const someGateways = fc.record({
  seed: fc.nat(),
  counts: fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1, maxLength: 9 }),
}).map(({ seed, counts }) => gatewaysOf(seed, counts));

Deno.test("gateways: both ends want an edge, never within a segment, and may keep it", () => {
  fc.assert(fc.property(someGateways, (gateways) => {
    for (const self of gateways) {
      const { wanted, kept } = gatewayNeighbours(gateways, self);
      assert(wanted.isSubsetOf(kept));
      for (const keyId of kept) {
        const other = gateways.find((one) => one.keyId === keyId) as Gateway;
        assert.notEqual(other.segment, self.segment);
        const back = gatewayNeighbours(gateways, other);
        assert(back.kept.has(self.keyId));
        assert.equal(back.wanted.has(self.keyId), wanted.has(keyId));
      }
    }
  }));
});

Deno.test("gateways: two segments are linked by as many disjoint links as there are, up to a few", () => {
  fc.assert(fc.property(
    fc.nat(),
    fc.integer({ min: 1, max: 7 }),
    fc.integer({ min: 1, max: 7 }),
    (seed, a, b) => {
      const gateways = gatewaysOf(seed, [a, b]);
      const place = new Map(gateways.map(({ keyId }, index) => [keyId, index]));
      // Within a segment all can reach all; here each is linked with all others of its own.
      const graph = gateways.map((self) => [
        ...[...gatewayNeighbours(gateways, self).wanted].map((keyId) => place.get(keyId) as number),
        ...gateways.flatMap((other, index) =>
          other !== self && other.segment === self.segment ? [index] : []
        ),
      ]);
      const least = Math.min(a, b, GATEWAYS_PER_PAIR_MAX);
      assert(vertexConnectivity(graph) >= Math.min(least, a + b - 1));
      const between = graph.flatMap((links, from) =>
        links.filter((to) => (from < a) !== (to < a))
      ).length / 2;
      assert(between <= 2 * GATEWAYS_PER_PAIR_MAX, `${between} links`);
    },
  ));
});

Deno.test("gateways: of many segments each is linked with some, and all are one graph", () => {
  const gateways = gatewaysOf(1, Array.from({ length: 60 }, () => 2));
  const seen = new Set([gateways[0]?.keyId as string]);
  for (const keyId of seen) {
    const self = gateways.find((one) => one.keyId === keyId) as Gateway;
    const { wanted } = gatewayNeighbours(gateways, self);
    assert(wanted.size <= 16, `${wanted.size} links`);
    for (const other of wanted) seen.add(other);
  }
  // The two gateways of a segment know each other by its own links.
  const segments = new Set(
    gateways.filter(({ keyId }) => seen.has(keyId)).map(({ segment }) => segment),
  );
  assert.equal(segments.size, 60);
});

Deno.test("gateways: the load of many pairs is spread over the gateways of a segment", () => {
  const gateways = gatewaysOf(3, Array.from({ length: 12 }, () => 6));
  const loads = gateways.map((self) => gatewayNeighbours(gateways, self).wanted.size);
  assert(Math.max(...loads) <= 2 * 11, `${Math.max(...loads)}`);
  assert(Math.min(...loads) >= 4, `${Math.min(...loads)}`);
});
