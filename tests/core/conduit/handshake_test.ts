// Who may be at the other end, over real sockets: each defect of either side is refused and named.

import assert from "node:assert/strict";
import { AuthenticationError, type AuthenticationReason } from "../../../core/errors.ts";
import { RealNetwork } from "../../../core/environment/real_network.ts";
import { parseEndpoint } from "../../../core/conduit/endpoint.ts";
import type { Self, Trust } from "../../../core/mod.ts";
import { ManualClock } from "../../support/manual_clock.ts";
import { DAY_MS, type MeshKeys } from "../../support/mesh_keys.ts";
import { preambleOf, RawPeer, type RawPeerOptions } from "../../support/raw_peer.ts";
import { until } from "../../support/wait.ts";
import { makeKeys, Party } from "./parties.ts";

interface World {
  readonly clock: ManualClock;
  readonly keys: MeshKeys;
  /** Another mesh. */
  readonly foreign: MeshKeys;
}

async function makeWorld(): Promise<World> {
  const clock = new ManualClock();
  return { clock, keys: await makeKeys(clock), foreign: await makeKeys(clock) };
}

interface Side {
  readonly self: Self;
  readonly trust?: Partial<Trust>;
}

interface Meeting {
  readonly error: unknown;
  readonly dialler: Party;
  readonly acceptor: Party;
}

/** Dials once; `see` looks at what came of it. */
async function meet(
  { clock, keys }: World,
  sides: {
    readonly dialler: Side;
    readonly acceptor: Side;
    readonly expect?: { name?: string; keyId?: string };
  },
  see: (meeting: Meeting) => void | Promise<void>,
): Promise<void> {
  await using acceptor = new Party({ keys, clock, ...sides.acceptor });
  await using dialler = new Party({ keys, clock, ...sides.dialler });
  const endpoint = await acceptor.listen();
  let error: unknown;
  try {
    await dialler.dial(endpoint, sides.expect === undefined ? {} : { expect: sides.expect });
  } catch (thrown) {
    error = thrown;
  }
  if (error !== undefined) await until(() => acceptor.logged.length > 0, "the acceptor noticed");
  await see({ error, dialler, acceptor });
}

function isRefused(error: unknown, reason: AuthenticationReason, text: string): void {
  assert.ok(error instanceof AuthenticationError, String(error));
  assert.equal(error.reason, reason, error.message);
  assert.ok(error.message.includes(text), error.message);
}

const revoking = (self: Self): Partial<Trust> => ({
  revocations: { isRevoked: (keyId) => keyId === self.identity.keyId },
});

Deno.test("handshake: two nodes of a mesh meet and know each other", async () => {
  const world = await makeWorld();
  const { keys } = world;
  const [a, b] = [keys.person({ name: "a" }), keys.person({ name: "b" })];
  const expect = { name: "b", keyId: b.identity.keyId };
  await meet(world, { dialler: { self: a }, acceptor: { self: b }, expect }, async (meeting) => {
    assert.equal(meeting.error, undefined);
    await until(() => meeting.acceptor.conduits.length === 1, "it was accepted");
    const [near, far] = [meeting.dialler, meeting.acceptor].map(({ conduits }) =>
      conduits[0]?.peer
    );
    assert.ok(near?.kind === "node" && far?.kind === "node");
    assert.deepEqual(
      [near.identity.keyId, far.identity.keyId],
      [b, a].map((s) => s.identity.keyId),
    );
    assert.equal(near.session, far.session);
    assert.deepEqual([near.version, near.clockOffsetMs], [1, 0]);
    assert.deepEqual(meeting.acceptor.logged, []);
  });
});

Deno.test("handshake: a user of the mesh is met as a user", async () => {
  const world = await makeWorld();
  const user = world.keys.person({ name: "alice", type: "user" });
  const node = world.keys.person({ name: "b" });
  await meet(world, { dialler: { self: user }, acceptor: { self: node } }, async (meeting) => {
    assert.equal(meeting.error, undefined);
    await until(() => meeting.acceptor.conduits.length === 1, "it was accepted");
    const peer = meeting.acceptor.conduits[0]?.peer;
    assert.ok(peer?.kind === "user" && peer.identity.name === "alice");
  });
});

