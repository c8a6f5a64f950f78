/** Nodes that are told of nobody and look around on the simulated network. */

import assert from "node:assert/strict";
// Nothing outside of the simulation may take time in it, such as loading this when it is needed.
import "../../modules/discovery/lookout.ts";
import { meshTags } from "../../modules/discovery/mesh_tag.ts";
import { MDNS_GROUP } from "../../modules/discovery/limits.ts";
import { decodeWord, encodeWord, type Word } from "../../modules/discovery/word.ts";
import { MeshSimulation } from "./mesh_simulation.ts";

function start(
  options: {
    seed: number;
    nodes: number;
    discover?: boolean;
    segments?: number;
    gateways?: number;
    oneNetwork?: boolean;
  },
): Promise<MeshSimulation> {
  return MeshSimulation.start({ discover: true, peers: 0, ...options });
}

/** Of the segment that all nodes are in. */
function tagOf({ keys }: MeshSimulation): string {
  const circle = { segment: "s1", gateway: false };
  return meshTags(keys.primitives, { meshId: keys.meshId, circle })[0] ?? "";
}

/** Everything that is said on the network from now on. */
async function listen(mesh: MeshSimulation): Promise<{ bytes: Uint8Array; from: string }[]> {
  const heard: { bytes: Uint8Array; from: string }[] = [];
  const group = mesh.simulation.host("ear").network.multicast(MDNS_GROUP);
  await mesh.finish(group.networks());
  (async () => {
    for (;;) heard.push(await group.receive());
  })();
  return heard;
}

Deno.test("discovery: nodes that are told of nobody find each other, a late one too", async () => {
  const mesh = await start({ seed: 1, nodes: 3 });
  await mesh.untilAgreed();
  const found = mesh.log.filter(({ text }) => /Found "n\d" at tcp:10\.0\.0\.\d:7117 by/.test(text));
  assert.ok(found.length >= 2, "links were found by multicast DNS");
  await mesh.finish(mesh.node("n2").stop());
  await mesh.run({ forMs: 120_000 });
  await mesh.finish(mesh.node("n2").start([], { newKey: true }));
  await mesh.untilAgreed();
  await mesh.stopAll();
});

Deno.test("discovery: a mesh that knows itself hardly speaks, and nobody answers its own", async () => {
  const mesh = await start({ seed: 2, nodes: 5 });
  await mesh.untilAgreed();
  await mesh.run({ forMs: 120_000 });
  const heard = await listen(mesh);
  await mesh.run({ forMs: 600_000 });
  const tag = tagOf(mesh);
  const words = heard.map(({ bytes }) => decodeWord(tag, bytes));
  assert.ok(words.every((word) => word?.asks === true));
  // Each asks every 30 to 60 s.
  assert.ok(words.length >= 5 * 9 && words.length <= 5 * 21, `${words.length} words`);
  await mesh.stopAll();
});

Deno.test("discovery: a large mesh answers a newcomer by few, and takes it in", async () => {
  const mesh = await start({ seed: 3, nodes: 20 });
  await mesh.untilAgreed();
  await mesh.finish(mesh.node("n20").stop());
  await mesh.run({ forMs: 120_000 });
  const heard = await listen(mesh);
  await mesh.finish(mesh.node("n20").start([], { newKey: true }));
  await mesh.untilAgreed();
  const tag = tagOf(mesh);
  const answers = heard.filter(({ bytes }) => decodeWord(tag, bytes)?.asks === false);
  assert.ok(answers.length >= 1 && answers.length <= 25, `${answers.length} answers`);
  await mesh.stopAll();
});

Deno.test("discovery: without it nothing is said, heard or found", async () => {
  const mesh = await start({ seed: 4, nodes: 3, discover: false });
  const heard = await listen(mesh);
  await mesh.run({ forMs: 300_000 });
  assert.deepEqual(heard, []);
  for (const { running, name } of mesh.nodes) {
    assert.deepEqual(running?.picture?.nodes.map(({ name }) => name), [name]);
  }
  await mesh.stopAll();
});

Deno.test("discovery: forged and repeated words, from who is no node, harm nobody", async () => {
  const mesh = await start({ seed: 5, nodes: 3 });
  const tag = tagOf(mesh);
  const liar = mesh.simulation.host("liar").network.multicast(MDNS_GROUP);
  const [address = ""] = await mesh.finish(liar.networks());
  const keys = mesh.nodes.map(({ keyId }) => keyId);
  const say = (word: Word, from = address) => mesh.finish(liar.send(encodeWord(tag, word), from));
  const lie = async (round: number) => {
    // In the name of a node, of nobody, and from an address that is another's.
    for (const keyId of keys) await say({ keyId, port: 1 + round, asks: true });
    for (let i = 0; i < 60; i++) {
      const keyId = (round * 100 + i).toString(16).padStart(64, "0");
      await say({ keyId, port: 7_117, asks: i % 2 === 0 }, `10.0.0.${i % 3 + 1}`);
    }
    await mesh.finish(liar.send(mesh.simulation.random.bytes(400), address));
  };
  for (let round = 0; round < 10; round++) {
    await lie(round);
    await mesh.run({ forMs: 1_000 });
  }
  await mesh.untilAgreed();
  assert.equal(mesh.living.length, 3);
  liar.close();
  await mesh.stopAll();
});

// They linked, which their topology does not want, and unlinked, again and again; hooks told of failures.
Deno.test("discovery: segments on one network without gateways stay apart, and never link", async () => {
  const mesh = await start({ seed: 6, nodes: 4, segments: 2, gateways: 0, oneNetwork: true });
  const sees = () =>
    mesh.nodes.map(({ running }) =>
      running?.picture?.nodes.map(({ name, state }) => `${name} ${state}`).sort().join()
    );
  const own = ["n1 up,n2 up", "n1 up,n2 up", "n3 up,n4 up", "n3 up,n4 up"];
  await mesh.run({ until: () => sees().join("; ") === own.join("; "), forMs: 60_000 });
  await mesh.run({ forMs: 600_000 });
  assert.deepEqual(sees(), own);
  assert.deepEqual(mesh.log.filter(({ text }) => /down|lost|left/i.test(text)), []);
  // As its mesh file says now.
  const { daemon } = mesh.node("n2").running ?? assert.fail("It runs");
  const segment = "s2";
  await mesh.finish(
    daemon.caller("discovery").request("discovery.set", { discover: true, segment }),
  );
  await mesh.finish(daemon.caller("mesh").request("mesh.move", { segment }));
  const moved = () => sees().slice(1).every((seen) => /n2 up,n3 up,n4 up/.test(seen ?? ""));
  assert.ok(await mesh.run({ until: moved, forMs: 120_000 }), sees().join("; "));
  await mesh.stopAll();
});

Deno.test("discovery: gateways of segments on one network find each other", async () => {
  const mesh = await start({ seed: 7, nodes: 4, segments: 2, gateways: 1, oneNetwork: true });
  await mesh.untilAgreed();
  const found = mesh.log.filter(({ text }) => /^discovery: Found/.test(text));
  const across = found.filter(({ node, text }) =>
    /n[12]/.test(node) !== /Found "n[12]"/.test(text)
  );
  assert.ok(across.length > 0);
  assert.ok(across.every(({ node, text }) => /n[13]/.test(node) && /Found "n[13]"/.test(text)));
  await mesh.stopAll();
});
