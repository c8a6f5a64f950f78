import assert from "node:assert/strict";
import { dialEndpoints, listenEndpoints } from "../../../modules/shared/host_endpoints.ts";

Deno.test("host endpoints: what the file says, or all addresses at the port", () => {
  const host = { address: "fd00::1", port: 7117, listen: [] as string[] };
  assert.deepEqual(listenEndpoints(host), ["tcp:[::]:7117"]);
  assert.deepEqual(dialEndpoints(host), ["tcp:[fd00::1]:7117"]);
  const listen = ["tcp:0.0.0.0:7", "tcp:10.0.0.9:8", "tcp:10.0.0.9:0", "unix:/run/m.sock"];
  assert.deepEqual(listenEndpoints({ ...host, listen }), listen);
  assert.deepEqual(dialEndpoints({ ...host, listen }), ["tcp:[fd00::1]:7", "tcp:10.0.0.9:8"]);
  // Any free port is known to nobody.
  assert.deepEqual(dialEndpoints({ ...host, port: 0 }), []);
});
