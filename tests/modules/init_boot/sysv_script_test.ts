import assert from "node:assert/strict";
import { until } from "../../support/wait.ts";
import { sysvScript } from "../../../modules/init_boot/sysv_script.ts";

/** Stands for the daemon: does what a daemon of this kind does with its pid file. */
const FAKE = `#!/bin/sh
while [ $# -gt 0 ]; do case $1 in --pid-file) pidfile=$2 ;; --config) config=$2 ;; esac; shift; done
case $(cat "$config") in
  broken) echo "minime: The file is wrong" >&2; exit 2 ;;
  stubborn) trap '' TERM ;;
  waiting) echo 'Waiting for "reg"' >"$pidfile.waiting" ;;
esac
echo $$ >"$pidfile"
while :; do sleep 0.05; done
`;

/** A zombie has no command line. */
function isGone(pid: number): boolean {
  try {
    return Deno.readTextFileSync(`/proc/${pid}/cmdline`) === "";
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return true;
    throw error;
  }
}

class Machine implements AsyncDisposable {
  readonly folder = Deno.makeTempDirSync({ prefix: "minime-test-" });
  readonly script: string;
  readonly pidFile: string;

  /** `stopSeconds`: how long the script waits for the daemon to stop. */
  constructor(config = "fine", stopSeconds = 30) {
    this.script = `${this.folder}/minime-lab`;
    this.pidFile = `${this.folder}/minime-lab.pid`;
    Deno.writeTextFileSync(`${this.folder}/program`, FAKE, { mode: 0o755 });
    Deno.writeTextFileSync(`${this.folder}/mesh.toml`, config);
    const text = sysvScript({
      mesh: "lab",
      config: `${this.folder}/mesh.toml`,
      command: [`${this.folder}/program`, "daemon", "--config", `${this.folder}/mesh.toml`],
    });
    // A machine of its own: only where files lie is different.
    Deno.writeTextFileSync(
      this.script,
      text.replaceAll("=/run/", `=${this.folder}/`).replaceAll("=/var/log/", `=${this.folder}/`)
        .replace("stop_max=30", `stop_max=${stopSeconds}`),
      { mode: 0o755 },
    );
  }

  async run(...words: readonly string[]): Promise<[code: number, text: string]> {
    const { code, stdout, stderr } = await new Deno.Command(this.script, { args: [...words] })
      .output();
    const decoder = new TextDecoder();
    return [code, (decoder.decode(stdout) + decoder.decode(stderr)).trim()];
  }

  pid(): number {
    return Number(Deno.readTextFileSync(this.pidFile));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.run("stop");
    await Deno.remove(this.folder, { recursive: true });
  }
}

const ignore = Deno.uid() !== 0;

Deno.test({
  name: "sysv script: start, status, restart and stop, as often as one likes",
  ignore,
  async fn() {
    await using machine = new Machine();
    assert.deepEqual(await machine.run("status"), [3, "minime-lab does not run"]);
    assert.deepEqual(await machine.run("stop"), [0, "minime-lab does not run"]);
    const [code, text] = await machine.run("start");
    const pid = machine.pid();
    assert.deepEqual([code, text], [0, `minime-lab runs, as process ${pid}`]);
    assert.deepEqual(await machine.run("status"), [0, `minime-lab runs, as process ${pid}`]);
    const already = [0, `minime-lab runs already, as process ${pid}`];
    assert.deepEqual(await machine.run("start"), already);
    const [restarted] = await machine.run("restart");
    assert.deepEqual([restarted, machine.pid() === pid], [0, false]);
    assert.deepEqual(await machine.run("stop"), [0, "minime-lab is stopped"]);
    assert.deepEqual(await machine.run("try-restart"), [0, ""]);
    assert.deepEqual(await machine.run("reload"), [7, "minime-lab does not run"]);
    assert.equal((await machine.run("force-reload"))[0], 0);
    const last = machine.pid();
    assert.equal((await machine.run("try-restart"))[0], 0);
    assert.notEqual(machine.pid(), last);
  },
});

