/** Background jobs on daemons of this machine, as a user handles them. */

import assert from "node:assert/strict";
import { type Context, encodeCanonical } from "../../../core/mod.ts";
import { viewsOf } from "../../../modules/exec/job_table.ts";
import { type JobRecord } from "../../../modules/exec/job_records.ts";
import { Jobs } from "../../../modules/exec/jobs.ts";
import { JOBS_KEPT_MAX } from "../../../modules/exec/limits.ts";
import type { RunEnd, RunOrder } from "../../../modules/exec/order.ts";
import { STDOUT } from "../../../modules/exec/program.ts";
import { type Signed } from "../../../modules/exec/programs.ts";
import { GROUP_NODE_BYTES_MAX } from "../../../modules/shared/limits.ts";
import { LocalMesh } from "../../support/local_mesh.ts";
import { ManualClock } from "../../support/manual_clock.ts";
import { until } from "../../support/wait.ts";
import { lives } from "./scene.ts";

interface Bench {
  readonly clock: ManualClock;
  readonly jobs: Jobs;
  /** Resolves when it runs, or has failed. */
  start(user: string, job: string, argv?: readonly string[]): Promise<void>;
  names(user: string): string[];
  /** Ends those that run. */
  release(): void;
}

/** Jobs whose programs are none: `true` ends at once, `false` does not start, others run on. */
function makeBench(): Bench {
  const clock = new ManualClock();
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  let runs = 0;
  const keyOf = (user: string) => user.padEnd(64, "0");
  const jobs = new Jobs({
    env: { clock },
    log: () => {},
    programs: {
      async *run({ argv: [program = ""] }: RunOrder, _context: Context, options) {
        if (program.startsWith("no")) return { code: 127, error: `Could not start "${program}"` };
        options?.onStart?.();
        yield [STDOUT, new Uint8Array(1)];
        if (program !== "true") await released;
        return { code: 0 } satisfies RunEnd;
      },
      signalOf: () => false,
    },
    records: {
      read: () => Promise.resolve([]),
      save: (take: () => readonly JobRecord[]) => Promise.resolve(void take()),
    },
  });
  return {
    clock,
    jobs,
    release,
    async start(user, job, argv = ["true"]) {
      const by: Signed = {
        kind: "signed",
        identity: { keyId: keyOf(user), name: user, signPublicKey: new Uint8Array(0) },
        requestId: "",
        as: user,
        rule: "allow[0]",
        maxProcesses: undefined,
        commandsOnly: false,
      };
      const order = { job, argv: [...argv], run: String(runs++).padStart(32, "0"), variables: [] };
      await jobs.start(order, by, { elsewhere: 0 });
      if (argv[0] !== "sleep") await jobs.wait({ keyId: keyOf(user), job }, { signal: NEVER });
    },
    names: (user) => jobs.list(keyOf(user)).map(({ job }) => job),
  };
}

const NEVER = new AbortController().signal;

Deno.test("jobs: those of one user do not push out what others want to know", async () => {
  const { clock, start, names, release, jobs } = makeBench();
  // It ends last, so it is not the first that its own user loses.
  await start("b0b", "long", ["sleep"]);
  await start("a11ce", "one");
  await clock.advance(1_000);
  const count = JOBS_KEPT_MAX + 20;
  for (let i = 0; i < count; i++) await start("b0b", `job${i}`);
  await clock.advance(1_000);
  release();
  await jobs.settled();
  assert.deepEqual(names("a11ce"), ["one"]);
  const kept = names("b0b");
  assert.deepEqual([kept.length, kept[0], kept[1], kept.at(-1)], [
    JOBS_KEPT_MAX - 1,
    "long",
    `job${count - JOBS_KEPT_MAX + 2}`,
    `job${count - 1}`,
  ]);
  for (let i = 0; i < 3; i++) await start("a11ce", `more${i}`);
  assert.deepEqual(names("a11ce"), ["one", "more0", "more1", "more2"]);
});

Deno.test("jobs: the list of many with long command lines fits into one answer", async () => {
  const { start, jobs, release } = makeBench();
  const words = Array.from({ length: 16 }, () => "\u{1f600}".repeat(50_000));
  await start("a11ce", "one", ["sleep", "short", ...words]);
  const keyId = "a11ce".padEnd(64, "0");
  const [one] = jobs.list(keyId);
  assert.deepEqual(one?.argv.slice(0, 2), ["sleep", "short"]);
  assert.ok((one?.argv.join(" ").length ?? 0) <= 1_100);
  for (let i = 0; i < 1_000; i++) await start("a11ce", `job${i}`, ["sleep", ...words]);
  for (let i = 0; i < JOBS_KEPT_MAX; i++) await start("a11ce", `not${i}`, [`no${words[0]}`]);
  const list = jobs.list(keyId);
  assert.equal(list.length, 1_001 + JOBS_KEPT_MAX);
  assert.ok(encodeCanonical(list).length < GROUP_NODE_BYTES_MAX);
  release();
  await jobs.settled();
});

