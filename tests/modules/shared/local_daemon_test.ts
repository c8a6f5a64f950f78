/** Which daemon of this machine is meant, of those that wait before they can run. */

import assert from "node:assert/strict";
import { createRealEnvironment } from "../../../core/environment/real.ts";
import { UsageError } from "../../../core/mod.ts";
import { onlyDaemon } from "../../../modules/shared/local_daemon.ts";
import { writePidFile } from "../../../modules/shared/pid_file.ts";
import { makeStateFolder, statePaths, stateRoot } from "../../../modules/shared/state_folder.ts";
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
