import assert from "node:assert/strict";
import { reachableEndpoints } from "../../../modules/mesh/endpoints.ts";

const network = { addresses: () => ["10.0.0.7", "fd00::7"] };

Deno.test("endpoints: only tcp is for others, as it is bound", () => {
  const listening = ["unix:/run/minime.sock", "tcp:192.0.2.1:7117", "tcp:192.0.2.1:7117"];
  assert.deepEqual(reachableEndpoints(listening, network), ["tcp:192.0.2.1:7117"]);
});

Deno.test("endpoints: any address is each address of the host, of the kinds it listens to", () => {
  assert.deepEqual(reachableEndpoints(["tcp:0.0.0.0:1"], network), ["tcp:10.0.0.7:1"]);
  assert.deepEqual(reachableEndpoints(["tcp:[::]:1"], network), [
    "tcp:10.0.0.7:1",
    "tcp:[fd00::7]:1",
  ]);
});

Deno.test("endpoints: a host without a network still has itself", () => {
  const nowhere = { addresses: () => [] };
  assert.deepEqual(reachableEndpoints(["tcp:0.0.0.0:1"], nowhere), ["tcp:127.0.0.1:1"]);
});
