import assert from "node:assert/strict";
import { createRealEnvironment } from "../../../core/environment/real.ts";
import type { Context, ModuleHost } from "../../../core/mod.ts";
import { createUpgrade } from "../../../modules/upgrade/mod.ts";

/** A host whose mesh is empty; nothing else of it is used. */
function hostOf(env: ModuleHost["env"]): ModuleHost {
  const reply = Promise.resolve({ self: "00".repeat(32), nodes: [] });
  const stream = () => ({ reply, async *[Symbol.asyncIterator]() {} });
  return { env, module: () => ({ stream }), log: () => {} } as unknown as ModuleHost;
}

Deno.test("upgrade: no program is exchanged that nobody would watch over", async () => {
  const folder = await Deno.makeTempDir({ prefix: "minime-upgrade-" });
  try {
    const real = createRealEnvironment();
    const executable = `${folder}/minime`;
    await Deno.writeTextFile(executable, "old");
    const next = new TextEncoder().encode("new");
    const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", next)).toHex();
    await Deno.writeFile(`${folder}/minime-${hash}`, next);
    const processes = Object.assign(Object.create(real.processes), { executable });
    const goOnAs = () => assert.fail("It went on");
    // There is no such folder: the marker cannot be written.
    const module = createUpgrade({ folder: `${folder}/missing/state`, goOnAs });
    await module.start(hostOf({ ...real, processes }));
    const start = module.verbs.start;
    assert.ok(start !== undefined);
    await assert.rejects(Promise.resolve(start.handle({ hash }, {} as Context)));
    assert.equal(await Deno.readTextFile(executable), "old");

    // And a program that is not there leaves no marker.
    const other = createUpgrade({ folder, goOnAs });
    await other.start(hostOf({ ...real, processes }));
    const missing = "ab".repeat(32);
    await assert.rejects(
      Promise.resolve(other.verbs.start?.handle({ hash: missing }, {} as Context)),
      { message: /it was not sent$/ },
    );
    const names = [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
    assert.deepEqual(names, ["minime", `minime-${hash}`]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