Deno.test("handshake: an old and a new PSK are both accepted while they are changed", async () => {
  const world = await makeWorld();
  const { keys, foreign } = world;
  const [a, b] = [keys.person({ name: "a" }), keys.person({ name: "b" })];
  const secrets = [...foreign.trust().secrets, ...keys.trust().secrets];
  await meet(
    world,
    { dialler: { self: a }, acceptor: { self: b, trust: { secrets } } },
    (meeting) => {
      assert.equal(meeting.error, undefined);
    },
  );
  await meet(
    world,
    { dialler: { self: a, trust: { secrets } }, acceptor: { self: b } },
    (meeting) => {
      assert.ok(meeting.error instanceof Error);
      assert.ok(meeting.acceptor.logged[0]?.endsWith("names an unknown PSK"));
    },
  );
});

/** What is wrong with one side, and what the other one finds. */
interface Defect {
  readonly what: string;
  readonly reason: AuthenticationReason;
  readonly text: string;
  readonly bad: (world: World) => Self;
  /** What the good side believes, if that is the point. */
  readonly trust?: (bad: Self) => Partial<Trust>;
}

const DEFECTS: readonly Defect[] = [
  {
    what: "expired",
    reason: "expired",
    text: 'Certificate of "bad" expired 1 s ago',
    bad: ({ clock, keys }) =>
      keys.person({ name: "bad", notBefore: clock.now() - DAY_MS, notAfter: clock.now() - 1 }),
  },
  {
    what: "not yet valid",
    reason: "not-yet-valid",
    text: 'Certificate of "bad" becomes valid in 60 s: is a clock wrong',
    bad: ({ clock, keys }) => keys.person({ name: "bad", notBefore: clock.now() + 60_000 }),
  },
  {
    what: "of another mesh",
    reason: "wrong-mesh",
    text: 'Certificate of "bad" is of mesh ',
    bad: ({ foreign }) => foreign.person({ name: "bad" }),
  },
  {
    what: "revoked",
    reason: "revoked",
    text: "is revoked",
    bad: ({ keys }) => keys.person({ name: "bad" }),
    trust: revoking,
  },
  {
    what: "signed by a revoked issuer",
    reason: "revoked",
    text: "is revoked",
    bad: ({ keys }) =>
      keys.person({ name: "bad", issuer: keys.person({ name: "registrar", type: "issuer" }) }),
    trust: ({ identity }) => ({
      revocations: { isRevoked: (keyId) => keyId === identity.issuer?.keyId },
    }),
  },
  {
    what: "for another key than the one used",
    reason: "key-mismatch",
    text: 'Certificate of "bad" is not for the key that was used',
    bad: ({ keys }) => ({
      ...keys.person({ name: "bad" }),
      dh: keys.person({ name: "other" }).dh,
    }),
  },
];

for (const { what, reason, text, bad, trust } of DEFECTS) {
  Deno.test(`handshake: a dialler whose certificate is ${what} is refused, and told why`, async () => {
    const world = await makeWorld();
    const self = bad(world);
    const good = { self: world.keys.person({ name: "good" }), trust: trust?.(self) ?? {} };
    await meet(world, { dialler: { self }, acceptor: good }, ({ error, acceptor }) => {
      isRefused(error, reason, text);
      assert.ok((error as Error).message.includes(" refuses us: "));
      assert.equal(acceptor.logged.length, 1);
      assert.ok(acceptor.logged[0]?.startsWith("warning: Connection from 127.0.0.1:"));
      assert.ok(acceptor.logged[0]?.includes(text), `${acceptor.logged[0]}`);
      assert.deepEqual(acceptor.conduits, []);
    });
  });

  Deno.test(`handshake: an acceptor whose certificate is ${what} is refused by who dialled`, async () => {
    const world = await makeWorld();
    const self = bad(world);
    const good = { self: world.keys.person({ name: "good" }), trust: trust?.(self) ?? {} };
    await meet(world, { dialler: good, acceptor: { self } }, ({ error, acceptor }) => {
      isRefused(error, reason, text);
      assert.ok(!(error as Error).message.includes("refuses us"));
      assert.deepEqual(acceptor.conduits, []);
    });
  });
}

