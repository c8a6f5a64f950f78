// Little time and little room for who has not proven anything yet, and none of it for the others.

import assert from "node:assert/strict";
import { ConnectionError } from "../../../core/errors.ts";
import {
  FIRST_BYTES_MS_MAX,
  HANDSHAKE_MS_MAX,
  UNAUTHENTICATED_CONNECTIONS_MAX,
  UNAUTHENTICATED_PER_SOURCE_MAX,
} from "../../../core/limits.ts";
import { FIRST_MESSAGE_BYTES } from "../../../core/security/hello.ts";
import { ManualClock } from "../../support/manual_clock.ts";
import { MemoryNetwork } from "../../support/memory_network.ts";
import { framed, RawPeer } from "../../support/raw_peer.ts";
import { outcome, quiet } from "../../support/wait.ts";
import { message } from "./messages.ts";
import { makeKeys, Party } from "./parties.ts";
import { bytesBack, scene } from "./scene.ts";

Deno.test("slow stranger: who says nothing, or one byte less than needed, is gone after 2 s", async () => {
  await scene(async ({ acceptor, clock, connect, peer }) => {
    const first = peer().firstMessage();
    for (const length of [0, 1, FIRST_MESSAGE_BYTES - 1]) {
      const pipe = connect();
      await pipe.write(first.subarray(0, length));
      const back = bytesBack(pipe);
      await clock.advance(FIRST_BYTES_MS_MAX - 1);
      assert.equal((await outcome(back)).state, "pending");
      await clock.advance(1);
      assert.equal(await back, 0);
      const text = `First message with 10.0.0.1:1 took longer than ${FIRST_BYTES_MS_MAX} ms`;
      assert.ok(acceptor.logged.at(-1)?.endsWith(text), acceptor.logged.at(-1));
    }
  });
});

Deno.test("slow stranger: one byte a second gains no time", async () => {
  await scene(async ({ clock, connect, peer }) => {
    const first = peer().firstMessage();
    const pipe = connect();
    const back = bytesBack(pipe);
    for (let at = 0; at < 3; at++) {
      await pipe.write(first.subarray(at, at + 1)).catch(() => {});
      await clock.advance(FIRST_BYTES_MS_MAX / 2);
    }
    assert.equal(await back, 0);
  });
});

Deno.test("slow peer: who knows the secret and stops in the middle is gone after 5 s", async () => {
  await scene(async ({ acceptor, clock, connect, peer }) => {
    const pipe = connect();
    using raw = peer({ pipe });
    await raw.begin();
    await pipe.write(framed(new Uint8Array(200)).subarray(0, 100));
    const back = bytesBack(pipe);
    await clock.advance(HANDSHAKE_MS_MAX - 1);
    assert.equal((await outcome(back)).state, "pending");
    await clock.advance(1);
    assert.equal(await back, 0);
    const text = `Handshake with 10.0.0.1:1 took longer than ${HANDSHAKE_MS_MAX} ms`;
    assert.ok(acceptor.logged.at(-1)?.endsWith(text), acceptor.logged.at(-1));
  });
});

Deno.test("slow acceptor: who dials it gives up after 5 s, or when told to, and says so", async () => {
  await scene(async ({ clock, dialler, network }) => {
    const listener = await network.listen({ transport: "tcp", host: "127.0.0.1", port: 0 });
    assert.ok(listener.address.transport === "tcp");
    const endpoint = `tcp:127.0.0.1:${listener.address.port}`;
    const late = assert.rejects(dialler.dial(endpoint), (error: unknown) => {
      assert.ok(error instanceof ConnectionError && error.reason === "timeout");
      assert.ok(error.message.endsWith(`took longer than ${HANDSHAKE_MS_MAX} ms`), error.message);
      return true;
    });
    await quiet();
    await clock.advance(HANDSHAKE_MS_MAX);
    await late;
    const controller = new AbortController();
    const reason = new Error("no more");
    const told = assert.rejects(dialler.dial(endpoint, { signal: controller.signal }), reason);
    await quiet();
    controller.abort(reason);
    await told;
    listener.close();
  });
});

