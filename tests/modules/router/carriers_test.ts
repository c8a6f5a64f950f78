import assert from "node:assert/strict";
import { PRIORITY } from "../../../core/mod.ts";
import { Carriers } from "../../../modules/router/carriers.ts";
import {
  ACCEPTED_PER_NEIGHBOUR_MAX,
  ACCEPTED_PER_SOURCE_MAX,
} from "../../../modules/router/limits.ts";
import { PACKET_KIND, readPacket, writeHeader } from "../../../modules/router/packet.ts";
import type { Carrier } from "../../../modules/shared/carrier.ts";
import { ManualClock } from "../../support/manual_clock.ts";

const key = (name: string) => new TextEncoder().encode(name.padEnd(32)).toHex();

// A neighbour began streams in the name of another node, which then got none of its own.
Deno.test("carriers: the streams that a neighbour may begin are its own share, whatever it claims", () => {
  const carriers = new Carriers({
    clock: new ManualClock(),
    random: { bytes: (length) => new Uint8Array(length) },
    plan: () => undefined,
    holds: () => true,
    lifeOf: () => undefined,
    transmit: () => {},
    onTrouble: () => {},
  });
  const accepted: Carrier[] = [];
  carriers.acceptor = { wants: () => true, accept: (carrier) => accepted.push(carrier) };
  let streams = 0;
  const begin = (...names: readonly string[]) => {
    const stream = new Uint8Array(8);
    new DataView(stream.buffer).setUint32(0, ++streams);
    const path = [...names, "us"].map(key);
    const { data: kind } = PACKET_KIND;
    carriers.receive(
      readPacket(writeHeader({ kind, class: "low", priority: PRIORITY.normal, stream, path })),
      path[0] as string,
    );
  };
  for (let i = 0; i < 2 * ACCEPTED_PER_SOURCE_MAX; i++) begin("victim", "mallory");
  assert.equal(carriers.size, ACCEPTED_PER_SOURCE_MAX);
  for (let i = 0; i < 2 * ACCEPTED_PER_NEIGHBOUR_MAX; i++) begin(`invented ${i}`, "mallory");
  assert.equal(carriers.size, ACCEPTED_PER_NEIGHBOUR_MAX);
  begin("victim");
  begin("victim", "honest");
  assert.equal(carriers.size, ACCEPTED_PER_NEIGHBOUR_MAX + 2);
  // Places are given back.
  accepted[0]?.close("over");
  begin("victim", "mallory");
  assert.equal(carriers.size, ACCEPTED_PER_NEIGHBOUR_MAX + 2);
});
