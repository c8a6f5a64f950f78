import assert from "node:assert/strict";
import { AuthenticationError, ProtocolError, type Self } from "../../../core/mod.ts";
import { AdvertPool } from "../../../modules/mesh/advert_pool.ts";
import { newCounts } from "../../../modules/mesh/counts.ts";
import { Intake } from "../../../modules/mesh/intake.ts";
import {
  CHAIN_TRUSTED_MS_MAX,
  NODE_ADVERTS_AT_ONCE_MAX,
  NODE_ADVERTS_PER_SECOND_MAX,
} from "../../../modules/mesh/limits.ts";
import { type NodeEntry, NodeTable } from "../../../modules/mesh/node_table.ts";
import { advertOf, hostOf, keyIdOf, NO_LINKS, NOW_MS, seededKeys } from "./adverts.ts";

const keys = await seededKeys("intake");
const me = keys.person({ name: "me" });
const peer = keyIdOf("peer");

function scene(pool = new AdvertPool()) {
  const table = new NodeTable();
  const news: { entry: NodeEntry; from: string }[] = [];
  const known: [keyId: string, from: string][] = [];
  const own: boolean[] = [];
  const counts = newCounts();
  const time = { now: 0 };
  const host = hostOf(keys, me, () => NOW_MS + time.now);
  let chainsVerified = 0;
  const intake = new Intake({
    host: {
      ...host,
      verifyChain: (chain) => {
        chainsVerified++;
        return host.verifyChain(chain);
      },
      links: NO_LINKS as never,
      env: { clock: { monotonic: () => time.now, now: () => NOW_MS + time.now } } as never,
    },
    table,
    counts,
    onNews: (entry, from) => news.push({ entry, from }),
    onKnown: (keyId, from) => known.push([keyId, from]),
    pool,
    onOwn: (_received, { forgotten }) => own.push(forgotten),
  });
  const accept = (bytes: Uint8Array, arrival: { identity?: Self; forgotten?: boolean } = {}) =>
    intake.accept(bytes, {
      from: peer,
      forgotten: arrival.forgotten ?? false,
      ...(arrival.identity === undefined ? {} : { identity: arrival.identity.identity }),
    }).verdict;
  return {
    table,
    news,
    known,
    own,
    counts,
    intake,
    time,
    accept,
    chainsVerified: () => chainsVerified,
  };
}

Deno.test("intake: an advert with its certificate is news, the same again is not", () => {
  const { accept, news, known, counts } = scene();
  const n1 = keys.person({ name: "n1" });
  const { bytes } = advertOf(keys, n1);
  assert.equal(accept(bytes, { identity: n1 }), "new");
  assert.equal(accept(bytes), "known");
  assert.equal(news.length, 1);
  assert.equal(news[0]?.from, peer);
  assert.deepEqual(known, [[n1.identity.keyId, peer]]);
  assert.equal(counts.advertsReceived, 2);
  assert.equal(counts.advertsNew, 1);
});

Deno.test("intake: an advert in the table does not keep the message alive that brought it", () => {
  const { accept, table } = scene();
  const n1 = keys.person({ name: "n1" });
  const { bytes } = advertOf(keys, n1);
  const message = new Uint8Array(1_000_000);
  message.set(bytes, 500);
  assert.equal(accept(message.subarray(500, 500 + bytes.length), { identity: n1 }), "new");
  const kept = table.get(n1.identity.keyId)?.received.bytes;
  assert.deepEqual(kept, bytes);
  assert.equal(kept?.buffer.byteLength, bytes.length);
});

Deno.test("intake: without a certificate nothing is taken", () => {
  const { accept, table } = scene();
  const n1 = keys.person({ name: "n1" });
  assert.equal(accept(advertOf(keys, n1).bytes), "unknown");
  assert.equal(table.size, 0);
});

Deno.test("intake: a newer advert replaces, an older one changes nothing", () => {
  const { accept, table } = scene();
  const n1 = keys.person({ name: "n1" });
  accept(advertOf(keys, n1, { sequence: 5 }).bytes, { identity: n1 });
  assert.equal(accept(advertOf(keys, n1, { sequence: 4 }).bytes), "old");
  assert.equal(accept(advertOf(keys, n1, { incarnation: 2, sequence: 1 }).bytes), "new");
  assert.equal(accept(advertOf(keys, n1, { sequence: 9 }).bytes), "old");
  assert.equal(table.get(n1.identity.keyId)?.advert.incarnation, 2);
});

Deno.test("intake: an advert signed by another node of the mesh is refused", () => {
  const { accept, table, counts } = scene();
  const n1 = keys.person({ name: "n1" });
  const thief = keys.person({ name: "n2" });
  accept(advertOf(keys, n1).bytes, { identity: n1 });
  const forged = advertOf(keys, n1, { sequence: 2 }, thief).bytes;
  assert.throws(
    () => accept(forged),
    (error) =>
      error instanceof AuthenticationError && error.reason === "signature" &&
      /^Advert of "n1" \([0-9a-f]{16}\) is not signed by its key$/.test(error.message),
  );
  assert.equal(table.get(n1.identity.keyId)?.advert.sequence, 1);
  assert.equal(counts.advertsRefused, 1);
});

Deno.test("intake: nobody takes another's key id by showing a certificate of its own", () => {
  const { accept, table } = scene();
  const n1 = keys.person({ name: "n1" });
  const thief = keys.person({ name: "n2" });
  assert.throws(
    () => accept(advertOf(keys, n1, {}, thief).bytes, { identity: thief }),
    (error) => error instanceof AuthenticationError && error.reason === "key-mismatch",
  );
  assert.equal(table.size, 0);
});