Deno.test("jobs: listed by node, whoever answered first", () => {
  const job = { job: "j", argv: ["true"], startedMs: 1, bytes: 0 };
  const answers = new Map(["n10", "n2", "n1"].map((node) => [node, [job]]));
  assert.deepEqual(viewsOf(answers).map(({ node }) => node), ["n1", "n2", "n10"]);
});

Deno.test("jobs: on three nodes, as a user handles them", async (t) => {
  await using mesh = await LocalMesh.start({ nodes: "n[1-3]" });
  const step = (name: string, run: () => Promise<void>) => t.step(name, run);
  const gate = `${mesh.folder}/gate`;
  const start = (name: string, line: string, nodes = "n[1-3]") =>
    mesh.must("exec", "--bg", "--name", name, "-w", nodes, "-s", line);

  await step("one goes on when its client is gone, and is found by its name", async () => {
    const line = `echo begun; until [ -e ${gate} ]; do sleep 0.02; done; exit $MINIME_RANK`;
    assert.equal(await start("build", line), "build\n");
    const { jobs } = await mesh.json("jobs") as { jobs: Record<string, unknown>[] };
    assert.deepEqual(jobs.map(({ node, job, end }) => [node, job, end]), [
      ["n1", "build", undefined],
      ["n2", "build", undefined],
      ["n3", "build", undefined],
    ]);
    const table = await mesh.must("jobs");
    assert.match(
      table,
      /^JOB +NODES +STATE +SINCE +COMMAND\nbuild +n\[1-3\] +runs +\d+ m?s +\/bin/,
    );
    const again = await mesh.run("exec", "--bg", "--name", "build", "-w", "n1", "true");
    assert.deepEqual(again, {
      code: 125,
      stdout: "",
      stderr: 'minime: n1: failed: Job "build" runs already\n',
    });
  });

  await step("its output can be read now, and followed to its end with its exit code", async () => {
    const sorted = (text: string) => text.split("\n").sort().join("\n").trim();
    const begun = "n1: begun\nn2: begun\nn3: begun";
    // Who starts a job is told when it runs, not when it has written.
    while (sorted(await mesh.must("logs", "build")) !== begun);
    const attached = mesh.run("attach", "build");
    const waiting = mesh.run("wait", "-w", "n2", "build");
    await Deno.writeTextFile(gate, "");
    const { code, stdout, stderr } = await attached;
    assert.deepEqual([code, sorted(stdout)], [2, begun]);
    assert.match(stderr, /minime: n3: exit 2\n/);
    assert.equal((await waiting).code, 1);
    assert.equal((await mesh.run("wait", "build")).code, 2);
  });

  await step("a signal reaches it on all of its nodes", async () => {
    await start("sleeper", "sleep 1007 & wait");
    await mesh.must("kill", "-KILL", "sleeper");
    const { code, stderr } = await mesh.run("wait", "sleeper");
    assert.deepEqual([code, stderr], [137, "minime: n[1-3]: killed by SIGKILL\n"]);
    const late = await mesh.run("kill", "-9", "sleeper");
    assert.deepEqual([late.code, late.stderr], [0, "It has ended before\n"]);
  });

  await step("^C at attach goes to the job", async () => {
    await start("polite", 'trap "echo bye; exit 6" INT; echo ready; sleep 1008 & wait', "n1");
    const child = mesh.spawn("attach", "polite");
    const reader = child.stdout.getReader();
    let text = "";
    while (!text.includes("bye")) {
      const { value, done } = await reader.read();
      if (done) break;
      if (text === "") child.kill("SIGINT");
      text += new TextDecoder().decode(value);
    }
    await reader.cancel();
    await child.stderr.cancel();
    assert.equal(text, "n1: ready\nn1: bye\n");
    assert.equal((await child.status).code, 6);
  });

  // It died with its terminal, by the SIGHUP that was sent on to it.
  await step(
    "attach is left by a closed terminal, SIGTERM and ^\\, and the job goes on",
    async () => {
      const off = `${mesh.folder}/off`;
      await start("lasting", `echo ready; until [ -e ${off} ]; do sleep 0.02; done`, "n1");
      for (const [signal, code] of [["SIGHUP", 129], ["SIGTERM", 143], ["SIGQUIT", 131]] as const) {
        const child = mesh.spawn("attach", "lasting");
        const reader = child.stdout.getReader();
        assert.equal(new TextDecoder().decode((await reader.read()).value), "n1: ready\n");
        child.kill(signal);
        await Promise.all([reader.cancel(), child.stderr.cancel()]);
        assert.equal((await child.status).code, code);
      }
      await Deno.writeTextFile(off, "");
      assert.equal((await mesh.run("wait", "lasting")).code, 0);
    },
  );

  await step("what cannot be started, and what is not there", async () => {
    const bad = await mesh.run("exec", "--bg", "-w", "n1", "no-such-program");
    assert.deepEqual([bad.code, bad.stdout], [127, ""]);
    const none = await mesh.run("wait", "nothing");
    assert.deepEqual([none.code, none.stderr], [
      1,
      'minime: There is no job "nothing" of yours on these nodes\n',
    ]);
    for (const words of [["-s", "FOO"], ["-FOO"], ["-x"], ["-K"]]) {
      assert.equal((await mesh.run("kill", ...words, "build")).code, 2);
    }
    const wrong = 'minime: "Build" is no name of a job\nA name has 1 to 63 of a-z 0-9';
    for (const command of ["wait", "logs", "attach", "kill"]) {
      const { code, stderr } = await mesh.run(command, "Build");
      assert.deepEqual([code, stderr.startsWith(wrong)], [2, true], stderr);
    }
    assert.match(await mesh.must("kill", "--help"), /^Usage: .* \[-SIGNAL\] JOB\n/);
    const both = await mesh.run("kill", "build", "polite");
    assert.deepEqual(both, {
      code: 2,
      stdout: "",
      stderr: 'minime: Unexpected argument "polite": name one job\n',
    });
    for (const words of [[], ["-9"]]) {
      const { code, stderr } = await mesh.run("kill", ...words);
      assert.deepEqual([code, stderr.startsWith("minime: JOB is missing\n")], [2, true], stderr);
    }
    const unnamed = await mesh.run("exec", "--bg", "--name", "x".repeat(64), "-w", "n1", "true");
    assert.deepEqual([unnamed.code, unnamed.stderr.includes("1 to 63")], [2, true]);
    assert.equal((await mesh.run("exec", "--name", "x", "-w", "n1", "true")).code, 2);
    assert.equal((await mesh.run("exec", "--bg", "-b", "-w", "n1", "true")).code, 2);
  });

  // The node that was down was passed over: exit code 0, and not a word.
  await step(
    "a node that was to run it and is down is told, and the exit code says so",
    async () => {
      const open = `${mesh.folder}/open`;
      await start("parted", `until [ -e ${open} ]; do sleep 0.02; done`);
      await start("elsewhere", "true", "n[1-2]");
      await mesh.signal("n3", "SIGKILL");
      const isDown = async () =>
        (await mesh.nodes()).some(({ name, state }) => name === "n3" && state === "down");
      while (!await isDown());
      const told = /^minime: n3: unreachable: .*; the job may run on there/m;
      const killed = await mesh.run("kill", "-CONT", "parted");
      assert.deepEqual([killed.code, told.test(killed.stderr)], [1, true], killed.stderr);
      const shown = await mesh.run("logs", "parted");
      assert.deepEqual([shown.code, told.test(shown.stderr)], [1, true], shown.stderr);
      await Deno.writeTextFile(open, "");
      for (const command of ["wait", "attach"]) {
        const { code, stderr } = await mesh.run(command, "parted");
        assert.deepEqual([code, told.test(stderr)], [125, true], stderr);
      }
      assert.equal((await mesh.run("wait", "-w", "n[1-2]", "parted")).code, 0);
      assert.deepEqual(await mesh.run("wait", "elsewhere"), { code: 0, stdout: "", stderr: "" });
    },
  );

  await step("none outlives an orderly end of its daemon", async () => {
    await start("last", "echo $$; sleep 1009 & wait", "n1");
    let pid = "";
    while (pid === "") pid = (await mesh.must("logs", "-N", "-w", "n1", "last")).trim();
    await mesh.run("halt");
    await until(() => !lives(Number(pid)), "it has ended");
  });
});
