/** What targets stream up through the tree, and what a caller streams down to them. */

import assert from "node:assert/strict";
import { callGroup, type GroupCallOptions } from "../../../modules/shared/group_client.ts";
import { MeshPicture } from "../../../modules/shared/mesh_view.ts";
import type { GroupResult } from "../../../modules/shared/group_result.ts";
import { isCallError, line, startMesh, type TestMesh, told, until } from "./daemons.ts";

const N4 = ["n1", "n2", "n3", "n4"];

interface Streamed {
  readonly result: GroupResult;
  readonly items: Map<string, unknown[]>;
  lost: number;
}

async function stream(
  mesh: TestMesh,
  options: Partial<GroupCallOptions> & Pick<GroupCallOptions, "steps">,
  onItem: (name: string, value: unknown) => Promise<void> | void = () => {},
): Promise<Streamed> {
  const items = new Map<string, unknown[]>();
  const streamed = { items, lost: 0 };
  const result = await callGroup(mesh.get("n1").group, {
    targets: "",
    onItems: async (some) => {
      for (const [name, value, lost] of some) {
        streamed.lost += lost;
        items.set(name, [...items.get(name) ?? [], value]);
        await onItem(name, value);
      }
    },
    ...options,
  });
  return { ...streamed, result };
}

function counting(count: number, bytes = 0): GroupCallOptions["steps"] {
  return [{ verb: "probe.count", args: { count, bytes } }];
}

async function* sent(items: readonly unknown[]): AsyncGenerator<unknown> {
  for (const item of items) yield await Promise.resolve(item);
}

Deno.test("group stream: all items of all targets arrive in order, and then their answers", async () => {
  await using mesh = await startMesh(N4, line(N4));
  const { items, result, lost } = await stream(mesh, { steps: counting(300, 3_000) });
  for (const name of N4) {
    const numbers = items.get(name)?.map((item) => (item as number[])[0]);
    assert.deepEqual(numbers, Array.from({ length: 300 }, (_, i) => i), name);
  }
  assert.deepEqual([lost, result.counts.answered, result.values.get("n4")], [0, 4, 300]);
});

Deno.test("group stream: without a reader of items they are dropped", async () => {
  await using mesh = await startMesh(N4, line(N4));
  const result = await callGroup(mesh.get("n1").group, { targets: "", steps: counting(5) });
  assert.equal(result.values.get("n4"), 5);
});

Deno.test("group stream: a reader that waits makes the targets wait", async () => {
  await using mesh = await startMesh(N4, line(N4));
  const enough = new AbortController();
  const begun = Promise.withResolvers<void>();
  const go = Promise.withResolvers<void>();
  const running = stream(mesh, {
    steps: counting(Infinity, 16_384),
    signal: enough.signal,
  }, async () => {
    begun.resolve();
    await go.promise;
  });
  await begun.promise;
  const counted = () => mesh.daemons.map(({ probe }) => probe.counted);
  let before: readonly number[] = [];
  for (let still = 0; still < 5;) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    still = counted().every((count, i) => count === before[i]) ? still + 1 : 0;
    before = counted();
  }
  // Some megabytes for each hop, and no more however long we wait.
  assert.ok(Math.max(...counted()) * 16_384 < 12e6, String(counted()));
  enough.abort(new Error("enough"));
  go.resolve();
  await assert.rejects(running, isCallError("cancelled"));
});

Deno.test("group stream: input reaches every target, and so does its end", async () => {
  await using mesh = await startMesh(N4, line(N4));
  const input = Array.from({ length: 50 }, (_, i) => [i, new Uint8Array(20_000)]);
  const { items, result } = await stream(mesh, {
    steps: [{ verb: "probe.echo" }],
    input: sent(input),
  });
  for (const name of N4) assert.deepEqual(items.get(name), input, name);
  assert.deepEqual(result.folded().map(({ nodeset, value }) => [nodeset, value]), [["n[1-4]", 50]]);
});

Deno.test("group stream: input that fails ends the operation with its own error", async () => {
  await using mesh = await startMesh(["n1", "n2"]);
  const broken = async function* () {
    yield await Promise.resolve("a");
    throw new Error("The disk is gone");
  };
  const running = stream(mesh, { steps: [{ verb: "probe.echo" }], input: broken() });
  await assert.rejects(running, { message: "The disk is gone" });
});

Deno.test("group stream: when a relay dies nothing is lost, doubled or run twice", async () => {
  const edges = [["n1", "n2"], ["n2", "n4"], ["n1", "n3"], ["n3", "n4"]] as const;
  await using mesh = await startMesh(N4, edges);
  const picture = new MeshPicture(mesh.board.view("n1"));
  const { keyId = "" } = picture.byName("n4") ?? {};
  const relay = picture.byKey(picture.wayTo(keyId)?.next ?? "")?.name as string;
  const half = Promise.withResolvers<void>();
  const more = Promise.withResolvers<void>();
  const input = async function* () {
    for (let i = 0; i < 20; i++) {
      if (i === 10) await more.promise;
      yield i;
    }
  };
  const running = stream(mesh, {
    targets: "n4",
    steps: [{ verb: "probe.echo" }],
    input: input(),
  }, (_name, value) => {
    if (value === 9) half.resolve();
  });
  await half.promise;
  mesh.get(relay).kill();
  await until(() => mesh.board.view("n1").nodes.some(({ state }) => state === "down"));
  await told();
  more.resolve();
  const { items, result, lost } = await running;
  assert.deepEqual([...result.failures], []);
  assert.deepEqual(items.get("n4"), Array.from({ length: 20 }, (_, i) => i));
  assert.deepEqual([lost, mesh.get("n4").probe.ran], [0, ["echo"]]);
});
