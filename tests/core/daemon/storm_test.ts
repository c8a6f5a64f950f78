// A living daemon on real sockets, in a storm of connections that are none of its mesh, or break
// every rule after they were let in: it goes on serving, and lets go of all of them.

import assert from "node:assert/strict";
import { parseEndpoint } from "../../../core/conduit/endpoint.ts";
import { RealNetwork } from "../../../core/environment/real_network.ts";
import { createRealEnvironment } from "../../../core/environment/real.ts";
import { Calls, Minimed, type Self, TcpFront } from "../../../core/mod.ts";
import { Dice, runs, SEED } from "../../support/fuzz.ts";
import { MeshKeys, testPrimitives } from "../../support/mesh_keys.ts";
import { framed, preambleOf, RawPeer } from "../../support/raw_peer.ts";
import { until } from "../../support/wait.ts";

const NOTHING = new Uint8Array(0);

interface Target {
  readonly keys: MeshKeys;
  readonly tcp: string;
  readonly unix: string;
}

/** Random bytes, or half of a good beginning, and then the end. */
async function stranger({ keys, tcp, unix }: Target, dice: Dice): Promise<void> {
  const bytes = dice.below(3) > 0
    ? dice.bytes(dice.below(2_000))
    : Uint8Array.of(...preambleOf(keys), ...dice.bytes(dice.below(100)));
  const { hostname, port } = { hostname: "127.0.0.1", port: Number(tcp.split(":")[2]) };
  using conn = dice.below(3) === 0
    ? await Deno.connect({ transport: "unix", path: unix.slice(5) })
    : await Deno.connect({ hostname, port });
  try {
    await conn.write(bytes);
    await conn.closeWrite();
    const into = new Uint8Array(1_000);
    while (await conn.read(into) !== null);
  } catch {
    // A reset is an end like any other.
  }
}

/** Somebody of the mesh, by certificate, who then sends what nobody may send. */
async function traitor({ keys, tcp }: Target, dice: Dice, self: Self): Promise<void> {
  const pipe = await new RealNetwork(createRealEnvironment().clock).dial(parseEndpoint(tcp));
  const kind = self.identity.type === "user" ? 4 : 1;
  const unixMs = Date.now();
  using peer = new RawPeer("initiator", {
    keys,
    self,
    pipe,
    preamble: preambleOf(keys, { kind }),
    hello: { unixMs },
  });
  await peer.begin();
  await peer.present();
  assert.equal((await peer.verdict()).ready, true);
  try {
    for (let i = dice.below(6); i >= 0; i--) {
      const plain = dice.pick([
        () => dice.bytes(dice.below(100)),
        // A request of an unknown verb with a body of noise.
        () => Uint8Array.of(1, 1, 0, 1, 0, 0, 0, 3, 0, 0, 0, 0, 1, 0x61, ...dice.bytes(30)),
        // A promise of four megabytes that is not kept.
        () => Uint8Array.of(1, 2, 4, 1, 0, 0, 0, dice.below(256), 0, 0x40, 0, 0, ...dice.bytes(9)),
        // An item without a stream, a cancel, a credit.
        () => Uint8Array.of(1, 2 + dice.below(5), 2, 1, 0, 0, 0, dice.below(9), ...dice.bytes(20)),
      ])();
      const sealed = new Uint8Array(plain.length + 16);
      peer.send.seal(NOTHING, plain, sealed);
      const bytes = framed(sealed);
      if (dice.below(4) === 0) bytes[dice.below(bytes.length)]! ^= 1;
      await pipe.write(bytes);
    }
  } catch {
    // We were thrown out, as it should be.
  }
}

Deno.test("storm: a daemon goes on serving through bad connections of every kind, and lets go of them", async () => {
  const env = createRealEnvironment();
  const primitives = await testPrimitives();
  const keys = new MeshKeys(primitives, { random: env.random, now: () => env.clock.now() });
  const folder = await Deno.makeTempDir({ prefix: "minime-storm-" });
  const errors: string[] = [];
  await using daemon = new Minimed({
    env,
    primitives,
    trust: keys.trust(),
    self: keys.person({ name: "n1" }),
    modules: [],
    listen: ["tcp:127.0.0.1:0", `unix:${folder}/n1.sock`],
    auditFolder: `${folder}/audit`,
    log: () => (level, text) => {
      if (level === "error") errors.push(text);
    },
  });
  await daemon.start();
  const [tcp = "", unix = ""] = daemon.endpoints();
  const front = new TcpFront({
    network: env.network,
    log: () => {},
    context: () => ({
      clock: env.clock,
      random: env.random,
      primitives,
      self: keys.person({ name: "n2" }),
      trust: keys.trust(),
    }),
  });
  const good = new Calls({ conduit: await front.dial(tcp), clock: env.clock, dialled: true });
  const dice = new Dice(SEED);
  const { numRuns } = runs(300);
  let pings = 0;
  for (let run = 0; run < numRuns; run += 10) {
    const bad = Array.from({ length: 10 }, (_, i) => {
      const own = new Dice(dice.below(1e9));
      if (i % 3 > 0) return stranger({ keys, tcp, unix }, own);
      const self = keys.person({ name: `bad${i}`, type: own.below(2) === 0 ? "node" : "user" });
      return traitor({ keys, tcp, unix }, own, self);
    });
    const reply = await good.request("core.ping") as { name: string };
    assert.equal(reply.name, "n1");
    pings++;
    await Promise.all(bad);
  }
  const stats = async () => await good.request("core.stats") as Record<string, number>;
  let links = Infinity;
  void (async () => {
    while (links > 1) links = (await stats()).links ?? 0;
  })();
  await until(() => links === 1, "all bad links are gone");
  assert.deepEqual(errors, []);
  assert.ok((await stats()).served! >= pings);
  const last = new Calls({ conduit: await front.dial(tcp), clock: env.clock, dialled: true });
  assert.equal((await last.request("core.ping") as { name: string }).name, "n1");
  await Promise.all([good.close("over"), last.close("over")]);
  await daemon.stop("test is over");
  await Deno.remove(folder, { recursive: true });
});
