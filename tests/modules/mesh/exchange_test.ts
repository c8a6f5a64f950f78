import assert from "node:assert/strict";
import fc from "fast-check";
import { CallError, type Link, type Self } from "../../../core/mod.ts";
import { newCounts } from "../../../modules/mesh/counts.ts";
import { Exchange } from "../../../modules/mesh/exchange.ts";
import { Intake } from "../../../modules/mesh/intake.ts";
import { CHAIN_TRUSTED_MS_MAX, FIRST_SYNC_MS, NODES_MAX } from "../../../modules/mesh/limits.ts";
import { NodeTable } from "../../../modules/mesh/node_table.ts";
import { ManualClock } from "../../support/manual_clock.ts";
import { quiet } from "../../support/wait.ts";
import { advertOf, hostOf, keyIdOf, NO_LINKS, NOW_MS, seededKeys } from "./adverts.ts";

const keys = await seededKeys("exchange");
const people = Array.from({ length: 24 }, (_, index) => keys.person({ name: `n${index}` }));

/** One end of a link, with what the mesh module of a node has beside its exchange. */
class End {
  readonly table = new NodeTable();
  readonly exchange: Exchange;
  readonly #intake: Intake;
  /** What was asked of this end, in order. */
  readonly asked: string[] = [];
  /** Monotonic ms. */
  now = 0;
  /** Chains that it verified. */
  verified = 0;

  readonly clock = new ManualClock();

  constructor(readonly self: Self) {
    const host = hostOf(keys, self);
    const { clock } = this;
    this.#intake = new Intake({
      host: {
        ...host,
        links: NO_LINKS as never,
        env: { clock: { monotonic: () => this.now, now: () => NOW_MS } } as never,
      },
      table: this.table,
      counts: newCounts(),
      onNews: () => {},
      onKnown: () => {},
      onOwn: () => {},
    });
    this.exchange = new Exchange({
      clock,
      table: this.table,
      intake: this.#intake,
      self: self.identity.keyId,
      verifyChain: (chain) => {
        this.verified++;
        return host.verifyChain(chain);
      },
      counts: newCounts(),
      log: () => {},
      onKnown: () => {},
    });
  }

  /** Of each person the version that stands at its place; 0: nothing. */
  learn(versions: readonly number[]): void {
    versions.forEach((sequence, index) => {
      const who = people[index];
      if (who === undefined || sequence === 0) return;
      const { bytes } = advertOf(keys, who, { sequence });
      this.#intake.accept(bytes, { from: "test", forgotten: false, identity: who.identity });
    });
  }

  get versions(): number[] {
    return people.map(({ identity }) => this.table.get(identity.keyId)?.advert.sequence ?? 0);
  }
}

