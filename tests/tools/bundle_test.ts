/** What the bundle must not do when it starts. */

import assert from "node:assert/strict";
import { projectFolder } from "../../tools/binary.ts";
import { bundleMain } from "../../tools/bundle.ts";

/** `import "node:x"` and `from "node:x"`; `import("node:x")` waits until somebody asks. */
const NODE_AT_START = /(?:\bimport|\bfrom)\s*"node:\w+"/;

Deno.test("bundle: no chunk loads the runtime's layer for Node before it is asked for", async () => {
  const folder = await Deno.makeTempDir({ prefix: "minime-bundle-" });
  try {
    await bundleMain(projectFolder(), folder);
    const names = [...Deno.readDirSync(folder)].map(({ name }) => name);
    assert.ok(names.includes("main.js"));
    const eager = names.filter((name) =>
      NODE_AT_START.test(Deno.readTextFileSync(`${folder}/${name}`))
    );
    assert.deepEqual(eager, []);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
