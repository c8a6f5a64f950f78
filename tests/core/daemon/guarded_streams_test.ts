import assert from "node:assert/strict";
import type { Peer } from "../../../core/conduit/conduit.ts";
import type { Context } from "../../../core/daemon/module.ts";
import { fromHex } from "../../../core/wire/bytes.ts";
import { type Court, court, SIGNED } from "./court.ts";

const VERB = "exec.stream";
const SESSION = "ab".repeat(32);
const OTHER = "cd".repeat(32);

/** Yields how many items came in, then two more; the reply is the number of items. */
async function* echo(_args: unknown, { input }: Context): AsyncGenerator<unknown, number, void> {
  let count = 0;
  for await (const item of input) {
    yield item;
    count++;
  }
  yield "last";
  return count + 1;
}

function user(bench: Court): Peer {
  return { kind: "user", identity: bench.user.identity, session: SESSION, clockOffsetMs: 0 };
}

Deno.test("guarded stream: a request bound to its session streams to who sent it", async () => {
  await court(async (bench) => {
    bench.declare(VERB, "guarded", echo);
    bench.input = ["one", "two"];
    const request = bench.sign(VERB, { bind: fromHex(SESSION) });
    const reply = await bench.ask(VERB, request, { peer: user(bench), signed: true });
    assert.equal(reply, 3);
    assert.deepEqual(bench.items, ["one", "two", "last"]);
  });
});

Deno.test("guarded stream: the owner's socket needs no binding", async () => {
  await court(async (bench) => {
    bench.declare(VERB, "guarded", echo);
    bench.input = ["one"];
    assert.equal(await bench.ask(VERB, bench.sign(VERB), SIGNED), 2);
    assert.deepEqual(bench.items, ["one", "last"]);
  });
});

Deno.test("guarded stream: whoever carries an unbound request can neither read nor add items", async () => {
  await court(async (bench) => {
    bench.declare(VERB, "guarded", echo);
    bench.input = ["injected"];
    const node = bench.keys.person({ name: "relay" }).identity;
    const peers: Peer[] = [user(bench), {
      kind: "user",
      identity: node,
      session: OTHER,
      clockOffsetMs: 0,
    }];
    for (const peer of peers) {
      assert.equal(await bench.ask(VERB, bench.sign(VERB), { peer, signed: true }), 1);
    }
    assert.deepEqual(bench.items, []);
  });
});

Deno.test("guarded stream: a request bound to another session is refused, by whomever", async () => {
  await court(async (bench) => {
    bench.declare(VERB, "guarded", echo);
    const request = bench.sign(VERB, { bind: fromHex(OTHER) });
    for (const peer of [user(bench), { kind: "local" } as const, { kind: "nobody" } as const]) {
      const verdict = await bench.verdict(VERB, request, { peer, signed: true });
      assert.match(verdict, /^refused: Request [0-9a-f]+ is bound to another session/);
    }
    assert.deepEqual([bench.ran, bench.items], [[], []]);
  });
});

Deno.test("guarded stream: a copy gets the reply and no items", async () => {
  await court(async (bench) => {
    bench.declare(VERB, "guarded", echo);
    const request = bench.sign(VERB, { bind: fromHex(SESSION) });
    const options = { peer: user(bench), signed: true };
    assert.equal(await bench.ask(VERB, request, options), 1);
    assert.equal(await bench.ask(VERB, request.slice(), options), 1);
    assert.deepEqual(bench.items, ["last"]);
    assert.equal(bench.ran.length, 1);
  });
});

Deno.test("guarded stream: a failure behind some items is told after them", async () => {
  await court(async (bench) => {
    bench.declare(VERB, "guarded", async function* () {
      yield 1;
      await Promise.resolve();
      throw new TypeError("broken");
    });
    const request = bench.sign(VERB, { bind: fromHex(SESSION) });
    await assert.rejects(bench.ask(VERB, request, { peer: user(bench), signed: true }), /broken/);
    assert.deepEqual(bench.items, [1]);
  });
});
