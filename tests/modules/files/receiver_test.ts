/** A copy that is to end. */

import assert from "node:assert/strict";
import { RealDisk } from "../../../core/environment/real_disk.ts";
import { CallError, type DiskFile } from "../../../core/mod.ts";
import { copy, temporaryFolder } from "./scene.ts";

Deno.test("receiver: it ends in the middle of a piece, before anybody kills it, and cleans up", async () => {
  using folder = temporaryFolder();
  const [from, to] = [`${folder.path}/from`, `${folder.path}/to`];
  for (const path of [from, to]) Deno.mkdirSync(path);
  for (let i = 0; i < 200; i++) Deno.writeTextFileSync(`${from}/${i}`, "x");
  const controller = new AbortController();
  let made = 0;
  class CountingDisk extends RealDisk {
    override create(path: string, mode: number): DiskFile {
      if (++made === 20) controller.abort(new CallError("cancelled", "Terminated"));
      return super.create(path, mode);
    }
  }
  const { signal } = controller;
  await assert.rejects(copy({ sources: [`${from}/.`], to, disk: new CountingDisk(), signal }), {
    message: "Terminated",
  });
  assert.deepEqual([made, [...Deno.readDirSync(to)]], [20, []]);
});
