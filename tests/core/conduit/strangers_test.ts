// Who does not belong here gets nothing: no byte, little time, little room. Some of it over real
// sockets, the exhaustive parts over pipes in memory with a clock that the test moves.

import assert from "node:assert/strict";
import type { BytePipe } from "../../../core/environment/environment.ts";
import { ConnectionError } from "../../../core/errors.ts";
import {
  FIRST_BYTES_MS_MAX,
  HANDSHAKE_BYTES_MAX,
  HANDSHAKE_MS_MAX,
  UNAUTHENTICATED_CONNECTIONS_MAX,
  UNAUTHENTICATED_PER_SOURCE_MAX,
} from "../../../core/limits.ts";
import { FIRST_MESSAGE_BYTES } from "../../../core/security/hello.ts";
import type { Self } from "../../../core/mod.ts";
import { Dice, runs, SEED } from "../../support/fuzz.ts";
import { ManualClock } from "../../support/manual_clock.ts";
import { MemoryNetwork } from "../../support/memory_network.ts";
import type { MemoryPipeOptions } from "../../support/memory_pipe.ts";
import type { MeshKeys } from "../../support/mesh_keys.ts";
import { framed, preambleOf, RawPeer } from "../../support/raw_peer.ts";
import { outcome, quiet, until } from "../../support/wait.ts";
import { message } from "./messages.ts";
import { makeKeys, Party } from "./parties.ts";

interface Scene {
  readonly clock: ManualClock;
  readonly keys: MeshKeys;
  readonly network: MemoryNetwork;
  readonly dialler: Party;
  readonly acceptor: Party;
  /** Where the acceptor listens. */
  readonly endpoint: string;
  /** A connection to it, from that address. */
  connect(from?: string): BytePipe;
  /** Somebody of the mesh who is driven by hand. */
  peer(change?: Partial<ConstructorParameters<typeof RawPeer>[1]>): RawPeer;
}

/** Nodes "a" and "b" on one network, and "b" listens. */
async function scene(run: (scene: Scene) => Promise<void>): Promise<void> {
  const clock = new ManualClock();
  const keys = await makeKeys(clock);
  const network = new MemoryNetwork();
  {
    await using acceptor = new Party({ keys, clock, network, self: keys.person({ name: "b" }) });
    await using dialler = new Party({ keys, clock, network, self: keys.person({ name: "a" }) });
    const endpoint = await acceptor.listen();
    const connect = (from = "10.0.0.1:1") => network.connect(endpoint.slice(4), from);
    const self: Self = keys.person({ name: "c" });
    const peer: Scene["peer"] = (change = {}) =>
      new RawPeer("initiator", { keys, self, pipe: connect(), ...change });
    await run({ clock, keys, network, dialler, acceptor, endpoint, connect, peer });
  }
  assert.equal(clock.timers, 0);
}

/** Every byte that comes back until the other end closes. */
async function bytesBack(pipe: BytePipe): Promise<number> {
  const into = new Uint8Array(10_000);
  for (let sum = 0;;) {
    const got = await pipe.read(into).catch(() => null);
    if (got === null) return sum;
    sum += got;
  }
}

/** Over a real socket: writes, ends its own half, and counts what comes back. */
async function tryReal(endpoint: string, bytes: Uint8Array): Promise<number> {
  using conn = await Deno.connect({ hostname: "127.0.0.1", port: Number(endpoint.split(":")[2]) });
  let sum = 0;
  const into = new Uint8Array(10_000);
  try {
    await conn.write(bytes);
    await conn.closeWrite();
    for (let got = await conn.read(into); got !== null; got = await conn.read(into)) sum += got;
  } catch {
    // A reset is an end like any other.
  }
  return sum;
}

/** What a stranger may try as its first bytes. */
async function firstMessages(keys: MeshKeys): Promise<readonly (readonly [string, Uint8Array])[]> {
  const dice = new Dice(SEED);
  const foreign = await makeKeys(new ManualClock());
  const self = keys.person({ name: "c" });
  const pipe = {} as BytePipe;
  const first = (change: Partial<ConstructorParameters<typeof RawPeer>[1]>) =>
    new RawPeer("initiator", { keys, self, pipe, ...change }).firstMessage();
  const good = first({});
  const length = good.slice();
  length[17] = 49;
  return [
    ["nothing", new Uint8Array(0)],
    ["text", new TextEncoder().encode("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")],
    ["zeros", new Uint8Array(5_000)],
    ["65 of its 66 bytes", good.subarray(0, 65)],
    ["another PSK under the right name", first({ psk: foreign.psk })],
    [
      "another PSK under its own name",
      first({
        psk: foreign.psk,
        preamble: preambleOf(keys, { pskId: foreign.trust().secrets[0]?.id as Uint8Array }),
      }),
    ],
    ["another mesh", first({ meshId: foreign.meshId })],
    ["kind join", first({ preamble: preambleOf(keys, { kind: 2 }) })],
    ["kind end to end", first({ preamble: preambleOf(keys, { kind: 3 }) })],
    ["an unknown kind", first({ preamble: preambleOf(keys, { kind: 9 }) })],
    ["another length", length],
    ...Array.from({ length: 60 }, (_, i) => [`noise ${i}`, dice.bytes(dice.below(300))] as const),
  ];
}

