import assert from "node:assert/strict";
import { CallError, type Link, type Self } from "../../../core/mod.ts";
import { puppet, RealMesh, states, until, viewOf } from "./real_mesh.ts";

const ALL_UP = "n1:up n2:up n3:up n4:up";

async function fullMesh(): Promise<RealMesh> {
  const mesh = await RealMesh.create();
  for (const name of ["n1", "n2", "n3", "n4"]) await mesh.start(name);
  for (const name of ["n1", "n2", "n3", "n4"]) {
    await until(
      mesh.get(name),
      (nodes) => states(nodes) === ALL_UP && nodes.every(({ links }) => links.length === 3),
    );
  }
  return mesh;
}

Deno.test("mesh: four daemons see each other, all linked with all", async () => {
  await using mesh = await fullMesh();
  const view = await viewOf(mesh.get("n3"));
  assert.equal(view.self, mesh.seed("n3").keyId);
  const n1 = view.nodes.find(({ name }) => name === "n1");
  assert.deepEqual(n1?.endpoints, mesh.get("n1").endpoints());
  assert.equal(n1?.segment, "default");
  assert.equal(n1?.incarnation, 1);
});

Deno.test("mesh: who knows one node learns of all others", async () => {
  await using mesh = await RealMesh.create();
  await mesh.start("n1");
  const seeds = [mesh.seed("n1")];
  for (const name of ["n2", "n3", "n4"]) await mesh.start(name, { seeds });
  await until(mesh.get("n4"), (nodes) => states(nodes) === ALL_UP);
});

Deno.test("mesh: a daemon that stops says goodbye", async () => {
  await using mesh = await fullMesh();
  await mesh.stop("n4");
  for (const name of ["n1", "n2", "n3"]) {
    await until(mesh.get(name), (nodes) => states(nodes) === "n1:up n2:up n3:up n4:left");
  }
});

Deno.test("mesh: a node whose links all break is down, since when and where", async () => {
  await using mesh = await fullMesh();
  const before = mesh.env.clock.now();
  mesh.cut("n4");
  const picture = await until(
    mesh.get("n1"),
    (nodes) => states(nodes) === "n1:up n2:up n3:up n4:down",
  );
  const n4 = picture.byName("n4");
  assert.ok(n4 !== undefined && n4.since >= before && n4.since <= mesh.env.clock.now());
  assert.ok(["n1", "n2", "n3"].includes(n4.lostAt as string), n4.lostAt);
});

Deno.test("mesh: a daemon that is started again with its key is believed, whatever was said of it", async () => {
  await using mesh = await fullMesh();
  const self = mesh.self("n4");
  await mesh.stop("n4");
  await until(mesh.get("n1"), (nodes) => states(nodes) === "n1:up n2:up n3:up n4:left");
  const again = await mesh.start("n4", {
    self: { ...self, instance: mesh.env.random.bytes(16) },
  });
  const picture = await until(mesh.get("n1"), (nodes) => states(nodes) === ALL_UP);
  assert.equal(picture.byName("n4")?.incarnation, 2);
  assert.equal((await viewOf(again)).self, self.identity.keyId);
});

Deno.test("mesh: a node that is gone is forgotten by all, for a user who may", async () => {
  await using mesh = await fullMesh();
  const user = mesh.keys.person({ name: "ann", type: "user" });
  const forget = (nodes: string[]) =>
    mesh.get("n1").caller("mesh").request(
      "mesh.forget",
      mesh.keys.sign(user, { verb: "mesh.forget", args: { nodes } }),
      { signed: true },
    );
  await assert.rejects(
    forget(["n4"]),
    (error: CallError) =>
      error.class === "invalid" &&
      error.message === 'Node "n4" is up; only one that is down or left is forgotten',
  );
  await mesh.stop("n4");
  for (const name of ["n1", "n2", "n3"]) {
    await until(mesh.get(name), (nodes) => states(nodes) === "n1:up n2:up n3:up n4:left");
  }
  assert.deepEqual(await forget(["n4"]), { forgotten: ["n4"] });
  for (const name of ["n1", "n2", "n3"]) {
    await until(mesh.get(name), (nodes) => states(nodes) === "n1:up n2:up n3:up");
  }
  // Twice is no failure; never heard of is.
  assert.deepEqual(await forget(["n4"]), { forgotten: ["n4"] });
  await assert.rejects(forget(["n5"]), /^CallError: No node "n5" is known here$/);
  // A newcomer is told that n4 was forgotten, and does not bring it back.
  const n5 = await mesh.start("n5");
  await until(n5, (nodes) => states(nodes) === "n1:up n2:up n3:up n5:up");
  // Nor does it take it for one that is missing, as it does one of which nobody ever heard.
  const unheard = await n5.caller("mesh").request("mesh.unheard", { names: ["n4", "n9", "n1"] });
  assert.deepEqual((unheard as { names: string[] }).names, ["n9"]);
});

