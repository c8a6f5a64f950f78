/** A forwarded connection in a session of a user that an enemy carries. */

import assert from "node:assert/strict";
import { createRealEnvironment } from "../../../core/environment/real.ts";
import type { BytePipe } from "../../../core/mod.ts";
import { carryLocal } from "../../../modules/forward/connection.ts";
import { createForward } from "../../../modules/forward/mod.ts";
import { NodeWay } from "../../../modules/forward/node_way.ts";
import type { CommandContext } from "../../../modules/shared/command.ts";
import { Dice, SEED } from "../../support/fuzz.ts";
import { EvilWay, troubled } from "../router/evil_way.ts";
import { answerAtEnd, LOOPBACK, portOf, readAll, serve } from "./server.ts";

const { network } = createRealEnvironment();

/** A connection of this machine whose far end is carried to that port of node "b". */
async function connectThrough(way: NodeWay, port: number): Promise<BytePipe> {
  const listener = await network.listen(LOOPBACK);
  const dialled = network.dial({ ...LOOPBACK, port: portOf(listener) });
  const pipe = await listener.accept();
  listener.close();
  const { signal } = new AbortController();
  void carryLocal(pipe, () => way.open({ host: "127.0.0.1", port }, signal)).catch(() => {
    // Seen at the other end.
  });
  return await dialled;
}

async function answerTo(pipe: BytePipe, bytes: Uint8Array): Promise<Uint8Array> {
  const reading = readAll(pipe);
  await pipe.write(bytes);
  await pipe.closeWrite();
  const answer = await reading;
  pipe.close();
  return answer.subarray(-bytes.length);
}

Deno.test("forward: an enemy that carries it reads nothing, and what it does changes nothing", async (t) => {
  await using mesh = await EvilWay.start(() => [createForward()]);
  await using server = await serve(answerAtEnd);
  const { enemy, context } = mesh;
  await using way = new NodeWay(context as CommandContext, "b");

  await t.step("neither the destination nor the bytes are in any of its packets", async () => {
    const text = "this-is-inside\n".repeat(10_000);
    const bytes = new TextEncoder().encode(text);
    assert.deepEqual(await answerTo(await connectThrough(way, server.port), bytes), bytes);
    assert.ok(enemy.seen.length > 10 && enemy.saw(mesh.targetKey), "it carried them");
    for (const word of ["this-is-inside", "127.0.0.1", "forward.connect"]) {
      assert.ok(!enemy.sawText(word), word);
    }
  });

  await t.step("what it brings again connects nothing, and adds nothing", async () => {
    const accepted = server.accepted();
    for (const packet of enemy.seen.slice()) enemy.replay(packet);
    const bytes = Uint8Array.of(1, 2, 3);
    assert.deepEqual(await answerTo(await connectThrough(way, server.port), bytes), bytes);
    assert.equal(server.accepted(), accepted + 1);
  });

  await t.step(
    "what it alters, cuts, drops, doubles and turns around changes nothing",
    async () => {
      enemy.does = troubled();
      const bytes = new Dice(SEED).bytes(300_000);
      assert.deepEqual(await answerTo(await connectThrough(way, server.port), bytes), bytes);
    },
  );
});