Deno.test("intake: an advert of another mesh is refused, whoever signed it", async () => {
  const { accept } = scene();
  const other = await seededKeys("other");
  const n1 = other.person({ name: "n1" });
  assert.throws(
    () => accept(advertOf(other, n1).bytes, { identity: n1 }),
    (error) => error instanceof AuthenticationError && error.reason === "wrong-mesh",
  );
});

Deno.test("intake: garbage is refused", () => {
  const { accept, counts } = scene();
  assert.throws(() => accept(new Uint8Array(100)), ProtocolError);
  assert.equal(counts.advertsRefused, 1);
});

Deno.test("intake: a forged advert with our own key is refused, a true one is handed on", () => {
  const { accept, own } = scene();
  const thief = keys.person({ name: "n2" });
  const bytes = advertOf(keys, me, { incarnation: 9 }, thief).bytes;
  assert.throws(() => accept(bytes), AuthenticationError);
  assert.deepEqual(own, []);
  accept(advertOf(keys, me, { incarnation: 9 }).bytes);
  assert.deepEqual(own, [false]);
});

Deno.test("intake: a chain is verified again after a while, not with every advert", () => {
  const { accept, time, chainsVerified } = scene();
  const n1 = keys.person({ name: "n1", notAfter: NOW_MS + 3 * CHAIN_TRUSTED_MS_MAX });
  accept(advertOf(keys, n1).bytes, { identity: n1 });
  for (let sequence = 2; sequence < 9; sequence++) accept(advertOf(keys, n1, { sequence }).bytes);
  assert.equal(chainsVerified(), 0);
  time.now = CHAIN_TRUSTED_MS_MAX;
  accept(advertOf(keys, n1, { sequence: 9 }).bytes);
  assert.equal(chainsVerified(), 1);
});

Deno.test("intake: nothing is taken of a node whose certificate has expired", () => {
  const { accept, time, table } = scene();
  const n1 = keys.person({ name: "n1", notAfter: NOW_MS + 1_000 });
  accept(advertOf(keys, n1).bytes, { identity: n1 });
  time.now = 1_001;
  assert.equal(accept(advertOf(keys, n1, { sequence: 2 }).bytes), "unknown");
  assert.equal(table.get(n1.identity.keyId)?.advert.sequence, 1);
});

Deno.test("intake: an old copy of a forgotten node stays forgotten", () => {
  const { accept, table, news, intake } = scene();
  const n1 = keys.person({ name: "n1" });
  const { bytes } = advertOf(keys, n1, { sequence: 3 });
  accept(bytes, { identity: n1 });
  const entry = table.get(n1.identity.keyId) as NodeEntry;
  entry.state = "down";
  intake.forget(entry, peer);
  assert.equal(entry.forgotten, true);
  assert.equal(news.length, 2);
  assert.equal(accept(bytes), "known");
  assert.equal(accept(advertOf(keys, n1, { sequence: 2 }).bytes), "old");
  assert.equal(table.get(n1.identity.keyId)?.forgotten, true);
  assert.equal(accept(advertOf(keys, n1, { sequence: 4 }).bytes), "new");
  assert.equal(table.get(n1.identity.keyId)?.forgotten, false);
});

Deno.test("intake: a neighbour cannot make us forget a node that is up", () => {
  const { accept, table, news } = scene();
  const n1 = keys.person({ name: "n1" });
  const { bytes } = advertOf(keys, n1);
  accept(bytes, { identity: n1 });
  const entry = table.get(n1.identity.keyId) as NodeEntry;
  entry.state = "up";
  accept(bytes, { forgotten: true });
  assert.equal(entry.forgotten, false);
  assert.equal(news.length, 1);
});

Deno.test("intake: a node that chatters without end is heard now and then, and costs no more", () => {
  const { accept, table, counts, time, news } = scene();
  const n1 = keys.person({ name: "n1" });
  let sequence = 0;
  const next = () => advertOf(keys, n1, { sequence: ++sequence }).bytes;
  assert.equal(accept(next(), { identity: n1 }), "new");
  for (let i = 0; i < NODE_ADVERTS_AT_ONCE_MAX; i++) assert.equal(accept(next()), "new");
  for (let i = 0; i < 10; i++) assert.equal(accept(next()), "excess");
  assert.equal(counts.advertsExcess, 10);
  assert.equal(news.length, 1 + NODE_ADVERTS_AT_ONCE_MAX);
  time.now += 1_000 / NODE_ADVERTS_PER_SECOND_MAX;
  assert.equal(accept(next()), "new");
  assert.equal(accept(next()), "excess");
  assert.equal(table.get(n1.identity.keyId)?.advert.sequence, sequence - 1);
});

Deno.test("intake: daemons of one process have an advert and an identity once", () => {
  const pool = new AdvertPool();
  const [one, other] = [scene(pool), scene(pool)];
  const n1 = keys.person({ name: "n1" });
  const again = { ...n1, identity: { ...n1.identity } };
  const { bytes } = advertOf(keys, n1);
  assert.equal(one.accept(bytes.slice(), { identity: n1 }), "new");
  assert.equal(other.accept(bytes.slice(), { identity: again }), "new");
  const entries = [one, other].map(({ table }) => table.get(n1.identity.keyId));
  assert.ok(entries[0]);
  assert.equal(entries[0].received, entries[1]?.received);
  assert.equal(entries[0].identity, entries[1]?.identity);
  // Bytes that differ are another advert, whoever they name.
  const forged = bytes.slice();
  forged[forged.length - 1] = (forged[forged.length - 1] as number) ^ 1;
  assert.equal(pool.find(n1.identity.keyId, forged), undefined);
});