Deno.test({
  name: "sysv script: what died is known as dead, and no stranger is ever signalled",
  ignore,
  async fn() {
    await using machine = new Machine();
    await machine.run("start");
    const died = machine.pid();
    Deno.kill(died, "SIGKILL");
    await until(() => isGone(died), "the process is gone");
    assert.deepEqual(await machine.run("status"), [
      1,
      `minime-lab is dead, and its pid file is there: ${machine.pidFile}`,
    ]);
    // The number belongs to somebody else by now: to us.
    await Deno.writeTextFile(machine.pidFile, `${Deno.pid}\n`);
    assert.equal((await machine.run("status"))[0], 1);
    assert.deepEqual(await machine.run("stop"), [0, "minime-lab does not run"]);
    for (const nonsense of ["", "-1", "1; rm"]) {
      await Deno.writeTextFile(machine.pidFile, nonsense);
      assert.equal((await machine.run("status"))[0], 1, nonsense);
    }
    assert.equal((await machine.run("start"))[0], 0);
  },
});

Deno.test({
  name: "sysv script: why it does not start is said, with the exit codes of the LSB",
  ignore,
  async fn() {
    await using machine = new Machine("broken");
    assert.deepEqual(await machine.run("start"), [
      1,
      "minime-lab does not start:\nminime: The file is wrong",
    ]);
    await Deno.remove(`${machine.folder}/mesh.toml`);
    const noFile = `minime-lab: there is no mesh file ${machine.folder}/mesh.toml`;
    assert.deepEqual(await machine.run("start"), [6, noFile]);
    await Deno.remove(`${machine.folder}/program`);
    const noProgram = `minime-lab: there is no program ${machine.folder}/program`;
    assert.deepEqual(await machine.run("start"), [5, noProgram]);
    const usage = /^Usage: .* start\|stop\|restart\|try-restart\|reload\|force-reload\|status$/;
    for (const words of [[], ["nonsense"]]) {
      const [code, text] = await machine.run(...words);
      assert.equal(code, 2);
      assert.match(text, usage);
    }
  },
});

Deno.test({
  name: "sysv script: one that waits before it can run has started, and it is said for what",
  ignore,
  async fn() {
    await using machine = new Machine("waiting");
    const [code, text] = await machine.run("start");
    const what = `as process ${machine.pid()}: Waiting for "reg"`;
    assert.deepEqual([code, text], [0, `minime-lab runs, ${what}`]);
    assert.deepEqual(await machine.run("status"), [0, `minime-lab runs, ${what}`]);
    assert.deepEqual(await machine.run("start"), [0, `minime-lab runs already, ${what}`]);
    await Deno.remove(`${machine.pidFile}.waiting`);
    assert.deepEqual(await machine.run("status"), [0, `minime-lab runs, ${what.split(":")[0]}`]);
  },
});

Deno.test({
  name: "sysv script: one that does not stop is killed in the end",
  ignore,
  async fn() {
    await using machine = new Machine("stubborn", 1);
    await machine.run("start");
    assert.deepEqual(await machine.run("stop"), [
      0,
      "minime-lab was killed: it did not stop within 1 seconds",
    ]);
    assert.equal((await machine.run("status"))[0], 3);
  },
});

Deno.test("sysv script: is one for every POSIX shell, and says who it is to the LSB", async () => {
  const text = sysvScript({
    mesh: "lab",
    config: "/etc/it's/mesh.toml",
    command: ["/usr/bin/minime", "daemon", "--config", "/etc/it's/mesh.toml"],
  });
  assert.match(text, /^# Provides: +minime-lab$/m);
  assert.match(text, /^config='\/etc\/it'\\''s\/mesh\.toml'$/m);
  const path = await Deno.makeTempFile();
  await Deno.writeTextFile(path, text);
  const { code, stderr } = await new Deno.Command("sh", { args: ["-n", path] }).output();
  await Deno.remove(path);
  assert.deepEqual([code, new TextDecoder().decode(stderr)], [0, ""]);
});
