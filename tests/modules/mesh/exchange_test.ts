import assert from "node:assert/strict";
import { type Link } from "../../../core/mod.ts";
import { newCounts } from "../../../modules/mesh/counts.ts";
import { Exchange } from "../../../modules/mesh/exchange.ts";
import { NODES_MAX } from "../../../modules/mesh/limits.ts";
import { NodeTable } from "../../../modules/mesh/node_table.ts";
import { ManualClock } from "../../support/manual_clock.ts";
import { keyIdOf } from "./adverts.ts";

Deno.test("exchange: a neighbour that invents keys without end fills no more than the largest mesh would", async () => {
  let asked = 0;
  const link = {
    peer: { identity: { keyId: "0".repeat(64), name: "evil" } },
    request: (_verb: string, { keys }: { keys: Uint8Array }) => {
      asked += keys.length / 32;
      return Promise.resolve({ nodes: [] });
    },
  } as unknown as Link;
  const exchange = new Exchange({
    clock: new ManualClock(),
    table: new NodeTable(),
    intake: {} as never,
    self: keyIdOf("self"),
    verifyChain: () => {
      throw new Error("Nobody shows a certificate here");
    },
    counts: newCounts(),
    log: () => {},
    onKnown: () => {},
  });
  exchange.linkUp(link);
  const invented = Array.from({ length: NODES_MAX + 10_000 }, (_, i) => ({
    keyId: i.toString(16).padStart(64, "0"),
    incarnation: 1,
    sequence: 1,
    instance: "0".repeat(32),
  }));
  exchange.want(link, invented);
  while (asked < NODES_MAX) await new Promise((resolve) => setTimeout(resolve, 0));
  await exchange.stop();
  assert.equal(asked, NODES_MAX);
});
