/** What only the real environment has: stale sockets, scarce descriptors, the host's own records. */
import assert from "node:assert/strict";
import { createRealEnvironment } from "../../../core/environment/real.ts";
import { sessionProcesses } from "../../../core/environment/real_users.ts";
import { ConnectionError } from "../../../core/errors.ts";
import { playReal } from "./stages.ts";

Deno.test("real network: takes over a unix path whose process died", () =>
  playReal(async ({ environment: { network, files }, folder }) => {
    const path = `${folder}/socket`;
    await makeStaleSocket(path);
    const listener = await network.listen({ transport: "unix", path });
    const [dialer, accepted] = await Promise.all([
      network.dial({ transport: "unix", path }),
      listener.accept(),
    ]);
    assert.equal((await files.facts(path))?.mode, 0o600);
    for (const each of [dialer, accepted, listener]) each.close();
    assert.deepEqual(await files.list(folder), []);
  }));

Deno.test("real network: gives a stale unix path to exactly one of many that want it", () =>
  playReal(async ({ environment: { network, files }, folder }) => {
    const path = `${folder}/socket`;
    await makeStaleSocket(path);
    const outcomes = await Promise.allSettled(
      Array.from({ length: 8 }, () => network.listen({ transport: "unix", path })),
    );
    const winners = outcomes.flatMap((each) => each.status === "fulfilled" ? [each.value] : []);
    for (const outcome of outcomes) {
      if (outcome.status === "fulfilled") continue;
      assert.ok(outcome.reason instanceof ConnectionError, String(outcome.reason));
      assert.equal(outcome.reason.reason, "address-taken");
    }
    assert.equal(winners.length, 1);
    (await network.dial({ transport: "unix", path })).close();
    winners[0]!.close();
    assert.deepEqual(await files.list(folder), []);
  }));

Deno.test("real network: says how long a unix path may be", () =>
  playReal(async ({ environment: { network }, folder }) => {
    const path = `${folder}/${"x".repeat(107 - folder.length)}`;
    await assert.rejects(network.listen({ transport: "unix", path }), {
      name: "ConnectionError",
      message: `Could not listen on "unix:${path}": it needs 108 bytes, the system allows 107`,
    });
    const longest = path.slice(0, -1);
    (await network.listen({ transport: "unix", path: longest })).close();
  }));

Deno.test("real network: accepts again once descriptors are free", async () => {
  const lines = await runProgram("scarce_descriptors_program.ts");
  assert.deepEqual(lines, ["without descriptors: waits", "with descriptors: accepts"]);
});

Deno.test("real host: raises the soft limit of open files to the hard one", async () => {
  const lines = await runProgram("file_limit_program.ts");
  assert.deepEqual(lines, ["soft 64", "raised to 128", "soft 128", "again 128"]);
});

Deno.test("real host: counts the user sessions of utmp and no other records", () => {
  const record = (type: number, pid: number) => {
    const bytes = new Uint8Array(384);
    new DataView(bytes.buffer).setInt16(0, type, true);
    new DataView(bytes.buffer).setInt32(4, pid, true);
    return [...bytes];
  };
  // Boot time, a login prompt, two users, one who has left, and a record that is cut off.
  const utmp = [record(2, 0), record(6, 11), record(7, 12), record(7, 13), record(8, 14)].flat();
  const cut = [...utmp, ...record(7, 15).slice(0, 100)];
  assert.deepEqual(sessionProcesses(new Uint8Array(cut), 384), [12, 13]);
});

Deno.test("real network: shows IPv4 peers of a dual-stack listener as IPv4", async () => {
  const { network } = createRealEnvironment();
  const listener = await network.listen({ transport: "tcp", host: "::", port: 0 });
  assert.ok(listener.address.transport === "tcp");
  const [dialer, accepted] = await Promise.all([
    network.dial({ transport: "tcp", host: "127.0.0.1", port: listener.address.port }),
    listener.accept(),
  ]);
  assert.equal(accepted.remote, dialer.local);
  assert.match(accepted.remote, /^127\.0\.0\.1:/);
  for (const each of [dialer, accepted, listener]) each.close();
});

/** As a process leaves it that was killed. */
async function makeStaleSocket(path: string): Promise<void> {
  const listener = Deno.listen({ transport: "unix", path: `${path}.old` });
  await Deno.link(`${path}.old`, path);
  listener.close();
  assert.ok((await Deno.lstat(path)).isSocket);
}

/** Runs a program beside this file in a process of its own, where limits can be changed. */
async function runProgram(name: string): Promise<string[]> {
  const { stdout, stderr, success } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", new URL(name, import.meta.url).pathname],
  }).output();
  const decoder = new TextDecoder();
  assert.ok(success, decoder.decode(stderr));
  return decoder.decode(stdout).trim().split("\n");
}
