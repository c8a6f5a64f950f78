/** `minime reload` of a daemon that waits for its certificate. */

import assert from "node:assert/strict";
import { createRealEnvironment } from "../../../core/environment/real.ts";
import { ConnectionError } from "../../../core/mod.ts";
import { runReload } from "../../../modules/init_boot/reload_command.ts";
import type { CommandContext } from "../../../modules/shared/command.ts";
import { writePidFile } from "../../../modules/shared/pid_file.ts";
import { makeStateFolder, statePaths, stateRoot } from "../../../modules/shared/state_folder.ts";
import { makePlace } from "../shared/place.ts";

// It said that the file was being read.
Deno.test("reload: a waiting daemon that ends before it is told is a failure", async () => {
  using place = makePlace({ XDG_STATE_HOME: "{folder}" });
  const paths = statePaths(stateRoot(place.env), "lab", "n1");
  await makeStateFolder(place.env, paths);
  await writePidFile(place.env, paths.pid);
  await place.env.files.write(paths.waiting, "Waiting for a certificate\n", { mode: 0o600 });
  let lives = true;
  const sent: unknown[] = [];
  const signal = (...args: unknown[]) => {
    sent.push(args);
    return lives;
  };
  const processes = Object.create(place.env.processes, { signal: { value: signal } });
  const said: string[] = [];
  const say = (text: string) => void said.push(text);
  const context = {
    env: { ...createRealEnvironment(), ...place.env, processes },
    out: { detail: () => {}, print: say, note: say },
    signal: new AbortController().signal,
    meshName: undefined,
  } as unknown as CommandContext;
  await runReload(context, { name: undefined, json: false });
  assert.deepEqual(sent, [[processes.pid, "SIGHUP"]]);
  assert.deepEqual(said.splice(0), [
    '"n1" reads its mesh file again, and asks at once. Waiting for a certificate',
    "Its log says whether it could use the file",
  ]);
  lives = false;
  await assert.rejects(runReload(context, { name: undefined, json: false }), (error) => {
    assert.ok(error instanceof ConnectionError);
    assert.equal(
      error.message,
      'The daemon "n1" of this machine has just ended: nothing was read',
    );
    return true;
  });
  assert.deepEqual(said, []);
});
