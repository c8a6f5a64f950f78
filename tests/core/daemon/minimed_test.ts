import assert from "node:assert/strict";
import { createRealEnvironment } from "../../../core/environment/real.ts";
import { CallError, type Links, type Log, Minimed, type Module } from "../../../core/mod.ts";
import { MeshKeys, testPrimitives } from "../../support/mesh_keys.ts";

const quiet: Log = () => {};

async function startMesh(names: string[], modules: () => Module[] = () => []) {
  const env = createRealEnvironment();
  const primitives = await testPrimitives();
  const keys = new MeshKeys(primitives, { random: env.random, now: () => env.clock.now() });
  const folder = await Deno.makeTempDir();
  const daemons = await Promise.all(names.map(async (name) => {
    const daemon = new Minimed({
      env,
      primitives,
      trust: keys.trust(),
      self: keys.person({ name }),
      modules: modules(),
      listen: ["tcp:127.0.0.1:0", `unix:${folder}/${name}.sock`],
      auditFolder: `${folder}/${name}`,
      log: () => quiet,
    });
    await daemon.start();
    return daemon;
  }));
  return {
    env,
    keys,
    daemons,
    folder,
    async [Symbol.asyncDispose]() {
      await Promise.all(daemons.map((daemon) => daemon.stop("test is over")));
      await Deno.remove(folder, { recursive: true });
    },
  };
}

Deno.test("minimed: two daemons link over tcp and ping each other", async () => {
  const links = new Map<string, Links>();
  const probe = (): Module => ({
    name: "probe",
    verbs: {},
    start: (host) => {
      links.set(host.self.name, host.links);
      return Promise.resolve();
    },
    stop: () => Promise.resolve(),
  });
  await using mesh = await startMesh(["n1", "n2"], () => [probe()]);
  const [n1] = mesh.daemons;
  const link = await (links.get("n2") as Links).dial((n1 as Minimed).endpoints()[0] as string, {
    expect: { name: "n1" },
  });
  const reply = await link.request("core.ping") as { name: string };
  assert.equal(reply.name, "n1");
  await assert.rejects(
    link.request("core.shutdown", {}),
    (error: CallError) => error.class === "refused",
  );
});