Deno.test("mesh: to forget needs a signed request", async () => {
  await using mesh = await RealMesh.create();
  const n1 = await mesh.start("n1");
  await assert.rejects(
    n1.caller("mesh").request("mesh.forget", { nodes: ["n2"] }),
    (error: CallError) => error.class === "refused",
  );
});

Deno.test("mesh: round-trip times are kept by each end", async () => {
  await using mesh = await fullMesh();
  const call = () => mesh.get("n1").caller("mesh").request("mesh.links");
  let links = await call() as { name: string; roundTripMs?: number }[];
  while (links.some(({ roundTripMs }) => roundTripMs === undefined)) {
    await mesh.env.clock.yield();
    links = await call() as typeof links;
  }
  assert.deepEqual(links.map(({ name }) => name).sort(), ["n2", "n3", "n4"]);
});

Deno.test("mesh: watching ends when the daemon stops", async () => {
  await using mesh = await RealMesh.create();
  const n1 = await mesh.start("n1");
  const call = n1.caller("mesh").stream("mesh.watch");
  const items: unknown[] = [];
  const reading = (async () => {
    for await (const item of call) items.push(item);
  })();
  await until(n1, (nodes) => nodes.length === 1);
  await mesh.stop("n1");
  await reading;
  assert.deepEqual(await call.reply, {});
  assert.equal(items.length >= 1, true);
});

Deno.test("mesh: link verbs are for neighbours", async () => {
  await using mesh = await RealMesh.create();
  const n1 = await mesh.start("n1");
  for (
    const [verb, args] of [
      ["mesh.beat", { unixMs: 0 }],
      ["mesh.flood", { adverts: [], forgotten: [] }],
      ["mesh.sync", { digests: new Uint8Array(8) }],
      ["mesh.offer", { summary: new Uint8Array(4) }],
      ["mesh.spare", {}],
      ["mesh.fetch", { keys: new Uint8Array() }],
    ] as const
  ) {
    await assert.rejects(
      n1.caller("mesh").request(verb, args),
      (error: CallError) =>
        error.class === "refused" && error.message === "Only a neighbour may do this",
    );
  }
});

/** n1 runs the mesh module; its neighbour speaks to it by hand. */
async function withPuppet(
  run: (mesh: RealMesh, link: Link) => Promise<void>,
  fetch?: (mesh: RealMesh) => unknown,
): Promise<void> {
  await using mesh = await RealMesh.create();
  await mesh.start("n1");
  const { module, links } = puppet({ fetch: () => fetch?.(mesh) });
  await mesh.start("evil", { modules: [module] });
  const { keyId, endpoints } = mesh.seed("n1");
  await run(mesh, await links().dial(endpoints[0] as string, { expect: { keyId } }));
}

Deno.test("mesh: a neighbour that sends a forged advert loses its link", async () => {
  await withPuppet(async (mesh, link) => {
    const forged = mesh.advert(mesh.self("n1"), { incarnation: 9 }, mesh.self("evil"));
    await assert.rejects(
      link.request("mesh.flood", { adverts: [forged.bytes], forgotten: [] }),
      /Advert of "n1" \([0-9a-f]{16}\) is not signed by its key/,
    );
    assert.match((await link.closed).text, /is not signed by its key/);
    const { nodes } = await viewOf(mesh.get("n1"));
    assert.deepEqual(nodes.map(({ name, incarnation }) => [name, incarnation]), [["n1", 1]]);
  });
});

Deno.test("mesh: garbage from a neighbour costs it the link and nobody else anything", async () => {
  await withPuppet(async (mesh, link) => {
    await assert.rejects(
      link.request("mesh.flood", { adverts: [new Uint8Array(999)], forgotten: [] }),
      /Advert is malformed at byte 0 \(magic\)/,
    );
    assert.match((await link.closed).text, /Advert is malformed/);
    assert.equal(states((await viewOf(mesh.get("n1"))).nodes), "n1:up");
  });
});

