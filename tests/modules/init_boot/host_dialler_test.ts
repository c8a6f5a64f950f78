import assert from "node:assert/strict";
import { AuthenticationError, ConnectionError, type Link } from "../../../core/mod.ts";
import { type FileHost, HostDialler } from "../../../modules/init_boot/host_dialler.ts";
import { HOST_BACKOFF_MS_MAX, HOST_DIALS_MAX } from "../../../modules/init_boot/limits.ts";
import { ManualClock } from "../../support/manual_clock.ts";
import { quiet } from "../../support/wait.ts";

/** Hosts that answer, refuse, or say nothing, as the test likes. */
class Hosts {
  readonly clock = new ManualClock();
  readonly up = new Set<string>();
  readonly dialled: string[] = [];
  readonly logged: string[] = [];
  answer: (name: string, signal: AbortSignal) => Promise<void> = () =>
    Promise.reject(new ConnectionError("refused", "Nobody listens"));
  readonly dialler: HostDialler;

  constructor() {
    this.dialler = new HostDialler({
      env: {
        clock: this.clock,
        random: { bytes: (length) => new Uint8Array(length) },
        network: { addresses: () => [] },
      },
      links: {
        dial: async (endpoint, { expect, signal } = {}) => {
          const name = expect?.name ?? "";
          this.dialled.push(`${name} ${endpoint}`);
          await this.answer(name, signal as AbortSignal);
          return {} as Link;
        },
      },
      log: (level, text) => this.logged.push(`${level}: ${text}`),
      isUp: (name) => this.up.has(name),
    });
  }

  async forMs(ms: number): Promise<string[]> {
    const before = this.dialled.length;
    for (let at = 0; at < ms; at += 500) await this.clock.advance(500);
    await quiet();
    return this.dialled.slice(before);
  }
}

const host = (name: string): FileHost => ({ name, endpoints: [`tcp:${name}:7117`] });

Deno.test("host dialler: who is not up is dialled for ever, by name, at every endpoint", async () => {
  const hosts = new Hosts();
  hosts.dialler.update([
    { name: "n1", endpoints: ["tcp:a:1", "tcp:b:1"] },
    { name: "silent", endpoints: [] },
  ]);
  await quiet();
  assert.deepEqual(hosts.dialled, ["n1 tcp:a:1", "n1 tcp:b:1"]);
  assert.deepEqual(hosts.logged, [
    'info: Cannot reach "n1" at tcp:a:1: Nobody listens',
    'info: Cannot reach "n1" at tcp:b:1: Nobody listens',
  ]);
  // Less often as time goes by, and never less than that.
  await hosts.forMs(600_000);
  // Each reason once for each endpoint: two of them took turns in the log.
  assert.equal(hosts.logged.length, 2);
  for (let i = 0; i < 3; i++) {
    assert.ok((await hosts.forMs(HOST_BACKOFF_MS_MAX + 1_000)).length >= 2);
  }
  await hosts.dialler.stop();
  assert.deepEqual(await hosts.forMs(60_000), []);
});

Deno.test("host dialler: many that swallow what is sent do not keep the others from their turn", async () => {
  const hosts = new Hosts();
  // Nothing comes back until the dialler's own patience is over.
  hosts.answer = (_name, signal) =>
    new Promise((_resolve, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    });
  const all = Array.from({ length: 6 * HOST_DIALS_MAX }, (_, i) => host(`n${i + 1}`));
  hosts.dialler.update(all);
  await hosts.forMs(10 * 60_000);
  const counts = all.map(({ name }) =>
    hosts.dialled.filter((one) => one.startsWith(`${name} `)).length
  );
  assert.ok(Math.min(...counts) >= 2, `${counts}`);
  assert.ok(Math.max(...counts) <= Math.min(...counts) + 1, `${counts}`);
  await hosts.dialler.stop();
});

Deno.test("host dialler: who is up is left alone, and dialled at once when lost", async () => {
  const hosts = new Hosts();
  hosts.up.add("n1");
  hosts.dialler.update([host("n1")]);
  assert.deepEqual(await hosts.forMs(10_000), []);
  hosts.up.delete("n1");
  assert.equal((await hosts.forMs(1_000)).length, 1);
  await hosts.dialler.stop();
});

Deno.test("host dialler: one that answered is not dialled again before the mesh can know it", async () => {
  const hosts = new Hosts();
  hosts.answer = () => Promise.resolve();
  hosts.dialler.update([host("n1")]);
  await quiet();
  assert.equal(hosts.dialled.length, 1);
  assert.deepEqual(hosts.logged, []);
  hosts.up.add("n1");
  assert.deepEqual(await hosts.forMs(10_000), []);
  await hosts.dialler.stop();
});

Deno.test("host dialler: so many at once, and the next ones when those are done", async () => {
  const hosts = new Hosts();
  const answered = Promise.withResolvers<void>();
  hosts.answer = () => answered.promise;
  const all = Array.from({ length: 3 * HOST_DIALS_MAX }, (_, i) => host(`n${i}`));
  hosts.dialler.update(all);
  await quiet();
  assert.equal(hosts.dialled.length, HOST_DIALS_MAX);
  answered.resolve();
  await hosts.forMs(500);
  assert.equal(new Set(hosts.dialled).size, all.length);
  await hosts.dialler.stop();
});

Deno.test("host dialler: one that says nothing is given up; stopping waits for no answer", async () => {
  const hosts = new Hosts();
  hosts.answer = (_name, signal) =>
    new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
  hosts.dialler.update([host("n1")]);
  await hosts.forMs(10_500);
  assert.deepEqual(hosts.logged, [
    'info: Cannot reach "n1" at tcp:n1:7117: No answer within 10000 ms',
  ]);
  await hosts.forMs(1_500);
  await hosts.dialler.stop();
  assert.equal(hosts.logged.length, 1);
});

Deno.test("host dialler: somebody else behind the address is a warning, told once", async () => {
  const hosts = new Hosts();
  hosts.answer = () =>
    Promise.reject(new AuthenticationError("wrong-name", 'Dialled "n1" and met "n2"'));
  hosts.dialler.update([host("n1")]);
  await hosts.forMs(20_000);
  assert.ok(hosts.dialled.length > 1);
  assert.deepEqual(hosts.logged, [
    'warning: Cannot reach "n1" at tcp:n1:7117: Dialled "n1" and met "n2"',
  ]);
  await hosts.dialler.stop();
});

Deno.test("host dialler: hosts that leave the file are left alone, others keep their turn", async () => {
  const hosts = new Hosts();
  hosts.dialler.update([host("n1"), host("n2")]);
  await hosts.forMs(20_000);
  hosts.dialler.update([host("n1"), host("n3"), { name: "n2", endpoints: ["tcp:new:1"] }]);
  await quiet();
  assert.deepEqual(hosts.dialled.slice(-2).sort(), ["n2 tcp:new:1", "n3 tcp:n3:7117"]);
  hosts.dialler.update([host("n3")]);
  const later = await hosts.forMs(120_000);
  assert.deepEqual([...new Set(later)], ["n3 tcp:n3:7117"]);
  await hosts.dialler.stop();
});
