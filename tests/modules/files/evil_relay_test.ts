/** Files from a node in a session of a user that an enemy carries. */

import assert from "node:assert/strict";
import { createFiles } from "../../../modules/files/mod.ts";
import { pullFiles } from "../../../modules/files/pull.ts";
import { Dice, SEED } from "../../support/fuzz.ts";
import { testPrimitives } from "../../support/mesh_keys.ts";
import { EvilWay, troubled } from "../router/evil_way.ts";
import { keptUmask, temporaryFolder } from "./scene.ts";

const TEXT = "this-is-inside\n";

Deno.test("pull: an enemy that carries it reads nothing, and what it does changes nothing", async (t) => {
  await using way = await EvilWay.start(() => [createFiles()]);
  using folder = temporaryFolder();
  using _umask = keptUmask();
  const { enemy } = way;
  const primitives = await testPrimitives();
  const pull = (name: string, connectMs = 30_000) =>
    pullFiles(way.context, {
      paths: new Map([["b", [`${folder.path}/${name}`]]]),
      folder: folder.path,
      as: "$user",
      connectMs,
      checksum: false,
      startSha256: () => primitives.startSha256(),
      onBytes: () => {},
    });
  const arrived = (name: string) => Deno.readFileSync(`${folder.path}/b/${name}`);

  await t.step("neither names nor content are in any of its packets", async () => {
    Deno.writeTextFileSync(`${folder.path}/this-is-a-name`, TEXT.repeat(10_000));
    const { failures } = await pull("this-is-a-name");
    assert.deepEqual([...failures], []);
    assert.equal(new TextDecoder().decode(arrived("this-is-a-name")), TEXT.repeat(10_000));
    assert.ok(enemy.seen.length > 10 && enemy.saw(way.targetKey), "it carried them");
    for (const text of ["this-is-inside", "this-is-a-name", "files.read"]) {
      assert.ok(!enemy.sawText(text), text);
    }
  });

  await t.step(
    "what it alters, cuts, drops, doubles and turns around changes nothing",
    async () => {
      const bytes = new Dice(SEED).bytes(1_500_000);
      Deno.writeFileSync(`${folder.path}/much`, bytes);
      enemy.does = troubled();
      const { failures, summaries } = await pull("much");
      assert.deepEqual([...failures], []);
      assert.equal(summaries.get("b")?.files, 1);
      assert.deepEqual(arrived("much"), bytes);
    },
  );

  await t.step(
    "one that alters everything keeps it away, and puts nothing in its place",
    async () => {
      Deno.writeTextFileSync(`${folder.path}/never`, TEXT);
      enemy.does = (packet, forward) => {
        packet[packet.length - 1]! ^= 1;
        forward(packet);
      };
      const { failures } = await pull("never", 300);
      assert.match(failures.get("b")?.reason ?? "", /did not answer within/);
      assert.throws(() => arrived("never"), Deno.errors.NotFound);
    },
  );
});
