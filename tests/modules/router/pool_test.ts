import assert from "node:assert/strict";
import type { Link, LinkChange } from "../../../core/mod.ts";
import {
  ON_DEMAND_DIALS_MAX,
  ON_DEMAND_IDLE_MS,
  ON_DEMAND_LOOK_MS,
  ON_DEMAND_MAX,
  TROUBLE_MS,
} from "../../../modules/router/limits.ts";
import { OnDemandPool } from "../../../modules/router/pool.ts";
import { ManualClock } from "../../support/manual_clock.ts";

class Scene {
  readonly clock = new ManualClock();
  readonly links = new Map<string, Link & { heardAt: number }>();
  readonly dials: string[] = [];
  readonly closed: string[] = [];
  /** By endpoint. */
  readonly answers = new Map<string, Promise<unknown>>();
  readonly watchers = new Set<(change: LinkChange) => void>();
  answersPing = true;
  /** Of the life that is up, by key id. */
  readonly instances = new Map<string, string>();
  readonly pool: OnDemandPool;

  constructor() {
    const onDemand = {
      get: (keyId: string) => this.links.get(keyId),
      list: () => [...this.links.values()],
      dial: async (endpoint: string, { signal }: { readonly signal: AbortSignal }) => {
        this.dials.push(endpoint);
        const stopped = Promise.withResolvers<void>();
        signal.addEventListener("abort", () => stopped.reject(signal.reason));
        await Promise.race([this.answers.get(endpoint) ?? Promise.resolve(), stopped.promise]);
        return this.add(endpoint.slice(0, -1), true);
      },
      watch: (run: (change: LinkChange) => void) => {
        this.watchers.add(run);
        return { [Symbol.dispose]: () => void this.watchers.delete(run) };
      },
    };
    this.pool = new OnDemandPool({
      clock: this.clock,
      onDemand,
      network: { addresses: () => [] },
      log: () => {},
      whereIs: (keyId) =>
        keyId.startsWith("x") ? undefined : { name: keyId, endpoints: [`${keyId}1`, `${keyId}2`] },
      instanceOf: (keyId) => this.instances.get(keyId),
    });
  }

  add(keyId: string, dialled: boolean): Link {
    const link = {
      peer: { identity: { keyId }, instance: "first" },
      dialled,
      heardAt: this.clock.monotonic(),
      request: () =>
        this.answersPing
          ? Promise.resolve(link.heardAt = this.clock.monotonic())
          : Promise.reject(new Error("late")),
      close: (text: string) => {
        this.closed.push(`${keyId}: ${text}`);
        this.links.delete(keyId);
        return Promise.resolve();
      },
    };
    const made = link as unknown as Link & { heardAt: number };
    this.links.set(keyId, made);
    for (const run of this.watchers) run({ kind: "up", link: made });
    return made;
  }
}

Deno.test("pool: one dial for all that wait, and what is there is used, whoever dialled", async () => {
  const scene = new Scene();
  const links = await Promise.all([1, 2, 3].map(() => scene.pool.dial("a")));
  assert.equal(new Set(links).size, 1);
  assert.deepEqual(scene.dials, ["a1"]);
  const theirs = scene.add("b", false);
  assert.equal(await scene.pool.dial("b"), theirs);
  assert.deepEqual(scene.dials, ["a1"]);
  await scene.pool.stop();
});

Deno.test("pool: tries all endpoints, and remembers a failure for a while", async () => {
  const scene = new Scene();
  const refuse = () => Promise.reject(new Error("refused"));
  for (const endpoint of ["a1", "a2"]) {
    const answer = refuse();
    answer.catch(() => {});
    scene.answers.set(endpoint, answer);
  }
  for (let i = 0; i < 3; i++) {
    await assert.rejects(scene.pool.dial("a"), /Cannot dial "a": refused/);
  }
  assert.deepEqual(scene.dials, ["a1", "a2"]);
  scene.answers.delete("a2");
  await scene.clock.advance(TROUBLE_MS);
  await scene.pool.dial("a");
  assert.deepEqual(scene.dials, ["a1", "a2", "a1", "a2"]);
  await assert.rejects(scene.pool.dial("x"), /Node is not for us to dial/);
  await scene.pool.stop();
});

Deno.test("pool: idle ones are closed, by the end that dialled first; those that are used stay", async () => {
  const scene = new Scene();
  await scene.pool.dial("a");
  await scene.pool.dial("b");
  scene.add("c", false);
  scene.pool.used("c", false);
  for (let ms = 0; ms < 2 * ON_DEMAND_IDLE_MS; ms += 10_000) {
    scene.pool.used("b", false);
    await scene.clock.advance(10_000);
  }
  assert.deepEqual(scene.closed, ["a: idle", "c: idle"]);
  await scene.clock.advance(2 * ON_DEMAND_IDLE_MS);
  assert.deepEqual(scene.closed, ["a: idle", "c: idle", "b: idle"]);
  assert.equal(scene.pool.counts.closedIdle, 3);
  await scene.pool.stop();
  assert.equal(scene.clock.timers, 0);
});

