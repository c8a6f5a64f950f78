/** Which daemon of this machine is meant, of those that wait before they can run. */

import assert from "node:assert/strict";
import { createRealEnvironment } from "../../../core/environment/real.ts";
import { Calls, type Clock, type Conduit, UnixFront, UsageError } from "../../../core/mod.ts";
import { localDaemons, onlyDaemon } from "../../../modules/shared/local_daemon.ts";
import { writePidFile } from "../../../modules/shared/pid_file.ts";
import {
  makeStateFolder,
  placeSocket,
  statePaths,
  stateRoot,
} from "../../../modules/shared/state_folder.ts";
import { until } from "../../support/wait.ts";
import { makePlace, type Place } from "./place.ts";

/** As this process would leave it behind while it waits. */
async function wait({ env }: Place, mesh: string, node: string): Promise<void> {
  const paths = statePaths(stateRoot(env), mesh, node);
  await makeStateFolder(env, paths);
  await writePidFile(env, paths.pid);
  await env.files.write(paths.waiting, `Waiting for ${node}\n`, { mode: 0o600 });
}

// The first one was taken, whichever was meant.
Deno.test("local daemon: of several that wait the one that is meant must be named", async () => {
  using place = makePlace({ XDG_STATE_HOME: "{folder}" });
  const needs = {
    env: { ...createRealEnvironment(), ...place.env },
    out: { detail: () => {} },
    signal: new AbortController().signal,
    meshName: undefined,
  };
  await assert.rejects(onlyDaemon(needs, undefined), /No daemon that is yours answers/);
  const { pid } = needs.env.processes;
  await wait(place, "lab", "n1");
  const n1 = { name: "n1", mesh: "lab", pid, what: "Waiting for n1" };
  assert.deepEqual(await onlyDaemon(needs, undefined), n1);
  await wait(place, "lab", "n2");
  await assert.rejects(onlyDaemon(needs, undefined), (error) => {
    assert.ok(error instanceof UsageError);
    assert.equal(
      error.message,
      'Several daemons run on this machine: n1 of mesh "lab", n2 of mesh "lab"',
    );
    assert.equal(error.hint, "Say which: --name n1, --mesh lab");
    return true;
  });
  assert.deepEqual(await onlyDaemon(needs, "n1"), n1);
});

// Each frozen one cost a second, one after the other.
Deno.test("local daemon: many that are frozen are not waited for one after the other", async () => {
  using place = makePlace({ XDG_STATE_HOME: "{folder}" });
  const real = createRealEnvironment();
  /** Nobody is ever given up for his silence: who is waited for alone is waited for in vain. */
  const clock: Clock = {
    now: () => real.clock.now(),
    monotonic: () => real.clock.monotonic(),
    after: (ms, run) => ms < 1_000 ? real.clock.after(ms, run) : { cancel: () => {} },
    sleep: (ms, options) => real.clock.sleep(ms, options),
    yield: () => real.clock.yield(),
  };
  const env = { ...real, ...place.env, clock };
  await using open = new AsyncDisposableStack();
  const conduits: Conduit[] = [];
  const names = ["n1", "n2", "n3", "n4", "n5", "n6"];
  for (const name of names) {
    const paths = statePaths(stateRoot(env), "lab", name);
    await makeStateFolder(env, paths);
    const { socket } = await placeSocket(env, paths.folder, "sock");
    const front = new UnixFront({ ...env, log: () => {} });
    const listener = await front.listen(`unix:${socket}`, (conduit) => {
      conduits.push(conduit);
      if (name !== names.at(-1)) return;
      new Calls({ conduit, clock, dialled: false, serve: () => ({ revision: 7 }) });
    });
    open.defer(() => listener.close());
  }
  const needs = { env, out: { detail: () => {} }, signal: new AbortController().signal };
  let answered: string | undefined;
  let said: number | undefined;
  const done = (async () => {
    for await (const { name, revision, calls } of localDaemons(needs, { mesh: "lab" })) {
      answered = name;
      said = revision;
      await calls.close("seen");
      return;
    }
  })();
  await until(() => answered !== undefined, "somebody answers");
  await done;
  assert.deepEqual([answered, said], ["n6", 7]);
  assert.equal(conduits.length, names.length);
  await Promise.all(conduits.map((conduit) => conduit.close("over")));
});

Deno.test("local daemon: one that says nothing of the protocol's revision knows what was there at first", async () => {
  using place = makePlace({ XDG_STATE_HOME: "{folder}" });
  const env = { ...createRealEnvironment(), ...place.env };
  const paths = statePaths(stateRoot(env), "lab", "n1");
  await makeStateFolder(env, paths);
  const { socket } = await placeSocket(env, paths.folder, "sock");
  const { clock } = env;
  const listener = await new UnixFront({ ...env, log: () => {} }).listen(
    `unix:${socket}`,
    (conduit) => void new Calls({ conduit, clock, dialled: false, serve: () => ({ name: "n1" }) }),
  );
  const needs = { env, out: { detail: () => {} }, signal: new AbortController().signal };
  const found: number[] = [];
  for await (const { revision, calls } of localDaemons(needs, { mesh: "lab" })) {
    found.push(revision);
    await calls.close("seen");
  }
  assert.deepEqual(found, [0]);
  await listener.close();
});
