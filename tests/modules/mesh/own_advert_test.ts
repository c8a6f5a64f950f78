import assert from "node:assert/strict";
import { type Self, toHex } from "../../../core/mod.ts";
import type { ReceivedAdvert } from "../../../modules/mesh/advert.ts";
import {
  ADVERT_DELAY_MS,
  ADVERT_INTERVAL_MS,
  UNHURRIED_ADVERT_MS,
} from "../../../modules/mesh/limits.ts";
import { OwnAdvert } from "../../../modules/mesh/own_advert.ts";
import { Simulation } from "../../simulation/environment.ts";
import { advertOf, hostOf, keyIdOf, seededKeys } from "./adverts.ts";

const keys = await seededKeys("own advert");
const me = keys.person({ name: "me" });

function scene(instance?: Uint8Array, simulation = new Simulation({ seed: "own" })) {
  const self: Self = instance === undefined ? me : { ...me, instance };
  const said: ReceivedAdvert[] = [];
  const logs: string[] = [];
  const twins: string[] = [];
  const links: string[] = [];
  const addresses = ["10.0.0.1"];
  const own = new OwnAdvert({
    host: { ...hostOf(keys, self), env: simulation.host("me") },
    log: (level, text) => logs.push(`${level}: ${text}`),
    segment: () => "default",
    endpoints: () => addresses.map((address) => `tcp:${address}:7117`),
    incarnation: 1,
    links: () => links,
    intervalMs: () => ADVERT_INTERVAL_MS,
    unhurriedMs: () => UNHURRIED_ADVERT_MS,
    publish: (received) => said.push(received),
    onTwin: (text) => twins.push(text),
  });
  own.start();
  const versions = () =>
    said.map(({ advert }) => `${advert.incarnation}.${advert.sequence}`).join(" ");
  return { own, self, said, logs, twins, links, addresses, simulation, versions };
}

const NEWS = { forgotten: false };

Deno.test("own advert: changes that come together are said once", async () => {
  const { own, said, links, simulation, versions } = scene();
  for (const name of ["a", "b", "c"]) {
    links.push(keyIdOf(name));
    own.changed();
  }
  await simulation.run();
  assert.equal(versions(), "1.1 1.2");
  assert.deepEqual(said[1]?.advert.links, [...links].sort());
});

// It told the address of its start for as long as it ran.
Deno.test("own advert: a machine that was given another address says so, once", async () => {
  const { own, said, logs, addresses, simulation } = scene();
  own.look();
  addresses[0] = "192.0.2.7";
  own.look();
  await simulation.run();
  own.look();
  await simulation.run();
  assert.deepEqual(said.map(({ advert }) => advert.endpoints), [
    ["tcp:10.0.0.1:7117"],
    ["tcp:192.0.2.7:7117"],
  ]);
  assert.deepEqual(logs, ["info: Others reach this node at tcp:192.0.2.7:7117 from now on"]);
});

Deno.test("own advert: changes that never end are said now and then", async () => {
  const { own, said, simulation } = scene();
  for (let ms = 0; ms < 60_000; ms += 10) simulation.after(ms, () => own.changed());
  await simulation.run();
  assert.ok(said.length > 60 && said.length <= 126, `${said.length}`);
});

Deno.test("own advert: what is not urgent waits, and is said with what is", async () => {
  const { own, simulation, versions } = scene();
  own.changed({ urgent: false });
  await simulation.run({ forMs: UNHURRIED_ADVERT_MS - 1 });
  assert.equal(versions(), "1.1");
  await simulation.run();
  assert.equal(versions(), "1.1 1.2");
  const { clock } = simulation.host("me");
  for (const urge of [() => own.changed(), () => own.hurry()]) {
    const begun = clock.monotonic();
    own.changed({ urgent: false });
    urge();
    own.changed({ urgent: false });
    await simulation.run();
    assert.equal(clock.monotonic() - begun, ADVERT_DELAY_MS);
  }
  own.hurry();
  await simulation.run();
  assert.equal(versions(), "1.1 1.2 1.3 1.4");
});

Deno.test("own advert: an earlier life with a higher incarnation is jumped above", async () => {
  const { own, simulation, versions, twins } = scene();
  const instance = toHex(keys.primitives.sha256(new Uint8Array(1)).subarray(0, 16));
  own.meet(advertOf(keys, me, { incarnation: 7, sequence: 99, instance }), NEWS);
  // Another neighbour shows the same one, and an older one.
  own.meet(advertOf(keys, me, { incarnation: 7, sequence: 99, instance }), NEWS);
  own.meet(advertOf(keys, me, { incarnation: 7, sequence: 98, instance }), NEWS);
  await simulation.run();
  assert.equal(versions(), "1.1 8.1");
  assert.deepEqual(twins, []);
});

Deno.test("own advert: our own words told back to us are nothing new", async () => {
  const { own, said, simulation, versions } = scene();
  own.meet(said[0] as ReceivedAdvert, NEWS);
  await simulation.run();
  assert.equal(versions(), "1.1");
});

Deno.test("own advert: who was forgotten but lives speaks again", async () => {
  const { own, said, simulation, versions } = scene();
  own.meet(said[0] as ReceivedAdvert, { forgotten: true });
  await simulation.run();
  assert.equal(versions(), "1.1 1.2");
});

Deno.test("own advert: of two living daemons with one key the smaller instance stays", async () => {
  const simulation = new Simulation({ seed: "twins" });
  const small = scene(new Uint8Array(16), simulation);
  const large = scene(new Uint8Array(16).fill(9), simulation);
  for (let round = 0; round < 6; round++) {
    small.own.meet(large.said.at(-1) as ReceivedAdvert, NEWS);
    large.own.meet(small.said.at(-1) as ReceivedAdvert, NEWS);
    await simulation.run();
  }
  assert.deepEqual(small.twins, []);
  assert.equal(large.twins.length, 1);
  assert.equal(
    large.twins[0],
    'Another daemon uses the key of "me" (its instance is 0000000000000000, ours ' +
      "0909090909090909): was this machine cloned",
  );
  assert.match(small.logs.join(), /was this machine cloned; the other one must stop/);
});

Deno.test("own advert: a goodbye is the last word", async () => {
  const { own, said, simulation, links } = scene();
  links.push(keyIdOf("a"));
  own.changed();
  own.stop();
  own.leave();
  own.changed();
  await simulation.run();
  assert.deepEqual(said.map(({ advert }) => advert.leaving), [false, true]);
});
