/** What happens to simulated machines: kills, power cuts, freezes, clocks, disks, signals. */
import assert from "node:assert/strict";
import { Simulation } from "./environment.ts";
import { pair, PORT, readOnce } from "./pair.ts";

Deno.test("kill: peers see the end, the dead do nothing more, the disk stays", async () => {
  const { simulation, hostB, a, b } = await pair();
  await simulation.finish(hostB.files.write("/tmp/kept", "text"));
  await simulation.finish(hostB.network.listen({ transport: "unix", path: "/tmp/socket" }));
  let inert = true;
  hostB.clock.after(5, () => inert = false);
  const lively = () => void (inert = false);
  hostB.clock.sleep(1).then(lively);
  hostB.clock.yield().then(lively);
  hostB.files.read("/tmp/kept").then(lively);
  readOnce(b).then(lively, lively);
  const end = readOnce(a);
  simulation.kill("b");
  assert.equal((await simulation.finish(end)).length, 0);
  b.write(new Uint8Array(1)).then(lively, lively);
  hostB.network.dial({ transport: "tcp", host: "a", port: 1 }).then(lively, lively);
  await simulation.run({ forMs: 200_000 });
  assert.equal(inert, true);
  await assert.rejects(
    simulation.finish(
      simulation.host("a").network.dial({ transport: "tcp", host: "b", port: PORT }),
    ),
    { reason: "refused" },
  );
  const successor = simulation.host("b");
  assert.notEqual(successor.processes.pid, hostB.processes.pid);
  assert.equal(await simulation.finish(successor.files.readText("/tmp/kept")), "text");
  await assert.rejects(
    simulation.finish(successor.network.dial({ transport: "unix", path: "/tmp/socket" })),
    { reason: "refused" },
  );
  await simulation.finish(successor.network.listen({ transport: "unix", path: "/tmp/socket" }));
});

Deno.test("power cut: peers hear nothing, and a reset once the machine is back", async () => {
  const { simulation, a } = await pair();
  let heard = "nothing";
  readOnce(a).then(() => heard = "end", () => heard = "error");
  simulation.powerOff("b");
  await a.write(new Uint8Array(1));
  await simulation.run({ forMs: 600_000 });
  assert.equal(heard, "nothing");
  simulation.powerOn("b");
  await a.write(new Uint8Array(1));
  await simulation.run({ forMs: 1_000 });
  await assert.rejects(a.write(new Uint8Array(1)), { reason: "reset" });
  a.close();
});

Deno.test("freeze: timers and arrivals wait for the thaw and come in order; the kernel goes on", async () => {
  const { simulation, hostA, hostB, a, b } = await pair();
  const order: string[] = [];
  hostB.clock.after(10, () => order.push(`timer at ${hostB.clock.monotonic() - begun}`));
  readOnce(b).then((bytes) => order.push(`${bytes.length} bytes`));
  const begun = simulation.now;
  simulation.freeze("b");
  await simulation.run({ forMs: 20 });
  await a.write(new Uint8Array(3));
  const dialed = await simulation.finish(
    hostA.network.dial({ transport: "tcp", host: "b", port: PORT }),
  );
  await simulation.run({ forMs: 1_000 });
  assert.deepEqual(order, []);
  simulation.thaw("b");
  const thawed = simulation.now - begun;
  await simulation.run({ forMs: 1 });
  assert.deepEqual(order, [`timer at ${thawed}`, "3 bytes"]);
  dialed.close();
});

Deno.test("freeze: a timer that came due meanwhile can still be cancelled", async () => {
  const simulation = new Simulation({ seed: 1 });
  const { clock } = simulation.host("a");
  const order: string[] = [];
  clock.after(1, () => {
    order.push("first");
    second.cancel();
  });
  const second = clock.after(2, () => order.push("second"));
  simulation.freeze("a");
  await simulation.run({ forMs: 10 });
  simulation.thaw("a");
  await simulation.run();
  assert.deepEqual(order, ["first"]);
});

Deno.test("skew: moves the wall clock of one machine and none of its timers", async () => {
  const simulation = new Simulation({ seed: 1 });
  const [a, b] = [simulation.host("a"), simulation.host("b")];
  let rang = -1;
  a.clock.after(100, () => rang = a.clock.monotonic());
  simulation.skew("a", -3_600_000);
  assert.equal(b.clock.now() - a.clock.now(), 3_600_000);
  await simulation.run();
  assert.equal(rang, 100);
});

Deno.test("disk: a full one and a denied path fail like real ones", async () => {
  const simulation = new Simulation({ seed: 1 });
  const { files } = simulation.host("a");
  await simulation.finish(files.write("/tmp/a", "12345"));
  simulation.disk("a").capacityBytes = 8;
  await assert.rejects(simulation.finish(files.write("/tmp/b", "12345")), {
    name: "FileError",
    reason: "no-space",
    message: 'Could not write "/tmp/b": no space left on the disk',
  });
  simulation.disk("a").deny("/tmp/a");
  await assert.rejects(simulation.finish(files.read("/tmp/a")), {
    name: "FileError",
    reason: "denied",
    message: 'Could not read "/tmp/a": permission denied',
  });
  simulation.disk("a").allow("/tmp/a");
  assert.equal(await simulation.finish(files.readText("/tmp/a")), "12345");
});

Deno.test("disk: a process killed during a write leaves the old content", async () => {
  const simulation = new Simulation({ seed: 1 });
  const { files } = simulation.host("a");
  await simulation.finish(files.write("/tmp/a", "old"));
  files.write("/tmp/a", "new");
  await simulation.run({ forMs: 0.1 });
  simulation.kill("a");
  await simulation.run();
  assert.equal(await simulation.finish(simulation.host("a").files.readText("/tmp/a")), "old");
});

Deno.test("processes: SIGTERM without a handler kills, with one it does not", async () => {
  const simulation = new Simulation({ seed: 1 });
  const a = simulation.host("a");
  const command = simulation.process("a");
  let asked = 0;
  const handler = a.processes.onSignal("SIGTERM", () => asked++);
  assert.equal(command.processes.signal(a.processes.pid, "SIGTERM"), true);
  await simulation.run();
  assert.equal(asked, 1);
  handler[Symbol.dispose]();
  simulation.signal("a", "SIGTERM");
  assert.equal(command.processes.signal(a.processes.pid, "0"), false);
  assert.notEqual(simulation.host("a"), a);
});

Deno.test("processes: a registered program can be spawned", async () => {
  const simulation = new Simulation({ seed: 1 });
  simulation.program("true", (_, parent) =>
    Promise.resolve({
      pid: parent.pid + 1,
      stdin: undefined,
      stdout: undefined,
      stderr: undefined,
      status: Promise.resolve({ code: 0, signal: undefined }),
      kill: () => {},
      release: () => {},
    }));
  const child = await simulation.finish(simulation.host("a").processes.spawn("true"));
  assert.deepEqual(await child.status, { code: 0, signal: undefined });
});