Deno.test("stranger: gets no byte back over a real socket, whatever it says", async () => {
  const clock = new ManualClock();
  const keys = await makeKeys(clock);
  await using acceptor = new Party({ keys, clock, self: keys.person({ name: "b" }) });
  await using dialler = new Party({ keys, clock, self: keys.person({ name: "a" }) });
  const endpoint = await acceptor.listen();
  for (const [what, bytes] of await firstMessages(keys)) {
    assert.equal(await tryReal(endpoint, bytes), 0, what);
  }
  assert.deepEqual(acceptor.conduits, []);
  await dialler.dial(endpoint, { expect: { name: "b" } });
  await until(() => acceptor.conduits.length === 1, "a node of the mesh is welcome as ever");
});

Deno.test("stranger: a first message that is cut off at any byte is answered by nothing", async () => {
  await scene(async ({ acceptor, connect, peer }) => {
    const first = peer().firstMessage();
    assert.equal(first.length, FIRST_MESSAGE_BYTES);
    for (let length = 0; length < first.length; length++) {
      const pipe = connect();
      await pipe.write(first.subarray(0, length));
      const into = new Uint8Array(1);
      assert.equal((await outcome(pipe.read(into))).state, "pending");
      pipe.close();
      await quiet();
    }
    assert.deepEqual(acceptor.conduits, []);
  });
});

Deno.test("handshake: a second message that is cut off at any byte opens nothing", async () => {
  await scene(async ({ acceptor, clock, network }) => {
    // Everything the dialler writes, up to a growing number of bytes.
    let left = 0;
    const cutting: MemoryPipeOptions = {
      tamper: (bytes) => {
        const taken = bytes.subarray(0, Math.max(0, left));
        left -= bytes.length;
        return taken;
      },
    };
    network.pipes = cutting;
    const keys = await makeKeys(clock);
    await using b = new Party({ keys, clock, network, self: keys.person({ name: "b" }) });
    await using a = new Party({ keys, clock, network, self: keys.person({ name: "a" }) });
    const endpoint = await b.listen();
    left = Infinity;
    let whole = 0;
    network.pipes = { tamper: (bytes) => (whole += bytes.length, bytes) };
    await a.dial(endpoint);
    network.pipes = cutting;
    for (let length = FIRST_MESSAGE_BYTES; length < whole; length += 3) {
      left = length;
      const failing = assert.rejects(a.dial(endpoint), ConnectionError);
      await quiet();
      await clock.advance(HANDSHAKE_MS_MAX);
      await failing;
    }
    assert.equal(b.conduits.length, 1);
    assert.deepEqual(acceptor.conduits, []);
  });
});

Deno.test("handshake: any byte that somebody in the middle changes ends it", async () => {
  await scene(async ({ acceptor, clock, dialler, endpoint, network }) => {
    let way: "there" | "back" = "there";
    let at = Infinity;
    let seen = 0;
    const flip = (bytes: Uint8Array) => {
      const here = at - seen;
      seen += bytes.length;
      if (here >= 0 && here < bytes.length) bytes[here]! ^= 1 << (at % 8);
      return bytes;
    };
    network.pipes = {
      tamper: (bytes) => way === "there" ? flip(bytes) : bytes,
      tamperBack: (bytes) => way === "back" ? flip(bytes) : bytes,
    };
    const dial = async (): Promise<string> => {
      seen = 0;
      const dialling = outcome(dialler.dial(endpoint));
      // A longer length is waited for until time is up.
      for (let tries = 0; tries < 2; tries++) {
        const { state } = await dialling;
        if (state !== "pending") return state;
        await clock.advance(HANDSHAKE_MS_MAX);
      }
      return "rejected";
    };
    const lengths = { there: 0, back: 0 };
    for (way of ["there", "back"] as const) {
      at = Infinity;
      assert.equal(await dial(), "resolved");
      lengths[way] = seen;
    }
    await until(() => acceptor.conduits.length === 2, "both were accepted");
    assert.ok(lengths.there > 300 && lengths.back > 300);
    for (way of ["there", "back"] as const) {
      for (at = 0; at < lengths[way]; at++) {
        assert.equal(await dial(), "rejected", `byte ${at} ${way}`);
      }
    }
    // Only the responder's last word can be changed after it has accepted.
    for (const conduit of acceptor.conduits.slice(2)) {
      assert.equal((await conduit.closed).by, "failure");
    }
    assert.equal(dialler.conduits.length, 2);
  });
});

Deno.test("handshake: a length that cannot be is refused before anything of it is read", async () => {
  await scene(async ({ acceptor, connect, keys, peer }) => {
    for (const length of [0, 15, HANDSHAKE_BYTES_MAX + 1, 65_535]) {
      const pipe = connect();
      using raw = peer({ pipe });
      await raw.begin();
      await pipe.write(Uint8Array.of(length >>> 8, length));
      assert.equal(await bytesBack(pipe), 0);
      assert.ok(acceptor.logged.at(-1)?.endsWith(`Handshake message promises ${length} bytes`));
    }
    assert.deepEqual(acceptor.conduits, []);
    assert.ok(keys.meshId.length === 16);
  });
});

Deno.test("handshake: whatever a peer who knows the secret says as its hello, it is refused", async () => {
  const dice = new Dice(SEED);
  await scene(async ({ acceptor, keys, peer }) => {
    const [chain] = keys.person({ name: "c" }).identity.chain;
    for (let run = 0; run < runs(150).numRuns; run++) {
      const helloBytes = run % 2 === 0 ? dice.bytes(dice.below(800)) : Uint8Array.of(
        1,
        1,
        chain!.length >>> 8,
        chain!.length,
        ...chain!,
        ...dice.bytes(dice.below(60)),
      );
      using raw = peer({ helloBytes });
      await raw.begin();
      await raw.present();
      await assert.rejects(raw.verdict(), { message: "Closed without a word" });
    }
    assert.deepEqual(acceptor.conduits, []);
  });
});

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