Deno.test("strangers: so many from one source, and no more until one leaves", async () => {
  await scene(async ({ acceptor, connect }) => {
    const waiting = Array.from(
      { length: UNAUTHENTICATED_PER_SOURCE_MAX },
      (_, i) => connect(`10.0.0.9:${i}`),
    );
    await quiet();
    assert.equal(await bytesBack(connect("10.0.0.9:999")), 0);
    assert.ok(acceptor.logged.at(-1)?.includes("too many without authentication"));
    const elsewhere = outcome(bytesBack(connect("10.0.0.8:1")));
    assert.equal((await elsewhere).state, "pending");
    waiting[0]?.close();
    await quiet();
    assert.equal((await outcome(bytesBack(connect("10.0.0.9:1000")))).state, "pending");
    assert.equal(await bytesBack(connect("10.0.0.9:1001")), 0);
  });
});

Deno.test("strangers: all of an IPv6 /64 is one source, since one machine may have all of it", async () => {
  await scene(async ({ connect }) => {
    for (let i = 0; i < UNAUTHENTICATED_PER_SOURCE_MAX; i++) connect(`[2001:db8::${i + 1}]:1`);
    await quiet();
    assert.equal(await bytesBack(connect("[2001:db8:0:0:9:9:9:9]:1")), 0);
    assert.equal(await bytesBack(connect("[2001:db8::1:0:0:1]:1")), 0);
    for (const other of ["[2001:db8:0:1::1]:1", "[::1]:1", "[fe80::1%eth0]:1"]) {
      assert.equal((await outcome(bytesBack(connect(other)))).state, "pending", other);
    }
  });
});

Deno.test("strangers: so many in all, from however many sources", async () => {
  await scene(async ({ connect, clock }) => {
    for (let i = 0; i < UNAUTHENTICATED_CONNECTIONS_MAX; i++) connect(`10.0.${i}.1:1`);
    await quiet();
    assert.equal(await bytesBack(connect("10.1.0.1:1")), 0);
    await clock.advance(FIRST_BYTES_MS_MAX);
    assert.equal((await outcome(bytesBack(connect("10.1.0.2:1")))).state, "pending");
  });
});

Deno.test("strangers: who has proven itself does not count", async () => {
  await scene(async ({ acceptor, connect, peer }) => {
    const peers: RawPeer[] = [];
    while (peers.length < UNAUTHENTICATED_PER_SOURCE_MAX + 3) {
      const raw = peer();
      peers.push(raw);
      await raw.begin();
      await raw.present();
      assert.equal((await raw.verdict()).ready, true);
      await quiet();
    }
    assert.equal((await outcome(bytesBack(connect()))).state, "pending");
    for (const raw of peers) raw[Symbol.dispose]();
    await Promise.all(acceptor.conduits.map(({ closed }) => closed));
  });
});

Deno.test("peer: may be silent for as long as it likes once it is known", async () => {
  await scene(async ({ acceptor, clock, dialler, endpoint }) => {
    const conduit = await dialler.dial(endpoint);
    await quiet();
    assert.equal(clock.timers, 0);
    await clock.advance(20 * 86_400_000);
    await conduit.send(message("still here"));
    await conduit.close("over");
    await quiet();
    assert.deepEqual(acceptor.received.map(({ body }) => body), ["still here"]);
  });
});

Deno.test("listener: closing it closes whoever has not proven anything yet, and waits for that", async () => {
  const clock = new ManualClock();
  const keys = await makeKeys(clock);
  const network = new MemoryNetwork();
  const party = new Party({ keys, clock, network, self: keys.person({ name: "b" }) });
  const endpoint = await party.listen();
  const pipes = Array.from(
    { length: 5 },
    (_, i) => network.connect(endpoint.slice(4), `10.0.0.1:${i}`),
  );
  const back = Promise.all(pipes.map(bytesBack));
  await quiet();
  await party[Symbol.asyncDispose]();
  assert.deepEqual(await back, [0, 0, 0, 0, 0]);
  assert.equal(clock.timers, 0);
});