Deno.test("handshake: our own key at the other end is refused at both", async () => {
  const world = await makeWorld();
  const self = world.keys.person({ name: "me" });
  await meet(world, { dialler: { self }, acceptor: { self } }, ({ error }) => {
    isRefused(error, "own-key", "Peer uses our own key: a copy of us, or we ourselves");
  });
});

Deno.test("handshake: who was dialled by name or key must be who answers", async () => {
  const world = await makeWorld();
  const [a, b, c] = ["a", "b", "c"].map((name) => world.keys.person({ name })) as [
    Self,
    Self,
    Self,
  ];
  const sides = { dialler: { self: a }, acceptor: { self: b } };
  await meet(world, { ...sides, expect: { name: "c" } }, ({ error, acceptor }) => {
    isRefused(error, "wrong-name", 'Dialled "c" and met "b"');
    assert.deepEqual(acceptor.conduits, []);
  });
  const { keyId } = c.identity;
  await meet(world, { ...sides, expect: { keyId } }, ({ error, acceptor }) => {
    const met = b.identity.keyId.slice(0, 16);
    isRefused(error, "wrong-name", `Dialled key ${keyId.slice(0, 16)} and met ${met} of "b"`);
    assert.deepEqual(acceptor.conduits, []);
  });
});

Deno.test("handshake: who is admitted may still be refused, with the reason", async () => {
  const clock = new ManualClock();
  const keys = await makeKeys(clock);
  const admit = () => {
    throw new AuthenticationError("duplicate", "There is one of you already");
  };
  await using acceptor = new Party({ keys, clock, self: keys.person({ name: "b" }), admit });
  await using dialler = new Party({ keys, clock, self: keys.person({ name: "a" }) });
  await assert.rejects(dialler.dial(await acceptor.listen()), (error: unknown) => {
    isRefused(error, "duplicate", "refuses us: There is one of you already");
    return true;
  });
});

/** Dials by hand; `run` takes it from the first step. */
async function byHand(
  options: (world: World) => Omit<RawPeerOptions, "keys" | "pipe">,
  run: (peer: RawPeer, acceptor: Party) => Promise<void>,
): Promise<void> {
  const world = await makeWorld();
  const { clock, keys } = world;
  await using acceptor = new Party({ keys, clock, self: keys.person({ name: "b" }) });
  const address = parseEndpoint(await acceptor.listen());
  const pipe = await new RealNetwork(clock).dial(address);
  using peer = new RawPeer("initiator", { keys, pipe, ...options(world) });
  await run(peer, acceptor);
}

Deno.test("handshake: the peer made by hand for these tests is good enough to be accepted", async () => {
  await byHand(({ keys }) => ({ self: keys.person({ name: "a" }) }), async (peer, acceptor) => {
    await peer.begin();
    await peer.present();
    assert.deepEqual(await peer.verdict(), { ready: true, reason: "ready", text: "" });
    await until(() => acceptor.conduits.length === 1, "it was accepted");
  });
});

Deno.test("handshake: versions that do not overlap are refused, and both are named", async () => {
  const spoken = { oldest: 7, newest: 9 };
  await byHand(
    ({ keys }) => ({ self: keys.person({ name: "a" }), hello: spoken }),
    async (peer, acceptor) => {
      await peer.begin();
      await peer.present();
      const { ready, reason, text } = await peer.verdict();
      assert.deepEqual([ready, reason], [false, "version"]);
      assert.match(text, /^Peer "a" at .+ speaks protocol 7 to 9, we speak 1 to 1$/);
      await until(() => acceptor.logged.length > 0, "it was logged");
      assert.ok(acceptor.logged[0]?.endsWith("protocol 7 to 9, we speak 1 to 1"));
    },
  );
});