/** Links both ends, lets them compare, and waits until all is said. */
async function compare(a: End, b: End): Promise<void> {
  let underWay = 0;
  const linkTo = (from: End, to: End): Link => {
    const link = {
      peer: { identity: to.self.identity },
      request: async (verb: string, args: Record<string, Uint8Array>) => {
        to.asked.push(verb);
        underWay++;
        await Promise.resolve();
        underWay--;
        const back = links.get(to) as Link;
        if (verb === "mesh.sync") return to.exchange.compared(args["digests"] as Uint8Array);
        if (verb === "mesh.fetch") return { nodes: to.exchange.answer(args["keys"] as Uint8Array) };
        return { known: to.exchange.offered(back, args["summary"] as Uint8Array) };
      },
      close: (text: string) => assert.fail(`"${from.self.identity.name}" closes: ${text}`),
    };
    return link as unknown as Link;
  };
  const links = new Map([[a, linkTo(a, b)], [b, linkTo(b, a)]]);
  for (const end of [a, b]) end.exchange.linkUp(links.get(end) as Link);
  for (const end of [a, b]) await end.clock.advance(FIRST_SYNC_MS);
  for (let quiet = 0; quiet < 5; quiet = underWay === 0 ? quiet + 1 : 0) {
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  await Promise.all([a.exchange.stop(), b.exchange.stop()]);
}

Deno.test("exchange: two that compare both have the newest of each node then", async () => {
  const versions = fc.array(fc.nat(3), { minLength: people.length, maxLength: people.length });
  await fc.assert(
    fc.asyncProperty(versions, versions, async (ours, theirs) => {
      const [a, b] = [keys.person({ name: "a" }), keys.person({ name: "b" })].map((self) =>
        new End(self)
      ) as [End, End];
      a.learn(ours);
      b.learn(theirs);
      await compare(a, b);
      const newest = ours.map((version, index) => Math.max(version, theirs[index] as number));
      assert.deepEqual(a.versions, newest);
      assert.deepEqual(b.versions, newest);
    }),
    { seed: 5, numRuns: 40 },
  );
});

Deno.test("exchange: two that have the same say no more than that", async () => {
  const [a, b] = [keys.person({ name: "a" }), keys.person({ name: "b" })].map((self) =>
    new End(self)
  ) as [End, End];
  for (const end of [a, b]) end.learn(people.map((_, index) => index % 3));
  await compare(a, b);
  assert.deepEqual([...a.asked, ...b.asked], ["mesh.sync"]);
});

// In a boot all are strangers, and what each said before its first links went to everybody for nothing.
Deno.test("exchange: a stranger is compared with a little later, one that was here before at once", async () => {
  const byKey = people.toSorted((a, b) => a.identity.keyId < b.identity.keyId ? -1 : 1);
  // Of two the one with the smaller key begins.
  const [self, peer] = [byKey.at(0), byKey.at(-1)] as [Self, Self];
  for (const isKnown of [false, true]) {
    const end = new End(self);
    end.learn(people.map((one) => isKnown && one === peer ? 1 : 0));
    const asked: string[] = [];
    const link = {
      peer: { identity: peer.identity },
      request: (verb: string) => {
        asked.push(verb);
        return Promise.reject(new CallError("refused", "Not answered here"));
      },
    };
    end.exchange.linkUp(link as unknown as Link);
    assert.deepEqual(asked, isKnown ? ["mesh.sync"] : []);
    await end.clock.advance(FIRST_SYNC_MS);
    assert.deepEqual(asked, ["mesh.sync"]);
    await end.exchange.stop();
  }
});

Deno.test("exchange: a chain that was verified lately is not verified again", async () => {
  const versions = (version: number) => people.map(() => version);
  for (const [now, verified] of [[CHAIN_TRUSTED_MS_MAX - 1, 0], [CHAIN_TRUSTED_MS_MAX, 24]]) {
    const [a, b] = [keys.person({ name: "a" }), keys.person({ name: "b" })].map((self) =>
      new End(self)
    ) as [End, End];
    a.learn(versions(1));
    b.learn(versions(2));
    a.now = now as number;
    await compare(a, b);
    assert.equal(a.verified, verified);
    assert.deepEqual(a.versions, versions(2));
  }
});

Deno.test("exchange: a neighbour that invents keys without end fills no more than the largest mesh would", async () => {
  let asked = 0;
  const link = {
    peer: { identity: { keyId: "0".repeat(64), name: "evil" } },
    request: (_verb: string, { keys }: { keys: Uint8Array }) => {
      asked += keys.length / 32;
      return Promise.resolve({ nodes: [] });
    },
  } as unknown as Link;
  const exchange = new Exchange({
    clock: new ManualClock(),
    table: new NodeTable(),
    intake: {} as never,
    self: keyIdOf("self"),
    verifyChain: () => {
      throw new Error("Nobody shows a certificate here");
    },
    counts: newCounts(),
    log: () => {},
    onKnown: () => {},
  });
  exchange.linkUp(link);
  const invented = Array.from({ length: NODES_MAX + 10_000 }, (_, i) => ({
    keyId: i.toString(16).padStart(64, "0"),
    incarnation: 1,
    sequence: 1,
    instance: "0".repeat(32),
  }));
  exchange.want(link, invented);
  while (asked < NODES_MAX) await new Promise((resolve) => setTimeout(resolve, 0));
  await exchange.stop();
  assert.equal(asked, NODES_MAX);
});

// Two links died in one moment: each failed question made the other neighbour ask at once, for ever,
// and the daemon never came to hear that both were gone.
Deno.test("exchange: neighbours that cannot be asked do not make each other ask again and again", async () => {
  const end = new End(people[0] as Self);
  let asked = 0;
  const links = [1, 2].map((index) => ({
    peer: { identity: (people[index] as Self).identity },
    request: async () => {
      if (++asked > 100) return await new Promise(() => {});
      // As long as a call over a real link takes to fail.
      for (let turn = 0; turn < 10; turn++) await Promise.resolve();
      throw new CallError("unreachable", "gone");
    },
  } as unknown as Link));
  for (const link of links) end.exchange.linkUp(link);
  const item = { keyId: "ab".repeat(32), incarnation: 1, sequence: 1, instance: "00".repeat(16) };
  for (const link of links) end.exchange.want(link, [item]);
  await quiet();
  assert.ok(asked <= 6, `${asked} questions`);
  for (const link of links) end.exchange.linkDown(link);
  await end.exchange.stop();
});
