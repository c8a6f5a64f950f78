import assert from "node:assert/strict";
import { CallError, type Link, type Log } from "../../../core/mod.ts";
import { newCounts } from "../../../modules/mesh/counts.ts";
import {
  FLOOD_DELAY_MS,
  FLOOD_UNASKED_MAX,
  OFFER_DELAY_MS,
  RETRY_MS,
  UNHURRIED_FACTOR,
} from "../../../modules/mesh/limits.ts";
import { News } from "../../../modules/mesh/news.ts";
import { NodeTable } from "../../../modules/mesh/node_table.ts";
import { Outbox } from "../../../modules/mesh/outbox.ts";
import { decodeSummary } from "../../../modules/mesh/summary.ts";
import { SeededRandom } from "../../simulation/random.ts";
import { ManualClock } from "../../support/manual_clock.ts";
import { advertOf, seededKeys } from "./adverts.ts";

const keys = await seededKeys("outbox");
const NAMES = [..."abcdefghijklmnopqrs"];
const people = NAMES.map((name) => keys.person({ name }));

function scene() {
  const clock = new ManualClock();
  const table = new NodeTable();
  const news = new News();
  const told: string[] = [];
  const logs: string[] = [];
  /** What the neighbour answers next: how many it knew, or why it refuses. */
  const answer: { next: number | Error } = { next: 0 };
  const nameOf = new Map(people.map(({ identity }) => [identity.keyId, identity.name]));
  const link = {
    peer: { identity: { keyId: "peer", name: "peer" }, instance: "" },
    request: (verb: string, args: { adverts?: Uint8Array[]; summary?: Uint8Array }) => {
      const keyIds = verb === "mesh.flood"
        ? [...table.entries()].filter(({ received }) => args.adverts?.includes(received.bytes))
        : decodeSummary(args.summary as Uint8Array);
      told.push(`${verb} ${keyIds.map(({ keyId }) => nameOf.get(keyId)).join("")}`);
      const { next } = answer;
      return next instanceof Error ? Promise.reject(next) : Promise.resolve({ known: next });
    },
  } as unknown as Link;
  const outbox = new Outbox(link, {
    clock,
    random: new SeededRandom("outbox"),
    table,
    news,
    counts: newCounts(),
    log: ((level, text) => logs.push(`${level}: ${text}`)) as Log,
    needs: () => true,
  });
  const put = (urgent: boolean, names: readonly string[]) => {
    for (const name of names) {
      const self = people.find(({ identity }) => identity.name === name);
      if (self === undefined) throw new Error(`Nobody is called "${name}"`);
      const { keyId } = self.identity;
      const sequence = (table.get(keyId)?.advert.sequence ?? 0) + 1;
      const received = advertOf(keys, self, { sequence });
      const { identity } = self;
      table.put({ received, identity, trustedAt: 0, forgotten: false, now: 0 });
      news.begin(keyId);
      outbox.add({ keyId, urgent });
      news.release(keyId);
    }
  };
  const add = (...names: string[]) => put(true, names);
  const addUnhurried = (...names: string[]) => put(false, names);
  const take = () => told.splice(0);
  return { clock, outbox, news, add, addUnhurried, take, answer, logs };
}

Deno.test("outbox: news that come together are told together, each once", async () => {
  const { clock, add, take, outbox } = scene();
  add("a", "b", "a");
  await clock.advance(2 * FLOOD_DELAY_MS);
  assert.deepEqual(take(), ["mesh.flood ab"]);
  await clock.advance(10 * FLOOD_DELAY_MS);
  assert.deepEqual(take(), []);
  outbox.stop();
  await outbox.done;
});

