/** What targets stream up through the tree, and what a caller streams down to them. */

import assert from "node:assert/strict";
import { INPUT_KEPT_BYTES_MAX } from "../../../modules/group/limits.ts";
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

/** Two ways from n1 to n4, over n2 and n3; of one of them the relay is killed in the middle of the input. */
async function relayDies(
  { targets, bytes }: { readonly targets: string; readonly bytes: number },
): Promise<Streamed & { readonly relay: string; readonly ran: readonly string[] }> {
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
      yield [i, new Uint8Array(bytes)];
    }
  };
  const running = stream(mesh, {
    targets,
    steps: [{ verb: "probe.echo" }],
    input: input(),
  }, (name, value) => {
    if (name === "n4" && (value as [number])[0] === 9) half.resolve();
  });
  await half.promise;
  mesh.get(relay).kill();
  await until(() => mesh.board.view("n1").nodes.some(({ state }) => state === "down"));
  await told();
  more.resolve();
  return { ...await running, relay, ran: mesh.get("n4").probe.ran };
}

const placesOf = (items: readonly unknown[] = []) => items.map((item) => (item as [number])[0]);
const ALL_PLACES = Array.from({ length: 20 }, (_, i) => i);

Deno.test("group stream: when a relay dies nothing is lost, doubled or run twice", async () => {
  const { items, result, lost, ran } = await relayDies({ targets: "n4", bytes: 10 });
  assert.deepEqual([...result.failures], []);
  assert.deepEqual(placesOf(items.get("n4")), ALL_PLACES);
  assert.deepEqual([lost, ran], [0, ["echo"]]);
});

Deno.test("group stream: after so much input those behind a dead relay are told as lost, and others go on", async () => {
  const bytes = Math.ceil(INPUT_KEPT_BYTES_MAX / 9);
  const { items, result, relay } = await relayDies({ targets: "n[2-4]", bytes });
  const other = relay === "n2" ? "n3" : "n2";
  assert.deepEqual([...result.answered], [other]);
  assert.deepEqual(placesOf(items.get(other)), ALL_PLACES);
  assert.deepEqual([...result.failures.keys()].sort(), [relay, "n4"].sort());
  const { set, reason, ran } = result.failures.get("n4") ?? {};
  const why = "Too much input has passed to send it again by another way";
  assert.deepEqual([set, reason, ran], ["unreachable", why, "maybe"]);
});
