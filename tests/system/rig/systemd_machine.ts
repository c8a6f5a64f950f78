/**
 * A machine that systemd runs: a host of a rig which boots the system's own systemd as process 1 of
 * namespaces of its own, with a control group of its own. It can reboot; its /etc, /var, /root and
 * /usr/local stay. Programs started by {@link SystemdMachine.run} are as those of a login of root.
 */

import type { Host } from "./host.ts";
import type { Process, RunOptions, RunResult } from "./process.ts";
import { until } from "./wait.ts";

const SCRIPT = new URL("systemd_machine.sh", import.meta.url);
const INIT = "/lib/systemd/systemd";
const LOGIN_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** A locked account is let in by no key. sshd leaves for the background before it listens. */
const SSHD = `set -eu
sed -i 's/^root:[^:]*:/root:*:/' /etc/shadow
mkdir -p /run/sshd
/usr/sbin/sshd -f /etc/rig/sshd_config -E /var/log/sshd.log
while [ ! -s /run/sshd.pid ]; do sleep 0.01; done
`;

/** What this machine lacks besides what a rig needs, in words. */
export function systemdRequirements(): string[] {
  const missing: string[] = [];
  try {
    Deno.statSync(INIT);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    missing.push("systemd");
  }
  const { success } = new Deno.Command("unshare", {
    args: ["--cgroup", "--mount", "mount", "-t", "cgroup2", "cgroup2", "/mnt"],
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).outputSync();
  if (!success) missing.push("the right to use control groups of version 2");
  return missing;
}

/** Disposing cuts its power. */
export class SystemdMachine implements AsyncDisposable {
  readonly host: Host;
  readonly #process: Process;
  readonly #said: string[] = [];
  readonly #errors: string[] = [];
  readonly #reading: Promise<unknown>;
  #isOff = false;

  private constructor(host: Host, process: Process) {
    this.host = host;
    this.#process = process;
    void process.status.then(() => this.#isOff = true);
    this.#reading = Promise.all([
      gather(process.stdout, this.#said),
      gather(process.stderr, this.#errors),
    ]);
  }

  /** Resolves when everything that starts with it has been started. */
  static async boot(host: Host): Promise<SystemdMachine> {
    const script = `${host.folder}/systemd_machine.sh`;
    await Deno.copyFile(SCRIPT, script);
    const folder = `${host.folder}/machine`;
    const argv = ["unshare", "--cgroup", "--mount", "bash", script, folder, host.name];
    const machine = new SystemdMachine(host, host.spawn(argv));
    try {
      await machine.booted(1);
      return machine;
    } catch (error) {
      await machine[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Resolves when it is up for the `nth` time. */
  async booted(nth: number): Promise<void> {
    await until(`machine "${this.host.name}" is up for the ${nth}. time`, async () => {
      if (this.#isOff) {
        await this.#reading;
        throw new Error(`It is off: ${[...this.#said, ...this.#errors].join("")}`);
      }
      if (this.#lines().length < nth) return false;
      const { stdout } = await this.run(["systemctl", "is-system-running"]);
      // Degraded: something of this distribution does not like to be where there are no devices.
      return ["running", "degraded"].includes(stdout.trim());
    });
  }

  /** Where the test finds a path of it: below /etc, /var and /root. */
  path(path: string): string {
    return `${this.host.folder}/machine${path.replace(/^\/usr\/local\//, "/local/")}`;
  }

  /** The exit code is the caller's to judge. */
  run(argv: readonly string[], options: RunOptions = {}): Promise<RunResult> {
    return this.host.run(this.#inside(argv), { ...options, cwd: "/" });
  }

  /** As {@link run}; rejects unless the program exits with 0. Resolves to its stdout. */
  must(argv: readonly string[]): Promise<string> {
    return this.host.must(this.#inside(argv), { cwd: "/" });
  }

  /** From now on ssh to the host leads to root's logins here; a reboot ends that. */
  async takeLogins(): Promise<void> {
    const { folder } = this.host;
    const rig = folder.slice(0, folder.lastIndexOf("/"));
    await this.host.stopSshd();
    const etc = this.path("/etc/rig");
    await Deno.mkdir(etc);
    await Deno.copyFile(`${folder}/host_key`, `${etc}/host_key`);
    await Deno.chmod(`${etc}/host_key`, 0o600);
    await Deno.copyFile(`${rig}/authorized/root`, `${etc}/root`);
    const config = await Deno.readTextFile(`${folder}/sshd_config`);
    const here = config.replace(`${folder}/host_key`, "/etc/rig/host_key")
      .replace(`${rig}/authorized/`, "/etc/rig/");
    await Deno.writeTextFile(`${etc}/sshd_config`, here);
    await this.must(["sh", "-c", SSHD]);
  }

  #inside(argv: readonly string[]): string[] {
    const [, init = "none"] = this.#lines().at(-1)?.split(" ") ?? [];
    return [
      ...["nsenter", "-t", init, "--mount", "--uts", "--ipc", "--pid", "--cgroup", "--"],
      ...["env", `PATH=${LOGIN_PATH}`, "TERM=dumb", "NO_COLOR=1", ...argv],
    ];
  }

  #lines(): string[] {
    return this.#said.join("").split("\n").slice(0, -1);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const [, init] = this.#lines().at(-1)?.split(" ") ?? [];
    // Its end lets the script take the control groups down.
    if (!this.#isOff && init !== undefined) await this.host.run(["kill", "-s", "KILL", init]);
    else await this.#process[Symbol.asyncDispose]();
    await Promise.all([this.#process.status, this.#reading]);
    await this.#process[Symbol.asyncDispose]();
  }
}

async function gather(stream: ReadableStream<Uint8Array>, into: string[]): Promise<void> {
  const decoder = new TextDecoder();
  for await (const bytes of stream) into.push(decoder.decode(bytes, { stream: true }));
}
