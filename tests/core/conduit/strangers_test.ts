// Who does not belong here gets nothing: no byte, little time, little room. Some of it over real
// sockets, the exhaustive parts over pipes in memory with a clock that the test moves.

import assert from "node:assert/strict";
import type { BytePipe } from "../../../core/environment/environment.ts";
import { ConnectionError } from "../../../core/errors.ts";
import { HANDSHAKE_BYTES_MAX, HANDSHAKE_MS_MAX } from "../../../core/limits.ts";
import { FIRST_MESSAGE_BYTES } from "../../../core/security/hello.ts";
import { Dice, runs, SEED } from "../../support/fuzz.ts";
import { ManualClock } from "../../support/manual_clock.ts";
import type { MemoryPipeOptions } from "../../support/memory_pipe.ts";
import type { MeshKeys } from "../../support/mesh_keys.ts";
import { preambleOf, RawPeer } from "../../support/raw_peer.ts";
import { outcome, quiet, until } from "../../support/wait.ts";
import { makeKeys, Party } from "./parties.ts";
import { bytesBack, scene } from "./scene.ts";

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
