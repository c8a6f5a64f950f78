/** The holder of jobs and its daemon's end of the wire, in this process; the jobs are real. */

import assert from "node:assert/strict";
import { Calls, type Environment, UnixFront } from "../../../core/mod.ts";
import { HeldJobs } from "../../../modules/exec/held_jobs.ts";
import { Holder } from "../../../modules/exec/holder.ts";
import { commonVersion } from "../../../modules/exec/holder_protocol.ts";
import {
  HOLDER_ANSWER_MS_MAX,
  HOLDER_CHECK_MS,
  JOB_KEPT_MS,
} from "../../../modules/exec/limits.ts";
import type { JobEnd } from "../../../modules/exec/order.ts";
import { ManualClock } from "../../support/manual_clock.ts";
import { until } from "../../support/wait.ts";
import { makeScene, type OrderOptions, type Scene } from "./scene.ts";

interface Stage extends AsyncDisposable {
  readonly scene: Scene;
  readonly folder: string;
  readonly held: HeldJobs;
  hold(more?: Partial<Environment>): Promise<Holder>;
  start(job: string, line: string, options?: OrderOptions): ReturnType<HeldJobs["start"]>;
}

async function makeStage(): Promise<Stage> {
  const scene = await makeScene();
  const folder = await Deno.makeTempDir({ prefix: "minime-holder-" });
  const log = () => {};
  const host = { env: scene.env, log, self: { ...scene.user.identity, name: "n2" } };
  const held = new HeldJobs(host, scene.programs, { folder, comesBack: true });
  const holders: Holder[] = [];
  return {
    scene,
    folder,
    held,
    async hold(more = {}) {
      const holder = await Holder.start({ ...scene.env, ...more }, { folder, node: "n2" });
      holders.push(holder);
      return holder;
    },
    start: (job, line, options) =>
      held.start(
        { ...scene.order(["/bin/sh", "-c", line], options), job },
        scene.context(options),
      ),
    async [Symbol.asyncDispose]() {
      await held.stop({});
      for (const holder of holders) await holder.stop();
      await scene[Symbol.asyncDispose]();
      await Deno.remove(folder, { recursive: true });
    },
  };
}

async function logsOf({ held, scene }: Stage, job: string): Promise<[text: string, end: JobEnd]> {
  const output = held.logs({ job, follow: true }, scene.context());
  let text = "";
  for (;;) {
    const { done, value } = await output.next();
    if (done) return [text, value];
    text += new TextDecoder().decode(value[1]);
  }
}

/** The same with some methods of its own. */
function changed<T extends object>(base: T, methods: Partial<T>): T {
  return new Proxy(base, {
    get(_, key) {
      if (key in methods) return methods[key as keyof T];
      const value = base[key as keyof T];
      return typeof value === "function" ? value.bind(base) : value;
    },
  });
}

