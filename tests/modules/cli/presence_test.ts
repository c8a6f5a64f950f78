import assert from "node:assert/strict";
import type { Environment } from "../../../core/mod.ts";
import { Presence } from "../../../modules/cli/presence.ts";
import { ManualClock } from "../../support/manual_clock.ts";
import { quiet } from "../../support/wait.ts";

/** A service manager, and files. */
function makeMachine() {
  const told: string[] = [];
  const files = new Map<string, string>();
  const done: string[] = [];
  const env = {
    clock: new ManualClock(),
    processes: {
      pid: 42,
      variable: () => undefined,
      notify: (text: string) => told.push(text) > 0,
    },
    files: {
      write: (path: string, text: string) => {
        files.set(path, text);
        done.push(path);
        return Promise.resolve();
      },
      remove: (path: string) => Promise.resolve(files.delete(path)),
    },
  } as unknown as Pick<Environment, "clock" | "files" | "processes">;
  return { env, told, files, done };
}

const OPTIONS = { pidFile: "/run/it.pid", waiting: "/lib/waiting", goesOn: () => false };

Deno.test("presence: one that waits is there, says for what, and then that it runs", async () => {
  const { env, told, files, done } = makeMachine();
  const presence = new Presence(env, OPTIONS);
  await presence.waits("Waiting for a");
  await presence.waits("Waiting for b");
  await quiet();
  assert.deepEqual(Object.fromEntries(files), {
    "/run/it.pid": "42\n",
    "/run/it.pid.waiting": "Waiting for b\n",
    "/lib/waiting": "Waiting for b\n",
  });
  // Who sees the pid file looks for the other one.
  assert.deepEqual(done.slice(0, 3), ["/lib/waiting", "/run/it.pid.waiting", "/run/it.pid"]);
  assert.deepEqual([told[0], told.at(-1)], ["READY=1", "STATUS=Waiting for b"]);
  await presence.runs(() => Promise.resolve("2 links"));
  await quiet();
  assert.deepEqual([...files.keys()], ["/run/it.pid"]);
  assert.equal(told.at(-1), "STATUS=2 links");
  await presence[Symbol.asyncDispose]();
  await presence[Symbol.asyncDispose]();
  assert.equal(files.size, 0);
  assert.equal(told.filter((text) => text.startsWith("STOPPING=1")).length, 1);
});

Deno.test("presence: one that never came so far leaves files of others alone", async () => {
  const { env, told, files } = makeMachine();
  files.set("/run/it.pid", "7\n");
  await new Presence(env, OPTIONS)[Symbol.asyncDispose]();
  assert.deepEqual([files.get("/run/it.pid"), told], ["7\n", []]);
});
