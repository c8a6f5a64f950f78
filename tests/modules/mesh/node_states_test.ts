import assert from "node:assert/strict";
import type { Self } from "../../../core/mod.ts";
import type { Advert } from "../../../modules/mesh/advert.ts";
import { HEARSAY_AFTER_MS, HEARSAY_MS, NEWCOMER_MS } from "../../../modules/mesh/limits.ts";
import { NodeStates } from "../../../modules/mesh/node_states.ts";
import { NodeTable } from "../../../modules/mesh/node_table.ts";
import { advertOf, NOW_MS, seededKeys } from "./adverts.ts";

const keys = await seededKeys("states");

/** A table whose nodes are called a, b, c, ...; we are a. */
class Scene {
  readonly table = new NodeTable();
  readonly states: NodeStates;
  readonly people = new Map<string, Self>();
  monotonic = 0;

  constructor(names: string) {
    for (const name of names) this.people.set(name, keys.person({ name }));
    this.states = new NodeStates(this.table, this.id("a"));
    this.advert("a", "");
  }

  id(name: string): string {
    return (this.people.get(name) as Self).identity.keyId;
  }

  /** A newer advert of the node, which claims links to each of `links`. */
  advert(name: string, links: string, change: Partial<Advert> = {}, forgotten = false): void {
    const self = this.people.get(name) as Self;
    const sequence = (this.table.get(this.id(name))?.advert.sequence ?? 0) + 1;
    const received = advertOf(keys, self, {
      sequence,
      links: [...links].map((link) => this.id(link)).sort(),
      ...change,
    });
    const { identity } = self;
    this.table.put({ received, identity, trustedAt: 0, forgotten, now: this.monotonic });
  }

  /** All adverts say what the edges say. */
  edges(edges: string): void {
    const pairs = edges.split(" ");
    for (const name of this.people.keys()) {
      const links = pairs.filter((pair) => pair.includes(name)).map((pair) =>
        pair.replace(name, "")
      );
      this.advert(name, links.join(""));
    }
  }

  /** What is shown after it, our own links being those of `links`. */
  update(links: string, now = NOW_MS): string {
    this.last = this.states.update({
      links: new Set([...links].map((name) => this.id(name))),
      now,
      monotonic: this.monotonic,
    });
    return this.states.view.nodes.map(({ name, state }) => `${name}:${state}`).sort().join(" ");
  }

  last: ReturnType<NodeStates["update"]> | undefined;

  node(name: string) {
    return this.states.view.nodes.find((node) => node.name === name);
  }
}

Deno.test("node states: a node is up over edges that both ends claim", () => {
  const scene = new Scene("abc");
  scene.edges("ab bc");
  assert.equal(scene.update("b"), "a:up b:up c:up");
});

Deno.test("node states: a forged claim of a link does not make anybody reachable", () => {
  const scene = new Scene("abc");
  scene.edges("ab");
  scene.advert("c", "ab");
  scene.monotonic = NEWCOMER_MS;
  assert.equal(scene.update("b"), "a:up b:up c:down");
});

// After a partition the news of who died in the other half come later than the link to it.
Deno.test("node states: who is back by old adverts alone is up a little later", () => {
  const scene = new Scene("abcd");
  scene.edges("ab bc cd");
  scene.update("b");
  assert.equal(scene.update(""), "a:up b:down c:down d:down");
  const later = NOW_MS + HEARSAY_AFTER_MS;
  assert.equal(scene.update("b", later), "a:up b:up c:down d:down", "a link of ours is no hearsay");
  assert.equal(scene.last?.againInMs, HEARSAY_MS);
  scene.advert("c", "b");
  assert.equal(scene.update("b", later), "a:up b:up c:up d:down", "c says that it has lost d");
  scene.monotonic = HEARSAY_MS - 1;
  scene.advert("c", "bd");
  assert.equal(scene.update("b", later), "a:up b:up c:up d:down", "waited for anew");
  scene.monotonic += HEARSAY_MS - 1;
  assert.equal(scene.update("b", later), "a:up b:up c:up d:down");
  scene.monotonic += 1;
  assert.equal(scene.update("b", later), "a:up b:up c:up d:up", "nobody has said otherwise");
  assert.equal(scene.last?.againInMs, undefined);
});

Deno.test("node states: who is back at once has only lost a link for a moment", () => {
  const scene = new Scene("abc");
  scene.edges("ab bc");
  scene.update("b");
  assert.equal(scene.update(""), "a:up b:down c:down");
  assert.equal(scene.update("b", NOW_MS + HEARSAY_AFTER_MS - 1), "a:up b:up c:up");
  scene.update("");
  assert.equal(scene.update("b", NOW_MS - 3_600_000), "a:up b:up c:down", "the clock was set back");
});

Deno.test("node states: who is back and says something new is up at once", () => {
  const scene = new Scene("abc");
  scene.edges("ab bc");
  scene.update("b");
  assert.equal(scene.update(""), "a:up b:down c:down");
  scene.advert("c", "b");
  assert.equal(scene.update("b"), "a:up b:up c:up");
});

Deno.test("node states: our own links count as we see them, not as we said last", () => {
  const scene = new Scene("ab");
  scene.edges("ab");
  assert.equal(scene.update("b"), "a:up b:up");
  assert.equal(scene.update(""), "a:up b:down");
});

