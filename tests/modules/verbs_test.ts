import assert from "node:assert/strict";
import { createRealEnvironment } from "../../core/environment/real.ts";
import { isName, Minimed } from "../../core/mod.ts";
import { createModules } from "../../modules/mod.ts";
import { MeshKeys, testPrimitives } from "../support/mesh_keys.ts";

/** Every verb of the program with its class. Whoever adds one decides here who may execute it. */
const CLASSES = {
  "core.bulk": "link",
  "core.execute": "internal",
  "core.hello": "read",
  "core.ping": "read",
  "core.renewed": "link",
  "core.shutdown": "guarded",
  "core.stats": "read",
  "exec.jobs": "guarded",
  "exec.kill": "guarded",
  "exec.logs": "guarded",
  "exec.run": "guarded",
  "exec.signal": "guarded",
  "exec.start": "guarded",
  "exec.wait": "guarded",
  "files.read": "guarded",
  "files.write": "guarded",
  "forward.connect": "guarded",
  "group.call": "read",
  "group.relay": "link",
  "discovery.set": "internal",
  "documents.get": "read",
  "documents.offer": "root",
  "documents.versions": "read",
  "hooks.set": "internal",
  "init_boot.join": "join",
  "init_boot.reload": "local",
  "init_boot.token": "guarded",
  "log.own": "local",
  "log.read": "guarded",
  "keys.answer": "guarded",
  "keys.issuer_install": "guarded",
  "keys.issuer_request": "guarded",
  "keys.renew": "read",
  "keys.renew_now": "guarded",
  "keys.requests": "guarded",
  "keys.revive": "join",
  "keys.status": "read",
  "mailbox.put": "guarded",
  "mailbox.receive": "local",
  "mailbox.send": "local",
  "mailbox.take": "guarded",
  "mesh.fetch": "link",
  "mesh.beat": "link",
  "mesh.flood": "link",
  "mesh.forget": "guarded",
  "mesh.links": "read",
  "mesh.move": "internal",
  "mesh.nodes": "read",
  "mesh.offer": "link",
  "mesh.renewed": "internal",
  "mesh.settled": "read",
  "mesh.stats": "read",
  "mesh.spare": "link",
  "mesh.sync": "link",
  "mesh.unheard": "read",
  "mesh.watch": "internal",
  "network_boot.serve": "guarded",
  "router.forward": "link",
  "router.open": "read",
  "router.route": "read",
  "router.stats": "read",
  "router.taken": "link",
  "router.trace": "read",
  "upgrade.put": "guarded",
  "upgrade.start": "guarded",
  "upgrade.state": "read",
  "uptime.get": "read",
};

/** One item of the list of classes: its name, and the rest. */
const CLASS_ITEM =
  /^- \*\*(internal|link|read|local|join|guarded|root)\*\*:([^]*?)(?=^- \*\*|^$)/gm;

Deno.test("verbs: section 3 of this document names every verb in its class", async () => {
  const text = await Deno.readTextFile("docs/SECURITY.md");
  const named: Record<string, string> = {};
  for (const [, action = "", rest = ""] of text.matchAll(CLASS_ITEM)) {
    for (const [, verb = ""] of rest.matchAll(/`([a-z_]+\.[a-z_]+)`/g)) named[verb] = action;
  }
  assert.deepEqual(named, CLASSES);
});

Deno.test("verbs: every verb has an action class, and it is the one that was decided", async () => {
  const env = createRealEnvironment();
  const primitives = await testPrimitives();
  const keys = new MeshKeys(primitives, { random: env.random, now: () => env.clock.now() });
  const folder = await Deno.makeTempDir();
  const daemon = new Minimed({
    env,
    primitives,
    trust: keys.trust(),
    self: keys.person({ name: "n1" }),
    modules: createModules({ mesh: { segment: "default", endpoints: () => [], peers: [] } }),
    listen: [],
    auditFolder: folder,
    log: () => () => {},
  });
  await daemon.start();
  const actions = Object.fromEntries([...daemon.actions()].sort());
  await daemon.stop("test is over");
  await Deno.remove(folder, { recursive: true });
  assert.deepEqual(actions, CLASSES);
  for (const name of Object.keys(actions)) assert.ok(name.split(".").every(isName), name);
});
