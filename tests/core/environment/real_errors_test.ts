import assert from "node:assert/strict";
import { fileError, marksOf } from "../../../core/environment/real_errors.ts";
import { NotFoundError } from "../../../core/mod.ts";

// A halt failed because one of the processes that it looked at ended in that very moment.
Deno.test("real errors: a process that ends while one reads of it is not there", async () => {
  const child = new Deno.Command("sleep", { args: ["60"] }).spawn();
  const path = `/proc/${child.pid}/stat`;
  using file = await Deno.open(path);
  child.kill("SIGKILL");
  await child.status;
  const error = await file.read(new Uint8Array(100)).catch((error: unknown) => error);
  assert.ok(marksOf(error).includes("ESRCH"), String(error));
  const read = fileError(`read "${path}"`, error);
  assert.ok(read instanceof NotFoundError);
  assert.equal(read.message, `Could not read "${path}": it does not exist`);
});
