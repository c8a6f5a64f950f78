import assert from "node:assert/strict";
import type { Environment } from "../../../core/mod.ts";
import { Supervision, tellFailure } from "../../../modules/cli/supervision.ts";
import { ManualClock } from "../../support/manual_clock.ts";
import { quiet } from "../../support/wait.ts";

/** A service manager that watches, or none. */
function makeManager(variables: Readonly<Record<string, string>>, listens = true) {
  const told: string[] = [];
  const clock = new ManualClock();
  const processes = {
    pid: 42,
    variable: (name: string) => variables[name],
    notify(text: string) {
      if (listens) told.push(text);
      return listens;
    },
  };
  const env = { clock, processes } as unknown as Pick<Environment, "clock" | "processes">;
  return { env, told, clock };
}

Deno.test("supervision: ready, how we are, that we live, and that we stop", async () => {
  const { env, told, clock } = makeManager({ WATCHDOG_USEC: "6000000", WATCHDOG_PID: "42" });
  let links = 0;
  const supervision = new Supervision(env, () => Promise.resolve(`${links++} links`));
  await quiet();
  assert.deepEqual(told, ["READY=1", "WATCHDOG=1", "STATUS=0 links"]);
  // Twice as often as the manager's patience.
  await clock.advance(3_000);
  assert.deepEqual(told.slice(3), ["WATCHDOG=1", "STATUS=1 links"]);
  supervision[Symbol.dispose]();
  supervision[Symbol.dispose]();
  await clock.advance(60_000);
  assert.deepEqual(told.slice(5), ["STOPPING=1\nSTATUS="]);
});

Deno.test("supervision: what has changed is told at once, and what was before is forgotten", async () => {
  const { env, told, clock } = makeManager({});
  const late = Promise.withResolvers<string>();
  using supervision = new Supervision(env, () => late.promise);
  supervision.turnTo(() => Promise.resolve("2 links"));
  late.resolve("waiting");
  await clock.advance(10_000);
  const alive = ["WATCHDOG=1", "STATUS=2 links"];
  assert.deepEqual(told, ["READY=1", "WATCHDOG=1", ...alive, ...alive]);
});

Deno.test("supervision: a watchdog for somebody else changes nothing", async () => {
  const { env, told, clock } = makeManager({ WATCHDOG_USEC: "10000", WATCHDOG_PID: "7" });
  using _supervision = new Supervision(env, () => Promise.reject(new Error("Stopping")));
  await clock.advance(9_999);
  assert.deepEqual(told, ["READY=1", "WATCHDOG=1"]);
  await clock.advance(1);
  assert.deepEqual(told, ["READY=1", "WATCHDOG=1", "WATCHDOG=1"]);
});

Deno.test("supervision: where no manager listens nothing is done", async () => {
  const { env, told, clock } = makeManager({}, false);
  const supervision = new Supervision(env, () => Promise.resolve("well"));
  await clock.advance(60_000);
  supervision[Symbol.dispose]();
  assert.deepEqual(told, []);
});

Deno.test("supervision: a daemon that cannot start says why, in one line", () => {
  const { env, told } = makeManager({});
  tellFailure(
    env.processes,
    new Error("Cannot use mesh.toml: 1 problem\nmesh.toml:7: Bad\n  more"),
  );
  tellFailure(env.processes, new Error("The address is taken"));
  assert.deepEqual(told, [
    "STATUS=Cannot use mesh.toml: 1 problem; mesh.toml:7: Bad",
    "STATUS=The address is taken",
  ]);
});