// Nobody looked at it: a neighbour's conduits took memory here until it ended them itself.
Deno.test("pool: one that others made and over which nothing ever came is closed, too", async () => {
  const scene = new Scene();
  scene.add("c", false);
  await scene.clock.advance(ON_DEMAND_IDLE_MS);
  assert.deepEqual(scene.closed, []);
  await scene.clock.advance(3 * ON_DEMAND_LOOK_MS);
  assert.deepEqual(scene.closed, ["c: idle"]);
  await scene.pool.stop();
  assert.deepEqual([scene.clock.timers, scene.watchers.size], [0, 0]);
});

Deno.test("pool: who is silent while something is sent is asked, and closed when it does not answer", async () => {
  const scene = new Scene();
  await scene.pool.dial("a");
  await scene.clock.advance(5_000);
  scene.pool.used("a", true);
  await scene.clock.advance(4_000);
  assert.deepEqual(scene.closed, []);
  scene.answersPing = false;
  scene.pool.used("a", true);
  await scene.clock.advance(4_000);
  assert.deepEqual(scene.closed, ["a: silent for too long"]);
  await scene.pool.stop();
});

Deno.test("pool: so many at once; the longest idle one goes, none that is used", async () => {
  const scene = new Scene();
  for (let i = 0; i < ON_DEMAND_MAX; i++) {
    await scene.pool.dial(`n${i}-`);
    scene.pool.used(`n${i}-`, false);
  }
  await assert.rejects(scene.pool.dial("one-more"), /conduits on demand are in use/);
  await scene.clock.advance(3_000);
  for (let i = 1; i < ON_DEMAND_MAX; i++) scene.pool.used(`n${i}-`, false);
  await scene.pool.dial("one-more");
  assert.deepEqual(scene.closed, ["n0-: another one is needed more"]);
  await scene.pool.stop();
});

Deno.test("pool: what is being dialled counts as well, and no conduit goes in vain", async () => {
  const scene = new Scene();
  for (let i = 0; i < ON_DEMAND_MAX - 1; i++) await scene.pool.dial(`n${i}-`);
  const { promise, resolve } = Promise.withResolvers<void>();
  for (const name of ["x1", "x2", "x3"]) scene.answers.set(`a${name}-1`, promise);
  const last = scene.pool.dial("ax1-");
  await assert.rejects(scene.pool.dial("ax2-"), /conduits on demand are in use/);
  assert.equal(scene.closed.length, 0);
  await scene.clock.advance(ON_DEMAND_LOOK_MS);
  scene.pool.used("n1-", true);
  const more = ["ax2-", "ax3-"].map((keyId) => scene.pool.dial(keyId));
  resolve();
  await Promise.all([last, ...more]);
  assert.deepEqual(scene.closed.map((line) => line.split(":")[0]), ["n0-", "n2-"]);
  assert.equal(scene.links.size, ON_DEMAND_MAX);
  await scene.pool.stop();
});

Deno.test("pool: so many dials at once, and a stop ends them", async () => {
  const scene = new Scene();
  const dials: Promise<unknown>[] = [];
  for (let i = 0; i < ON_DEMAND_DIALS_MAX; i++) {
    scene.answers.set(`n${i}-1`, new Promise(() => {}));
    dials.push(scene.pool.dial(`n${i}-`));
  }
  await assert.rejects(scene.pool.dial("more"), /dials are under way already/);
  await scene.pool.stop();
  const ends = await Promise.allSettled(dials);
  assert.ok(ends.every(({ status }) => status === "rejected"));
  assert.equal(scene.clock.timers, 0);
});

// Its machine had lost power: nobody ever closed the end that was left, and its next life was refused
// there, since its key seemed to be in use by another daemon.
Deno.test("pool: a conduit of a node that has died goes when its next life is up, or when idle", async () => {
  const scene = new Scene();
  for (const keyId of ["a", "b"]) scene.add(keyId, false);
  scene.pool.meshChanged();
  scene.instances.set("a", "first");
  scene.pool.meshChanged();
  assert.deepEqual(scene.closed, []);
  scene.instances.set("a", "second");
  scene.pool.meshChanged();
  assert.deepEqual(scene.closed, ["a: another life of it is up"]);
  await scene.clock.advance(ON_DEMAND_IDLE_MS + 1);
  assert.equal(scene.closed.length, 1, "whoever dialled it may close it first");
  await scene.clock.advance(3 * ON_DEMAND_LOOK_MS);
  assert.deepEqual(scene.closed.slice(1), ["b: idle"]);
  await scene.pool.stop();
});
