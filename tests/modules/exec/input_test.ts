/** What reaches a program's stdin, and what does not. */

import assert from "node:assert/strict";
import { signForModule } from "../../../core/mod.ts";
import { testPrimitives } from "../../support/mesh_keys.ts";
import { quiet } from "../../support/wait.ts";
import { INPUT_DOMAIN, InputBytes } from "../../../modules/shared/signed_input.ts";
import { SharedInput } from "../../../modules/exec/shared_input.ts";
import { makeScene, RUN_ID, type Scene } from "./scene.ts";

/** As the user signs them, the end included. */
async function pieces(scene: Scene, texts: readonly string[], run = RUN_ID): Promise<Uint8Array[]> {
  const primitives = await testPrimitives();
  const input = new InputBytes(run);
  return [...texts, ""].map((text) => {
    const bytes = new TextEncoder().encode(text);
    const signed = { domain: INPUT_DOMAIN, ...input.next(bytes), seed: scene.user.signSeed };
    return new Uint8Array([...bytes, ...signForModule(primitives, signed)]);
  });
}

async function* sent(items: Iterable<unknown>): AsyncGenerator<unknown> {
  for (const item of items) yield await Promise.resolve(item);
}

function cat(scene: Scene, items: Iterable<unknown>) {
  return scene.run(["cat"], { run: RUN_ID, stdin: "hashed", input: sent(items) });
}

Deno.test("input: signed pieces arrive in order, with their end", async () => {
  await using scene = await makeScene();
  const { stdout, end } = await cat(scene, await pieces(scene, ["one\n", "two\n"]));
  assert.deepEqual([stdout, end], ["one\ntwo\n", { code: 0 }]);
  assert.equal((await cat(scene, await pieces(scene, []))).stdout, "");
});

Deno.test("input: what a relay changes, adds, drops or turns around ends the program", async () => {
  await using scene = await makeScene();
  const [one, two, end] = await pieces(scene, ["one\n", "two\n"]) as [
    Uint8Array,
    Uint8Array,
    Uint8Array,
  ];
  const other = await pieces(scene, ["one\n"], "77".repeat(16));
  const altered = new Uint8Array([...new TextEncoder().encode("rm -rf /\n"), ...one.slice(-64)]);
  for (const wrong of [[altered], [one, one], [two, end], [one, end], other]) {
    await assert.rejects(cat(scene, wrong), {
      class: "refused",
      message: "The input is not what the user has signed",
    });
  }
  await assert.rejects(cat(scene, [one]), { message: "The input broke off" });
  for (const none of ["text", new Uint8Array(63), [one, two]]) {
    await assert.rejects(cat(scene, [none]), { class: "invalid" });
  }
});

Deno.test("input: what is not signed needs a session of the user's own", async () => {
  await using scene = await makeScene();
  const input = () => sent([new TextEncoder().encode("hello")]);
  const bound = await scene.run(["cat"], { stdin: "bound", bound: true, input: input() });
  assert.equal(bound.stdout, "hello");
  await assert.rejects(scene.run(["cat"], { stdin: "bound", input: input() }), {
    class: "refused",
    message: "Input that is not signed needs a session of the user's own",
  });
});

Deno.test("input: a program that does not read it ends all the same", async () => {
  await using scene = await makeScene();
  const endless = async function* () {
    for (;;) {
      await new Promise((resolve) => setTimeout(resolve, 0));
      yield new Uint8Array(65_536);
    }
  };
  const { end } = await scene.run(["true"], { stdin: "bound", bound: true, input: endless() });
  assert.deepEqual(end, { code: 0 });
  // The writer may have been waiting when the program ended.
  await new Promise((resolve) => setTimeout(resolve, 20));
});

Deno.test("input: without it a program reads nothing", async () => {
  await using scene = await makeScene();
  assert.equal((await scene.run(["cat"])).stdout, "");
});

Deno.test("shared input: all get all of it, the slowest sets the pace, who has left keeps nobody", async () => {
  let read = 0;
  const source = async function* () {
    for (; read < 100; read++) yield await Promise.resolve(Uint8Array.of(read));
  };
  const shared = new SharedInput(source(), 3);
  const shares = Array.from({ length: 3 }, () => shared.open());
  const [fast, slow, gone] = shares.map(({ bytes }) => bytes[Symbol.asyncIterator]());
  const numberOf = (result: IteratorResult<Uint8Array> | undefined) => result?.value?.[0];
  assert.equal(numberOf(await fast?.next()), 0);
  assert.equal(numberOf(await gone?.next()), 0);
  shares[2]?.[Symbol.dispose]();
  let next = fast?.next();
  await quiet();
  assert.ok(read < 5, `${read} were read ahead of the slowest`);
  for (let i = 0; i < 100; i++) {
    assert.equal(numberOf(await slow?.next()), i);
    if (i === 0) continue;
    assert.equal(numberOf(await next), i);
    next = fast?.next();
  }
  assert.deepEqual(await Promise.all([slow?.next(), next].map(async (one) => (await one)?.done)), [
    true,
    true,
  ]);
});

Deno.test("shared input: when the source fails, nobody takes it for the end", async () => {
  const source = async function* () {
    yield await Promise.resolve(Uint8Array.of(1));
    throw new Error("disk is gone");
  };
  const { bytes } = new SharedInput(source(), 1).open();
  const all = async () => {
    for await (const _ of bytes) { /* read */ }
  };
  await assert.rejects(all, /disk is gone/);
});
