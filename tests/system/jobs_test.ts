/** Background jobs and the death of what started them: daemons that restart, crash and never come back. */

import assert from "node:assert/strict";
import { type Daemon, InstalledMesh } from "../support/installed_mesh.ts";
import { LocalMesh } from "../support/local_mesh.ts";
import { until } from "../support/wait.ts";
import { lives } from "../modules/exec/scene.ts";

/** What the job has written as its first line: the pid of its shell, in the background of its client. */
async function pidOfJob(mesh: LocalMesh, job: string): Promise<number> {
  for (;;) {
    const line = (await mesh.must("logs", "-N", "-w", "n1", job)).split("\n")[0] ?? "";
    if (line !== "") return Number(line);
  }
}

async function holderOf(mesh: LocalMesh): Promise<number> {
  return Number((await Deno.readTextFile(`${mesh.stateFolder("n1")}/jobs.pid`)).split(" ")[0]);
}

async function viewOf(mesh: LocalMesh, job: string): Promise<Record<string, unknown> | undefined> {
  const { jobs } = await mesh.json("jobs", "-w", "n1") as { jobs: Record<string, unknown>[] };
  return jobs.find((view) => view.job === job);
}

Deno.test("jobs: survive restart and crash of their daemon, and end when it goes for good", async (t) => {
  await using installed = await InstalledMesh.prepare({ nodes: ["n1"] });
  const mesh = installed.local;
  const gate = `${mesh.folder}/gate`;
  const start = (name: string, line: string) =>
    mesh.must("exec", "--bg", "--name", name, "-w", "n1", "-s", line);
  let daemon: Daemon = installed.start("n1");
  await installed.settled("n1");
  const again = async (signal: Deno.Signal) => {
    daemon.kill(signal);
    await daemon.status;
    daemon = installed.start("n1");
    await installed.settled("n1");
  };
  await start("build", `echo $$; until [ -e ${gate} ]; do sleep 0.02; done; echo done; exit 7`);
  const pid = await pidOfJob(mesh, "build");
  const holder = await holderOf(mesh);

  const step = (name: string, run: () => Promise<void>) => t.step(name, run);

  await step("SIGTERM and a new daemon: it runs on, and its old output is there", async () => {
    await again("SIGTERM");
    assert.deepEqual([lives(pid), await holderOf(mesh)], [true, holder]);
    assert.equal(await mesh.must("logs", "-N", "-w", "n1", "build"), `${pid}\n`);
  });

  await step("SIGKILL and a new daemon: followed to its end, with its exit code", async () => {
    await again("SIGKILL");
    assert.deepEqual([lives(pid), await holderOf(mesh)], [true, holder]);
    const attached = mesh.run("attach", "-w", "n1", "build");
    await Deno.writeTextFile(gate, "");
    const { code, stdout } = await attached;
    assert.deepEqual([code, stdout], [7, `n1: ${pid}\nn1: done\n`]);
  });

  await step("its result outlives the next daemon too", async () => {
    await again("SIGKILL");
    assert.equal((await mesh.run("wait", "-w", "n1", "build")).code, 7);
  });

  await step("the holder is killed: what ran ends, and is told as lost", async () => {
    await start("victim", "echo $$; sleep 1011 & wait");
    const victim = await pidOfJob(mesh, "victim");
    const waiting = mesh.run("wait", "-w", "n1", "victim");
    Deno.kill(holder, "SIGKILL");
    await until(() => !lives(victim), "the job has ended with its holder");
    const { code, stderr } = await waiting;
    assert.equal(code, 125, stderr + daemon.lines.join("\n"));
    assert.match(stderr, /^minime: n1: Lost: the process that held it has died/);
    assert.deepEqual((await viewOf(mesh, "build"))?.end, { code: 7 });
    // Its name is free again.
    await start("victim", "exit 3");
    assert.equal((await mesh.run("wait", "-w", "n1", "victim")).code, 3);
  });

  await step("halt ends jobs, holder and daemon", async () => {
    await start("last", "echo $$; sleep 1012 & wait");
    const last = await pidOfJob(mesh, "last");
    assert.equal((await mesh.run("halt")).code, 0);
    assert.equal(lives(last), false);
    assert.deepEqual(mesh.processes(), []);
    const left = [...Deno.readDirSync(mesh.stateFolder("n1"))].map(({ name }) => name).sort();
    assert.deepEqual(left, ["audit", "incarnation", "journal"]);
  });
});

Deno.test("jobs: of a daemon that was killed are found by the one that replaces it, or wiped", async () => {
  await using mesh = await LocalMesh.start({ nodes: "n1" });
  const start = (name: string) =>
    mesh.must("exec", "--bg", "--name", name, "-w", "n1", "-s", "echo $$; sleep 1013 & wait");
  await start("orphan");
  const orphan = await pidOfJob(mesh, "orphan");
  await mesh.signal("n1", "SIGKILL");
  await mesh.must("boot", "--hosts", mesh.file);
  assert.equal(await pidOfJob(mesh, "orphan"), orphan);
  await mesh.must("kill", "-9", "orphan");
  assert.equal((await mesh.run("wait", "orphan")).code, 137);
  await start("orphan");
  const next = await pidOfJob(mesh, "orphan");
  await mesh.signal("n1", "SIGKILL");
  assert.equal(lives(next), true);
  await mesh.must("wipe", "--hosts", mesh.file);
  await until(() => !lives(next), "the job has ended");
  assert.deepEqual(mesh.processes(), []);
});
