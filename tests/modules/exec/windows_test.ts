import assert from "node:assert/strict";
import { Windows } from "../../../modules/exec/windows.ts";

// Who drags a window changes it again while a size is being sent, and the last one was lost.
Deno.test("windows: the last size is told, also when it came while another one was sent", async () => {
  const windows = new Windows();
  const key = Promise.withResolvers<Uint8Array>();
  const keys = async function* () {
    yield await key.promise;
  };
  const told = windows.mixedWith(keys());
  const first = { rows: 24, columns: 40 };
  const second = { rows: 24, columns: 60 };
  const last = { rows: 24, columns: 80 };
  const next = told.next();
  windows.changed(first);
  assert.deepEqual((await next).value, first);
  windows.changed(second);
  windows.changed(last);
  assert.deepEqual((await told.next()).value, last);
  key.resolve(new Uint8Array([65]));
  assert.deepEqual((await told.next()).value, new Uint8Array([65]));
  assert.equal((await told.next()).done, true);
});