function names(folder: string): string[] {
  return [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
}

Deno.test("holder: a daemon that asks about jobs starts none", async () => {
  await using stage = await makeStage();
  const { held, scene, folder } = stage;
  assert.deepEqual(await held.list(scene.context()), []);
  assert.deepEqual(await held.wait("nothing", scene.context()), { found: false });
  assert.deepEqual(await logsOf(stage, "nothing"), ["", { found: false }]);
  assert.deepEqual(names(folder), []);
});

Deno.test("holder: jobs are one user's, and outlive the connection", async () => {
  await using stage = await makeStage();
  const { held, scene } = stage;
  await stage.hold();
  assert.deepEqual(await stage.start("build", "echo hello; exit 3"), {});
  await held.stop({});
  assert.deepEqual(await logsOf(stage, "build"), ["hello\n", { found: true, end: { code: 3 } }]);
  const stranger = scene.context({
    principal: { identity: { ...scene.user.identity, keyId: "f".repeat(64) } },
  });
  assert.deepEqual(await held.list(stranger), []);
  assert.deepEqual(await held.signal({ job: "build", signal: "SIGTERM" }, stranger), {
    found: false,
  });
});

Deno.test("holder: ends itself a day after the end of its last job, and leaves nothing", async () => {
  await using stage = await makeStage();
  const clock = new ManualClock();
  const holder = await stage.hold({ clock });
  await stage.start("one", "exit 4");
  assert.deepEqual(await stage.held.wait("one", stage.scene.context()), {
    found: true,
    end: { code: 4 },
  });
  assert.deepEqual(names(stage.folder), ["jobs", "jobs.json", "jobs.pid"]);
  let isOver = false;
  void holder.ended.then(() => isOver = true);
  await clock.advance(JOB_KEPT_MS - HOLDER_CHECK_MS);
  assert.equal(isOver, false);
  await clock.advance(3 * HOLDER_CHECK_MS);
  await holder.ended;
  assert.deepEqual(names(stage.folder), []);
});

Deno.test("holder: a job that comes while one ends itself waits for that, and is the next one's", async () => {
  await using stage = await makeStage();
  const { env, user } = stage.scene;
  const clock = new ManualClock();
  const { promise: ending, resolve: onEnding } = Promise.withResolvers<void>();
  const { promise: going, resolve: go } = Promise.withResolvers<void>();
  const remove = async (path: string) => {
    if (path.endsWith("/jobs.json")) {
      onEnding();
      await going;
    }
    await env.files.remove(path);
  };
  const files = changed(env.files, { remove });
  await stage.hold({ clock, files });
  await clock.advance(HOLDER_CHECK_MS);
  await ending;
  // It goes on when the daemon, which was refused, waits for its end; or when the next one is started.
  let limits = 0;
  const patient = changed(env.clock, {
    after(ms, run) {
      if (ms === HOLDER_ANSWER_MS_MAX && ++limits === 2) go();
      return env.clock.after(ms, run);
    },
  });
  const spawned: string[][] = [];
  const processes = changed(env.processes, {
    spawn(program, options) {
      spawned.push(names(stage.folder));
      go();
      return env.processes.spawn(program, options);
    },
  });
  const host = {
    env: { ...env, clock: patient, processes },
    log: () => {},
    self: { ...user.identity, name: "n2" },
  };
  const held = new HeldJobs(host, stage.scene.programs, { folder: stage.folder, comesBack: false });
  try {
    const order = { ...stage.scene.order(["/bin/sh", "-c", "exit 5"]), job: "one" };
    assert.deepEqual(await held.start(order, stage.scene.context()), {});
    assert.deepEqual(spawned, [[]]);
    const over = await held.wait("one", stage.scene.context());
    assert.deepEqual(over, { found: true, end: { code: 5 } });
  } finally {
    await held.stop({});
  }
  assert.deepEqual(names(stage.folder), []);
});

Deno.test("holder: what a dead one held is lost, what had ended is known, and nothing starts twice", async () => {
  await using stage = await makeStage();
  const { scene, held, folder } = stage;
  const { keyId } = scene.user.identity;
  const order = { ...scene.order(["/bin/sh", "-c", `echo >> ${folder}/ran`]), job: "lost" };
  const common = { keyId, argv: ["x"], startedMs: Date.now(), bytes: 12 };
  const jobs = [
    { ...common, name: "done", run: "1".repeat(32), endedMs: Date.now(), end: { code: 9 } },
    { ...common, name: "lost", run: order.run, more: "of a later version" },
  ];
  await Deno.writeTextFile(`${folder}/jobs.json`, JSON.stringify({ jobs }), { mode: 0o600 });
  await stage.hold();
  const lost = {
    code: 125,
    error: "Lost: the process that held it has died, or the machine was switched off",
  };
  assert.deepEqual(await logsOf(stage, "done"), ["", {
    found: true,
    end: { code: 9 },
    cutBytes: 12,
  }]);
  assert.deepEqual(await held.wait("lost", scene.context()), { found: true, end: lost });
  // As a daemon asks whose first holder died before it had answered.
  assert.deepEqual(await held.start(order, scene.context()), { end: lost });
  assert.deepEqual(names(folder).includes("ran"), false);
  assert.deepEqual(await held.start({ ...order, run: "2".repeat(32) }, scene.context()), {});
  await held.wait("lost", scene.context());
  assert.deepEqual(names(folder).includes("ran"), true);
});

Deno.test("holder: a record that nobody can read is no reason to do without jobs", async () => {
  await using stage = await makeStage();
  await Deno.writeTextFile(`${stage.folder}/jobs.json`, "{", { mode: 0o600 });
  await stage.hold();
  assert.deepEqual(await stage.start("one", "true"), {});
});

Deno.test("holder: there is one for a node", async () => {
  await using stage = await makeStage();
  await stage.hold();
  await assert.rejects(stage.hold(), /another process listens there/);
  assert.deepEqual(await stage.start("one", "true"), {});
});

Deno.test("holder: a rule's limit counts jobs and programs of a user together", async () => {
  await using stage = await makeStage();
  const { scene, held } = stage;
  await stage.hold();
  const options = { principal: { maxProcesses: 2 } };
  const context = scene.context(options);
  const refused = /Rule allow\[0\] lets user "alice" run 2 at once here/;
  await stage.start("one", "sleep 1014 & wait", options);
  assert.equal(await held.countOf(context), 1);
  const running = scene.stream(["sleep", "1014"], options);
  const first = running.next();
  await until(() => scene.programs.countOf(scene.user.identity.keyId) === 1, "it is counted");
  await assert.rejects(stage.start("two", "true", options), refused);
  const elsewhere = await held.countOf(context);
  const third = scene.programs.run(scene.order(["true"]), context, { elsewhere });
  await assert.rejects(third.next(), refused);
  await scene.programs.stop();
  await first;
  assert.deepEqual(await stage.start("two", "true", options), {});
});

Deno.test("holder: the end for good ends jobs, and nothing is remembered", async () => {
  await using stage = await makeStage();
  const holder = await stage.hold();
  await stage.start("one", "sleep 1015 & wait");
  // Its process would be this one, whose end nobody waits for.
  await Deno.writeTextFile(`${stage.folder}/jobs.pid`, "0 0\n");
  const front = new UnixFront({ ...stage.scene.env, log: () => {} });
  const conduit = await front.dial(`unix:${stage.folder}/jobs`);
  const calls = new Calls({ conduit, clock: stage.scene.env.clock, dialled: true });
  assert.deepEqual(await calls.request("holder.end", {}), {});
  await holder.ended;
  await calls.done;
  assert.deepEqual(names(stage.folder), []);
});

Deno.test("holder: versions that have none in common say so, others speak the newest", async () => {
  assert.equal(commonVersion({ oldest: 1, newest: 3 }, { oldest: 2, newest: 5 }), 3);
  assert.equal(commonVersion({ oldest: 1, newest: 1 }, { oldest: 2, newest: 5 }), undefined);
  await using stage = await makeStage();
  const { env } = stage.scene;
  const said = { oldest: 7, newest: 8, version: "9.9.9" };
  const front = new UnixFront({ ...env, log: () => {} });
  const ends: Promise<unknown>[] = [];
  const listener = await front.listen(`unix:${stage.folder}/jobs`, (conduit) => {
    const calls = new Calls({ conduit, clock: env.clock, dialled: false, serve: () => said });
    ends.push(calls.done);
  });
  try {
    await assert.rejects(stage.start("one", "true"), {
      name: "CallError",
      message: "The jobs of this node are held by a process of version 9.9.9, with which this " +
        "daemon of version 0.1.0 has no protocol in common: it ends a day after the last of them",
    });
  } finally {
    await listener.close();
    await Promise.all(ends);
  }
});

Deno.test("holder: an order that it does not understand whole is not run", async () => {
  await using stage = await makeStage();
  await stage.hold();
  const order = { ...stage.scene.order(["true"]), job: "one", chroot: "/srv" };
  await assert.rejects(
    stage.held.start(order, stage.scene.context()),
    /The holder of the jobs, of version 0\.1\.0, does not understand the order: .*"chroot"/,
  );
});
