import assert from "node:assert/strict";
import { placesOfLoss } from "../../../modules/mesh/losses.ts";

/** Lost nodes with their last claims, and hops to those that are reached, a letter each. */
function places(lost: Record<string, string>, reached: Record<string, number>): string {
  const claims = new Map(Object.entries(lost).map(([keyId, links]) => [keyId, [...links]]));
  const found = placesOfLoss({ claims, distances: new Map(Object.entries(reached)) });
  return [...found].map(([keyId, place]) => `${keyId}:${place}`).sort().join(" ");
}

Deno.test("losses: a node whose neighbours live was lost at the nearest of them", () => {
  assert.equal(places({ x: "bcd" }, { a: 0, b: 3, c: 2, d: 2 }), "x:c");
});

Deno.test("losses: a segment that is cut off was lost at the gateway on this side", () => {
  const segment = { p: "qr", q: "prG", r: "pq", G: "qg" };
  assert.equal(places(segment, { a: 0, g: 1, b: 1 }), "G:g p:g q:g r:g");
});

Deno.test("losses: the fewest links from the lost node count first, then the way to us", () => {
  assert.equal(places({ x: "yb", y: "xc" }, { a: 0, b: 5, c: 1 }), "x:b y:c");
  // Both ways are as long from z: the one that begins nearer to us is shown.
  assert.equal(places({ x: "b", y: "c", z: "xy" }, { a: 0, b: 2, c: 1 }), "x:b y:c z:c");
});

Deno.test("losses: who claims nobody that leads to us has no such place", () => {
  assert.equal(places({ x: "", y: "x", z: "z" }, { a: 0 }), "");
});
