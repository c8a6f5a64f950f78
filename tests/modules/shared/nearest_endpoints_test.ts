import assert from "node:assert/strict";
import { nearestFirst } from "../../../modules/shared/nearest_endpoints.ts";

function order(own: readonly string[], ...hosts: readonly string[]): string[] {
  const endpoints = hosts.map((host) => `tcp:${host}:7117`);
  return nearestFirst(endpoints, { addresses: () => own })
    .map((endpoint) => endpoint.slice("tcp:".length, -":7117".length));
}

Deno.test("nearest endpoints: an address in a network of ours comes first", () => {
  assert.deepEqual(order(["10.1.0.7"], "192.0.2.1", "10.1.0.1"), ["10.1.0.1", "192.0.2.1"]);
  assert.deepEqual(order(["192.0.2.9", "10.2.0.7"], "192.0.2.1", "10.1.0.1"), [
    "192.0.2.1",
    "10.1.0.1",
  ]);
  assert.deepEqual(order(["10.1.0.7", "10.1.9.2"], "10.1.8.1", "10.1.0.1", "10.1.9.1"), [
    "10.1.9.1",
    "10.1.0.1",
    "10.1.8.1",
  ]);
  assert.deepEqual(order(["fd00:1::7"], "[fd00:2::1]", "10.1.0.1", "[fd00:1:0::1]"), [
    "[fd00:1:0::1]",
    "[fd00:2::1]",
    "10.1.0.1",
  ]);
  assert.deepEqual(order(["1:2:3:4:5:6:7:8"], "10.0.0.1", "[1:2:3:4::1]"), [
    "[1:2:3:4::1]",
    "10.0.0.1",
  ]);
});

Deno.test("nearest endpoints: what says nothing keeps its order", () => {
  for (
    const own of [[], ["172.16.0.1"], ["10.200.0.1"], ["fd00::1"], ["not an address"], ["1:2"]]
  ) {
    const hosts = ["gw.example", "192.0.2.1", "10.1.0.1", "other.example"];
    assert.deepEqual(order(own, ...hosts), hosts, own.join());
  }
  // One endpoint needs no look at our own addresses.
  const alone = ["tcp:10.1.0.1:7117"];
  const addresses = () => assert.fail("nobody has to ask");
  assert.deepEqual(nearestFirst(alone, { addresses }), alone);
});