Deno.test("handshake: a dialler that speaks none of our versions tells them before it goes", async () => {
  // It hung up as soon as it had read ours, so the other end never knew which ones it spoke.
  const clock = new ManualClock();
  const keys = await makeKeys(clock);
  const network = new RealNetwork(clock);
  const listener = await network.listen({ transport: "tcp", host: "127.0.0.1", port: 0 });
  await using dialler = new Party({ keys, clock, self: keys.person({ name: "a" }) });
  const { address } = listener;
  assert.ok(address.transport === "tcp");
  const refused = assert.rejects(
    dialler.dial(`tcp:127.0.0.1:${address.port}`),
    (error: unknown) => {
      isRefused(error, "version", " speaks protocol 7 to 9, we speak 1 to 1");
      assert.match(String(error), /Peer "b" at /);
      return true;
    },
  );
  using peer = new RawPeer("responder", {
    keys,
    self: keys.person({ name: "b" }),
    pipe: await listener.accept(),
    hello: { oldest: 7, newest: 9 },
  });
  listener.close();
  await peer.answer();
  assert.ok((await peer.hear()).length > 100);
  await refused;
});

Deno.test("handshake: newer peers that still speak our version are welcome", async () => {
  await byHand(
    ({ keys }) => ({ self: keys.person({ name: "a" }), hello: { oldest: 1, newest: 9 } }),
    async (peer, acceptor) => {
      await peer.begin();
      await peer.present();
      assert.equal((await peer.verdict()).ready, true);
      await until(() => acceptor.conduits.length === 1, "it was accepted");
      const { peer: known } = acceptor.conduits[0]!;
      assert.ok(known.kind === "node" && known.version === 9);
    },
  );
});

for (
  const [who, type, kind, wanted] of [
    ["a user as a link", "user", 1, "wanted is node"],
    ["a node as a client", "node", 4, "wanted is user"],
    ["an issuer as a link", "issuer", 1, "wanted is node"],
    ["an issuer as a client", "issuer", 4, "wanted is user"],
  ] as const
) {
  Deno.test(`handshake: ${who} is refused`, async () => {
    await byHand(
      ({ keys }) => ({
        self: keys.person({ name: "bad", type }),
        preamble: preambleOf(keys, { kind }),
      }),
      async (peer, acceptor) => {
        await peer.begin();
        await peer.present();
        const { ready, reason, text } = await peer.verdict();
        assert.deepEqual([ready, reason], [false, "wrong-kind"]);
        assert.ok(text.endsWith(`is of type ${type}, ${wanted}`), text);
        await until(() => acceptor.logged.length > 0, "it was logged");
        assert.deepEqual(acceptor.conduits, []);
      },
    );
  });
}

Deno.test("handshake: a verdict that is none is no welcome", async () => {
  for (const plain of [[2], [], [1, 0x78], [255, 255]]) {
    const clock = new ManualClock();
    const keys = await makeKeys(clock);
    const listener = await new RealNetwork(clock).listen({
      transport: "tcp",
      host: "127.0.0.1",
      port: 0,
    });
    assert.ok(listener.address.transport === "tcp");
    await using dialler = new Party({ keys, clock, self: keys.person({ name: "a" }) });
    const refused = assert.rejects(
      dialler.dial(`tcp:127.0.0.1:${listener.address.port}`),
      /sent no verdict|refuses us/,
    );
    using peer = new RawPeer("responder", {
      keys,
      self: keys.person({ name: "b" }),
      pipe: await listener.accept(),
    });
    listener.close();
    await peer.answer();
    await peer.hear();
    await peer.judge(Uint8Array.from(plain));
    await refused;
    assert.deepEqual(dialler.conduits, []);
  }
});
