import assert from "node:assert/strict";
import type { Datagram, Multicast } from "../../core/environment/environment.ts";
import { Simulation } from "./environment.ts";

const GROUP = { host: "224.0.0.251", port: 5_353 };
const bytes = (text: string) => new TextEncoder().encode(text);

async function join(simulation: Simulation, name: string) {
  const group = simulation.host(name).network.multicast(GROUP);
  const [address = ""] = await simulation.finish(group.networks());
  const heard: string[] = [];
  const listen = async (group: Multicast) => {
    for (;;) heard.push(textOf(await group.receive()));
  };
  const over = listen(group).catch((error: Error) => error.message);
  return { group, address, heard, over };
}

function textOf({ bytes, from }: Datagram): string {
  return `${new TextDecoder().decode(bytes)} from ${from}`;
}

Deno.test("simulated multicast: reaches everybody in the group, the sender too, and nobody else", async () => {
  const simulation = new Simulation({ seed: 1 });
  const [a, b] = [await join(simulation, "a"), await join(simulation, "b")];
  const other = simulation.host("c").network.multicast({ ...GROUP, port: 1 });
  await simulation.finish(other.networks());
  const said = bytes("hello");
  const sending = a.group.send(said, a.address);
  said.fill(0); // It was taken as it was.
  await simulation.finish(sending);
  await simulation.run();
  assert.deepEqual([a.heard, b.heard], [["hello from 10.0.0.1"], ["hello from 10.0.0.1"]]);
  a.group.close();
  assert.equal(await a.over, 'Group "224.0.0.251:5353" was left');
  await assert.rejects(a.group.send(said, a.address), /was left/);
  await assert.rejects(a.group.networks(), /was left/);
  await assert.rejects(a.group.receive(), /was left/);
});

Deno.test("simulated multicast: what a path does not carry is lost, and the dead hear nothing", async () => {
  const simulation = new Simulation({ seed: 2 });
  const seats = [];
  for (const name of ["a", "b", "c", "d"]) seats.push(await join(simulation, name));
  const [a, b, c, d] = seats;
  simulation.block("a", "b");
  simulation.kill("c");
  simulation.freeze("d");
  await simulation.finish(a!.group.send(bytes("1"), a!.address));
  await simulation.run({ forMs: 100 });
  assert.deepEqual([b?.heard, c?.heard, d?.heard], [[], [], []]);
  simulation.open("a", "b");
  simulation.thaw("d");
  await simulation.finish(a!.group.send(bytes("2"), a!.address));
  await simulation.run({ forMs: 100 });
  assert.deepEqual([b?.heard, d?.heard], [["2 from 10.0.0.1"], [
    "1 from 10.0.0.1",
    "2 from 10.0.0.1",
  ]]);
});