Deno.test("node states: a lost node is down since we noticed, at the last node on the former way", () => {
  const scene = new Scene("abcde");
  scene.edges("ab bc cd de");
  scene.update("b", NOW_MS);
  // The link between b and c is gone; only b can say so.
  scene.advert("b", "a");
  assert.equal(scene.update("b", NOW_MS + 7), "a:up b:up c:down d:down e:down");
  for (const name of "cde") {
    assert.equal(scene.node(name)?.since, NOW_MS + 7);
    assert.equal(scene.node(name)?.lostAt, "b");
  }
  assert.equal(scene.node("b")?.since, NOW_MS);
  assert.equal(scene.node("b")?.lostAt, undefined);
});

Deno.test("node states: a lost neighbour was lost here", () => {
  const scene = new Scene("ab");
  scene.edges("ab");
  scene.update("b");
  scene.update("");
  assert.equal(scene.node("b")?.lostAt, "a");
});

Deno.test("node states: what stays down keeps its time", () => {
  const scene = new Scene("abc");
  scene.edges("ab bc");
  scene.update("b", NOW_MS);
  scene.advert("b", "a");
  scene.update("b", NOW_MS + 1);
  scene.update("", NOW_MS + 2);
  assert.equal(scene.node("c")?.since, NOW_MS + 1);
  assert.equal(scene.node("b")?.since, NOW_MS + 2);
});

Deno.test("node states: a goodbye is no loss, and its edges no longer lead anywhere", () => {
  const scene = new Scene("abc");
  scene.edges("ab bc");
  scene.update("b");
  scene.advert("b", "ac", { leaving: true });
  assert.equal(scene.update("b"), "a:up b:left c:down");
  assert.equal(scene.node("c")?.lostAt, "a");
});

Deno.test("node states: who left comes back by a newer advert", () => {
  const scene = new Scene("ab");
  scene.edges("ab");
  scene.update("b");
  scene.advert("b", "a", { leaving: true });
  assert.equal(scene.update("b"), "a:up b:left");
  scene.advert("b", "a", { incarnation: 2, sequence: 1 });
  assert.equal(scene.update("b"), "a:up b:up");
  assert.equal(scene.node("b")?.incarnation, 2);
});

Deno.test("node states: a newcomer is not shown as down before its neighbours can have spoken", () => {
  const scene = new Scene("ab");
  scene.advert("b", "");
  assert.equal(scene.update(""), "a:up");
  assert.equal(scene.last?.againInMs, NEWCOMER_MS);
  scene.monotonic = NEWCOMER_MS;
  assert.equal(scene.update(""), "a:up b:down");
  assert.equal(scene.last?.againInMs, undefined);
});

Deno.test("node states: only what differs is a change", () => {
  const scene = new Scene("abc");
  scene.edges("ab bc");
  scene.update("b");
  assert.deepEqual(scene.last?.changed.map(({ name }) => name).sort(), ["a", "b", "c"]);
  scene.update("b");
  assert.deepEqual(scene.last?.changed, []);
  scene.advert("c", "b");
  scene.update("b");
  assert.deepEqual(scene.last?.changed.map(({ name }) => name), ["c"]);
});

Deno.test("node states: a forgotten node is no longer shown, and a newer advert brings it back", () => {
  const scene = new Scene("ab");
  scene.edges("ab");
  scene.update("b");
  scene.update("");
  const entry = scene.table.get(scene.id("b"));
  assert.ok(entry);
  scene.table.forget(entry);
  assert.equal(scene.update(""), "a:up");
  assert.deepEqual(scene.last?.forgotten, [scene.id("b")]);
  scene.advert("b", "a");
  assert.equal(scene.update("b"), "a:up b:up");
});

Deno.test("node states: a node that is up cannot be forgotten", () => {
  const scene = new Scene("ab");
  scene.edges("ab");
  scene.advert("b", "a", {}, true);
  assert.equal(scene.update("b"), "a:up b:up");
  assert.equal(scene.table.get(scene.id("b"))?.forgotten, false);
});

Deno.test("node states: a gone node is forgotten when a later certificate carries its name", () => {
  const scene = new Scene("abc");
  scene.people.set("c", keys.person({ name: "b", notBefore: NOW_MS }));
  scene.edges("ab ac");
  assert.equal(scene.update("bc"), "a:up b:up b:up");
  assert.equal(scene.update("c"), "a:up b:up");
  assert.equal(scene.node("b")?.keyId, scene.id("c"));
  assert.deepEqual(scene.last?.forgotten, [scene.id("b")]);
});

Deno.test("node states: an earlier certificate of the same name forgets nobody", () => {
  const scene = new Scene("abc");
  scene.people.set("c", keys.person({ name: "b", notBefore: NOW_MS }));
  scene.edges("ab ac");
  scene.update("bc");
  assert.equal(scene.update("b"), "a:up b:down b:up");
});

Deno.test("node states: of nodes that are gone the oldest are dropped above the limit", () => {
  const scene = new Scene("abcd");
  scene.edges("ab ac ad");
  scene.update("bcd", NOW_MS);
  scene.update("bc", NOW_MS + 1);
  scene.update("b", NOW_MS + 2);
  assert.equal(scene.update("", NOW_MS + 3), "a:up b:down c:down d:down");
  assert.deepEqual(scene.table.dropOldest(2).map(({ keyId }) => keyId), [scene.id("d")]);
  (scene.table.get(scene.id("b")) as { forgotten: boolean }).forgotten = true;
  assert.deepEqual(scene.table.dropOldest(1).map(({ keyId }) => keyId), [scene.id("b")]);
  assert.equal(scene.table.size, 2);
});