Deno.test("outbox: what is not urgent waits for more, and goes along with what is", async () => {
  const { clock, add, addUnhurried, take, outbox } = scene();
  addUnhurried("a");
  await clock.advance(2 * FLOOD_DELAY_MS);
  addUnhurried("b");
  assert.deepEqual(take(), []);
  await clock.advance(2 * UNHURRIED_FACTOR * FLOOD_DELAY_MS);
  assert.deepEqual(take(), ["mesh.flood ab"]);
  addUnhurried("c");
  add("d");
  await clock.advance(2 * FLOOD_DELAY_MS);
  assert.deepEqual(take(), ["mesh.flood cd"]);
  // The hurry is over.
  addUnhurried("e");
  await clock.advance(2 * FLOOD_DELAY_MS);
  assert.deepEqual(take(), []);
  outbox.stop();
  await outbox.done;
  assert.equal(clock.timers, 0);
});

Deno.test("outbox: what the neighbour heard from elsewhere meanwhile it is not told", async () => {
  const { clock, add, take, news, outbox } = scene();
  add("a", "b");
  news.heard(people[0]?.identity.keyId as string, "peer");
  await clock.advance(2 * FLOOD_DELAY_MS);
  assert.deepEqual(take(), ["mesh.flood b"]);
  outbox.stop();
  await outbox.done;
});

Deno.test("outbox: who knows most already is only offered, and is told again when it lacks something", async () => {
  const { clock, add, take, answer, outbox } = scene();
  answer.next = 2;
  add("a", "b", "c");
  await clock.advance(2 * FLOOD_DELAY_MS);
  assert.deepEqual(take(), ["mesh.flood abc"]);
  answer.next = 1;
  add("d");
  await clock.advance(2 * FLOOD_DELAY_MS);
  assert.deepEqual(take(), []);
  await clock.advance(2 * OFFER_DELAY_MS);
  assert.deepEqual(take(), ["mesh.offer d"]);
  answer.next = 0;
  add("a");
  await clock.advance(2 * OFFER_DELAY_MS);
  assert.deepEqual(take(), ["mesh.offer a"]);
  add("b");
  await clock.advance(2 * FLOOD_DELAY_MS);
  assert.deepEqual(take(), ["mesh.flood b"]);
  outbox.stop();
  await outbox.done;
});

Deno.test("outbox: more at once than a quiet mesh has to tell is only offered, and what follows told", async () => {
  const { clock, add, take, answer, outbox } = scene();
  assert.ok(NAMES.length > FLOOD_UNASKED_MAX);
  answer.next = NAMES.length;
  add(...NAMES);
  await clock.advance(2 * FLOOD_DELAY_MS);
  assert.deepEqual(take(), [`mesh.offer ${NAMES.join("")}`]);
  add("a");
  await clock.advance(2 * FLOOD_DELAY_MS);
  assert.deepEqual(take(), ["mesh.flood a"]);
  outbox.stop();
  await outbox.done;
});

Deno.test("outbox: a neighbour that is busy is told later, one that refuses is not told again", async () => {
  const { clock, add, take, answer, logs, outbox } = scene();
  answer.next = new CallError("busy", "Too much");
  add("a");
  await clock.advance(2 * FLOOD_DELAY_MS);
  assert.deepEqual(take(), ["mesh.flood a"]);
  answer.next = new CallError("refused", "Not so");
  await clock.advance(RETRY_MS + 2 * FLOOD_DELAY_MS);
  assert.deepEqual(take(), ["mesh.flood a"]);
  assert.deepEqual(logs, ['warning: "peer" refuses adverts of a: Not so']);
  await clock.advance(10 * RETRY_MS);
  assert.deepEqual(take(), []);
  outbox.stop();
  await outbox.done;
});

Deno.test("outbox: nothing is kept of news when all who wait for them are told or gone", async () => {
  const { clock, add, news, outbox } = scene();
  const keyId = people[0]?.identity.keyId as string;
  add("a");
  news.heard(keyId, "other");
  assert(news.isKnownBy(keyId, "other"));
  await clock.advance(2 * FLOOD_DELAY_MS);
  assert(!news.isKnownBy(keyId, "other"));
  add("a");
  news.heard(keyId, "other");
  outbox.stop();
  await outbox.done;
  assert(!news.isKnownBy(keyId, "other"));
  assert.equal(clock.timers, 0);
});
