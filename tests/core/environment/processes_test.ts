/** Processes and facts about the host: what both environments do, then the real one's children. */
import assert from "node:assert/strict";
import type { Child } from "../../../core/environment/environment.ts";
import { playReal, type Stage, STAGES } from "./stages.ts";

/** Above every pid_max. */
const NO_PID = 2 ** 30;

for (const [name, play] of STAGES) {
  const test = (text: string, scenario: (stage: Stage) => Promise<void>) =>
    Deno.test(`${name} processes: ${text}`, () => play(scenario));

  test("answer whether a process is there", ({ environment: { processes } }) => {
    assert.equal(processes.signal(processes.pid, "0"), true);
    assert.equal(processes.signal(NO_PID, "0"), false);
    assert.equal(processes.signal(NO_PID, "SIGTERM"), false);
    assert.equal(processes.signal(-NO_PID, "0"), false);
    assert.equal(processes.signal(-NO_PID, "SIGTERM"), false);
    return Promise.resolve();
  });

  test("call every handler of a signal until it is disposed", async ({ environment }) => {
    const { clock, processes } = environment;
    const calls: string[] = [];
    const one = processes.onSignal("SIGHUP", () => calls.push("one"));
    const other = processes.onSignal("SIGHUP", () => calls.push("other"));
    // A listener alone keeps no process alive, so wait by timers.
    processes.signal(processes.pid, "SIGHUP");
    while (calls.length < 2) await clock.sleep(2);
    one[Symbol.dispose]();
    processes.signal(processes.pid, "SIGHUP");
    while (calls.length < 3) await clock.sleep(2);
    other[Symbol.dispose]();
    assert.deepEqual(calls.sort(), ["one", "other", "other"]);
  });

  test("say that a program is missing", async ({ environment: { processes } }) => {
    await assert.rejects(processes.spawn("no-such-program"), {
      name: "NotFoundError",
      message: 'Could not start "no-such-program": there is no such program',
    });
  });

  test("say how to start this program again", ({ environment: { processes } }) => {
    assert.match(processes.self[0]!, /^\//);
    assert.equal(processes.variable("NO_SUCH_VARIABLE_HERE"), undefined);
    return Promise.resolve();
  });

  Deno.test(`${name} host: tells plausible facts`, () =>
    play(async ({ environment: { host, clock } }) => {
      const facts = await host();
      assert.notEqual(facts.name, "");
      assert.match(facts.architecture, /^(x86_64|aarch64)$/);
      assert.ok(Number.isInteger(facts.cores) && facts.cores > 0);
      assert.ok(facts.booted < clock.now());
      assert.equal((await host()).booted, facts.booted);
      assert.ok(facts.load.every((load) => load >= 0));
      assert.ok(facts.memory.freeBytes > 0);
      assert.ok(facts.memory.freeBytes <= facts.memory.totalBytes);
      assert.ok(facts.users === undefined || facts.users >= 0);
      assert.ok(facts.process.residentBytes > 0);
      assert.ok(facts.process.cpuMs >= 0);
    }));
}

function real(text: string, scenario: (stage: Stage) => Promise<void>): void {
  Deno.test(`real processes: ${text}`, () => playReal(scenario));
}

real("run a child with arguments, input, output, folder and variables", async (stage) => {
  const { environment: { processes }, folder } = stage;
  const child = await processes.spawn("/bin/sh", {
    args: ["-c", 'cat; pwd; echo "$1 $WHO" >&2; exit 7', "sh", "a  b"],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
    folder,
    environment: { WHO: "me" },
    clearEnvironment: true,
  });
  const writer = child.stdin!.getWriter();
  await writer.write(new TextEncoder().encode("input\n"));
  await writer.close();
  const [output, errors, status] = await Promise.all([
    new Response(child.stdout as BodyInit).text(),
    new Response(child.stderr as BodyInit).text(),
    child.status,
  ]);
  assert.equal(output, `input\n${await Deno.realPath(folder)}\n`);
  assert.equal(errors, "a  b me\n");
  assert.deepEqual(status, { code: 7, signal: undefined });
});

real("give no streams that were not asked for", async ({ environment: { processes } }) => {
  const child = await processes.spawn("true");
  assert.deepEqual([child.stdin, child.stdout, child.stderr], [undefined, undefined, undefined]);
  await child.status;
});

real("tell the signal that ended a child", async ({ environment: { processes } }) => {
  const child = await processes.spawn("sleep", { args: ["60"] });
  child.kill("SIGTERM");
  assert.deepEqual(await child.status, { code: 143, signal: "SIGTERM" });
  child.kill("SIGTERM");
});

Deno.test({
  name: "real processes: tell the number of a real-time signal that ended a child",
  // The runtime throws where it should give the status, and keeps its record of the child.
  sanitizeResources: false,
  fn: () =>
    playReal(async ({ environment: { processes } }) => {
      const child = await processes.spawn("sh", { args: ["-c", "kill -40 $$"] });
      assert.deepEqual(await child.status, { code: 168, signal: "SIG40" });
    }),
});

real("signal a whole group, and see when nothing of it is left", async (stage) => {
  const { processes, clock } = stage.environment;
  const child = await processes.spawn("sh", {
    args: ["-c", "sleep 60 & echo $!; exec sleep 60"],
    stdout: "piped",
    detached: true,
  });
  const other = Number(await firstLine(child));
  assert.equal(processes.signal(-child.pid, "0"), true);
  child.kill("SIGTERM");
  await child.status;
  assert.equal(processes.signal(-child.pid, "SIGKILL"), true);
  while (processes.signal(other, "0")) await clock.sleep(5);
});

real("tell all variables that are text", async ({ environment: { processes } }) => {
  const { HOME, PATH } = Deno.env.toObject();
  assert.deepEqual([processes.variables().HOME, processes.variables().PATH], [HOME, PATH]);
  const script = new URL("variables_program.ts", import.meta.url).pathname;
  const child = await processes.spawn("sh", {
    args: ["-c", 'BAD=$(printf "\\377") exec "$@"', "sh", Deno.execPath(), "run", "-A", script],
    environment: { EMPTY: "", EQUAL: "a=b", LINE: "c\nd" },
    stdout: "piped",
  });
  const text = await new Response(child.stdout as BodyInit).text();
  await child.status;
  assert.equal(text, '["","a=b","c\\nd",null,["BAD"]]\n');
});

real("take more at once through pipes that were widened", async ({ environment }) => {
  const { processes } = environment;
  const script = new URL("pipes_program.ts", import.meta.url).pathname;
  const child = await processes.spawn(Deno.execPath(), {
    args: ["run", "-A", script],
    stdin: "piped",
    stdout: "piped",
  });
  assert.equal(await firstLine(child), "wide");
  const writer = (child.stdin as WritableStream<Uint8Array>).getWriter();
  // It would never be taken otherwise, since nobody reads.
  await writer.write(new Uint8Array(900_000));
  child.kill("SIGKILL");
  await child.status;
  await writer.close().catch(() => {
    // Its reader is gone.
  });
});

// They reached programs of other users: a log that root alone may write, and locks for ever.
real("let go of files that were open in whoever started us", async ({ environment }) => {
  const script = new URL("inherited_program.ts", import.meta.url).pathname;
  const child = await environment.processes.spawn("/bin/bash", {
    args: [
      "-c",
      'exec 7>/dev/full 9</dev/full 123>/dev/full; exec "$@"',
      "bash",
      ...[Deno.execPath(), "run", "-A", script, "/dev/full"],
    ],
    stdout: "piped",
  });
  assert.equal(await firstLine(child), "0 0");
  await child.status;
});

real("see a child that ended as gone, also before its parent has reaped it", async (stage) => {
  const { processes, clock } = stage.environment;
  // The shell becomes a program that never reaps, with a child that ends at once.
  const child = await processes.spawn("sh", {
    args: ["-c", "sleep 0.1 & echo $!; exec sleep 60"],
    stdout: "piped",
  });
  const zombie = Number(await firstLine(child));
  while (processes.signal(zombie, "0")) await clock.sleep(5);
  assert.match(await Deno.readTextFile(`/proc/${zombie}/stat`), /\) Z /);
  child.kill("SIGKILL");
  await child.status;
});