Deno.test("mesh: a neighbour's flood of adverts is bounded", async () => {
  await withPuppet(async (mesh, link) => {
    const evil = mesh.self("evil");
    // Signed before, and sent again and again: a slow machine must be able to send too many, too.
    const adverts = Array.from(
      { length: 256 },
      (_, i) => mesh.advert(evil, { sequence: i + 1 }).bytes,
    );
    let refused: unknown;
    for (let round = 0; refused === undefined; round++) {
      assert.ok(round < 100);
      await link.request("mesh.flood", { adverts, forgotten: [] }).catch((error) =>
        refused = error
      );
    }
    assert.ok(refused instanceof CallError && refused.class === "busy", String(refused));
    assert.equal(refused.message, "More adverts per second than allowed");
    // A thousand adverts by one node, and it is one line in the table.
    await until(mesh.get("n1"), (nodes) => nodes.length === 2);
    await link.close("done");
  });
});

Deno.test("mesh: a claim of links that the others do not have makes nobody reachable", async () => {
  let ghost: Self | undefined;
  const ghostsAdvert = (mesh: RealMesh) =>
    mesh.advert(ghost as Self, { links: [mesh.self("n1").identity.keyId] }).bytes;
  await withPuppet(async (mesh, link) => {
    ghost = mesh.keys.person({ name: "ghost" });
    const links = [mesh.self("n1").identity.keyId, ghost.identity.keyId].sort();
    const evil = mesh.advert(mesh.self("evil"), { sequence: 5, links });
    await link.request("mesh.flood", { adverts: [evil.bytes, ghostsAdvert(mesh)], forgotten: [] });
    const picture = await until(mesh.get("n1"), (nodes) => nodes.length === 3);
    assert.equal(states(picture.nodes), "evil:up ghost:down n1:up");
    await link.close("done");
  }, (mesh) => ({
    nodes: [{ advert: ghostsAdvert(mesh), chain: ghost?.identity.chain, forgotten: false }],
  }));
});

Deno.test("mesh: two that lie together win each other, and nobody else who does not claim them", async () => {
  const people = new Map<string, Self>();
  const keyIds = (names: readonly string[], mesh: RealMesh) =>
    names.map((name) => (people.get(name) ?? mesh.self(name)).identity.keyId).sort();
  /** As the node itself says, at its best. */
  const say = (mesh: RealMesh, name: string, links: readonly string[], sequence = 1) =>
    mesh.advert(people.get(name) ?? mesh.self(name), { links: keyIds(links, mesh), sequence })
      .bytes;
  const truth = (mesh: RealMesh) => [
    say(mesh, "mate", ["evil", "honest", "friend"]),
    say(mesh, "honest", []),
    // This one is linked with the mate indeed, somewhere behind a cut.
    say(mesh, "friend", ["mate"]),
  ];
  await withPuppet(async (mesh, link) => {
    for (const name of ["mate", "honest", "friend"]) people.set(name, mesh.keys.person({ name }));
    const adverts = [say(mesh, "evil", ["n1", "mate", "honest"], 5), ...truth(mesh)];
    await link.request("mesh.flood", { adverts, forgotten: [] });
    const picture = await until(
      mesh.get("n1"),
      (nodes) =>
        nodes.length === 5 &&
        nodes.some(({ name, state }) => name === "honest" && state === "down"),
    );
    assert.equal(states(picture.nodes), "evil:up friend:up honest:down mate:up n1:up");
    await link.close("done");
    // Without the one that we are linked with, all that hung on its word is gone.
    await until(
      mesh.get("n1"),
      (nodes) => states(nodes) === "evil:down friend:down honest:down mate:down n1:up",
    );
  }, (mesh) => ({
    nodes: ["mate", "honest", "friend"].map((name, index) => ({
      advert: truth(mesh)[index],
      chain: people.get(name)?.identity.chain,
      forgotten: false,
    })),
  }));
});

Deno.test("mesh: whoever shows a certificate of its own for another's key loses its link", async () => {
  let victim: Self | undefined;
  await withPuppet(async (mesh, link) => {
    victim = mesh.keys.person({ name: "victim" });
    const { bytes } = mesh.advert(victim, {}, mesh.self("evil"));
    await link.request("mesh.flood", { adverts: [bytes], forgotten: [] });
    assert.match((await link.closed).text, /Advert and certificate are of two keys/);
  }, (mesh) => ({
    nodes: [{
      advert: mesh.advert(victim as Self, {}, mesh.self("evil")).bytes,
      chain: mesh.self("evil").identity.chain,
      forgotten: false,
    }],
  }));
});