real("start a detached child in a session of its own", async ({ environment: { processes } }) => {
  const session = async (detached: boolean) => {
    const child = await processes.spawn("cat", {
      args: ["/proc/self/stat"],
      stdout: "piped",
      detached,
    });
    const stat = await new Response(child.stdout as BodyInit).text();
    await child.status;
    return { pid: child.pid, session: Number(stat.split(" ")[5]) };
  };
  const attached = await session(false);
  assert.notEqual(attached.session, attached.pid);
  const detached = await session(true);
  assert.equal(detached.session, detached.pid);
});

real("say why a program cannot be started", async ({ environment: { processes }, folder }) => {
  await assert.rejects(processes.spawn(folder), {
    name: "FileError",
    reason: "denied",
    message: `Could not start "${folder}": permission denied`,
  });
  await assert.rejects(processes.spawn("true", { folder: `${folder}/none` }), {
    name: "NotFoundError",
    message: `Could not start "true": there is no folder "${folder}/none"`,
  });
});

real("know no executable of their own when run from source", ({ environment: { processes } }) => {
  assert.equal(processes.executable, undefined);
  assert.equal(processes.self[0], Deno.execPath());
  assert.deepEqual(processes.self.slice(1, 3), ["run", "-A"]);
  const main = new URL("../../../main.ts", import.meta.url).pathname;
  assert.equal(processes.self[3], main);
  return Promise.resolve();
});

async function firstLine(child: Child): Promise<string> {
  let text = "";
  for await (const chunk of child.stdout!) {
    text += new TextDecoder().decode(chunk);
    if (text.includes("\n")) break;
  }
  return text.slice(0, text.indexOf("\n"));
}
