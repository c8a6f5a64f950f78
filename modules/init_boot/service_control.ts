/** Enables, disables and asks the service of a node, by the programs of whichever manager there is. */

import { type Environment, MinimeError, NotFoundError } from "../../core/mod.ts";
import { runProgram } from "./run_program.ts";
import { isSystemdRunning, type ServiceKind, serviceName, servicePath } from "./service_kind.ts";

/** Programs that make links in /etc/rc?.d, with what turns a service on and off. */
const LINKERS = [
  { program: "update-rc.d", on: ["defaults"], off: ["remove"], nameFirst: true },
  { program: "chkconfig", on: ["--add"], off: ["--del"], nameFirst: false },
] as const;

/** Makes a service run: by itself, anew, or with its files read again. It runs before and after, if it can. */
export type ServiceStart = "start" | "restart" | "reload";

/** How a service is. */
export interface ServiceState {
  readonly installed: boolean;
  /** It starts with the machine; undefined where nobody can tell. */
  readonly enabled: boolean | undefined;
  readonly running: boolean;
  /** What the manager says of it. */
  readonly text: string;
}

/** Of one node on one machine. */
export class ServiceControl {
  readonly #env: Environment;
  readonly #kind: ServiceKind;
  readonly #mesh: string;
  readonly #root: string;

  constructor(
    env: Environment,
    options: { readonly kind: ServiceKind; readonly mesh: string; readonly root: string },
  ) {
    this.#env = env;
    this.#kind = options.kind;
    this.#mesh = options.mesh;
    this.#root = options.root;
  }

  get name(): string {
    return serviceName(this.#mesh);
  }

  get path(): string {
    return this.#root + servicePath(this.#kind, this.#mesh);
  }

  /** @throws MinimeError when we are not root: services of a machine are root's */
  requireRights(): Promise<void> {
    if (this.#root !== "" || this.#env.processes.uid === 0) return Promise.resolve();
    return Promise.reject(
      new MinimeError("Only root may change the services of a machine: run it as root, or by sudo"),
    );
  }

  /** From now on it starts with the machine, and runs now. */
  async enable(how: ServiceStart): Promise<string[]> {
    if (this.#kind === "systemd") return await this.#enableUnit(how);
    const lines = [await this.#link("on")];
    if (this.#root !== "") return lines;
    const started = await this.#must(this.path, [how === "restart" ? how : "start"]);
    if (how === "reload") await this.#must(this.path, ["reload"]);
    return [...lines, started];
  }

  /** It runs no more, and does not start with the machine. */
  async disable(): Promise<string[]> {
    if (this.#kind === "systemd") {
      if (this.#root !== "" || !await isSystemdRunning(this.#env)) {
        await this.#systemctl(...this.#rootWords(), "disable", this.name);
        return [`${this.name} is disabled`];
      }
      await this.#systemctl("disable", "--now", this.name);
      return [`${this.name} is stopped and disabled`];
    }
    const stopped = this.#root === "" ? [await this.#must(this.path, ["stop"])] : [];
    return [...stopped, await this.#link("off")];
  }

  /** After its file was removed. */
  async forget(): Promise<void> {
    if (this.#kind !== "systemd" || this.#root !== "" || !await isSystemdRunning(this.#env)) return;
    await this.#systemctl("daemon-reload");
    // What failed before it was removed would be shown for ever.
    await runProgram(this.#env, "systemctl", ["reset-failed", this.name]);
  }

  async state(): Promise<ServiceState> {
    const installed = await this.#env.files.facts(this.path) !== undefined;
    if (!installed) return { installed, enabled: false, running: false, text: "not installed" };
    if (this.#root !== "") {
      return { installed, enabled: undefined, running: false, text: "installed, and not of here" };
    }
    if (this.#kind === "sysv") {
      const { code, stdout, stderr } = await runProgram(this.#env, this.path, ["status"]);
      const text = (stdout + stderr).trim();
      return { installed, enabled: undefined, running: code === 0, text };
    }
    if (!await isSystemdRunning(this.#env)) {
      return { installed, enabled: undefined, running: false, text: "systemd does not run here" };
    }
    const enabled = await runProgram(this.#env, "systemctl", ["is-enabled", this.name]);
    const facts = await this.#show();
    const [active = "unknown", sub = "", status = ""] = ["ActiveState", "SubState", "StatusText"]
      .map((key) => facts.get(key));
    const text = `${active} (${sub})${status === "" ? "" : `: ${status}`}`;
    return { installed, enabled: enabled.code === 0, running: active === "active", text };
  }

  async #enableUnit(how: ServiceStart): Promise<string[]> {
    if (this.#root !== "" || !await isSystemdRunning(this.#env)) {
      await this.#systemctl(...this.#rootWords(), "enable", this.name);
      return [`${this.name} is enabled: it starts with the machine`];
    }
    await this.#systemctl("daemon-reload");
    await this.#systemctl("enable", this.name);
    try {
      await this.#systemctl(how === "restart" ? how : "start", this.name);
      if (how === "reload") await this.#systemctl("reload", this.name);
    } catch (cause) {
      const why = (await this.#show()).get("StatusText") || "it does not say why";
      throw new MinimeError(
        `${this.name} is installed and does not start: ${why}; more in: journalctl -u ${this.name}`,
        { cause },
      );
    }
    return [`${this.name} runs, and starts with the machine`];
  }

  /** What systemd knows of it, by property. */
  async #show(): Promise<ReadonlyMap<string, string>> {
    const { stdout } = await runProgram(this.#env, "systemctl", [
      "show",
      "--property=ActiveState,SubState,StatusText",
      this.name,
    ]);
    return new Map(
      stdout.trim().split("\n").map((line) => line.split(/=(.*)/s).slice(0, 2) as [string, string]),
    );
  }

  #rootWords(): string[] {
    return this.#root === "" ? [] : ["--root", this.#root];
  }

  async #systemctl(...args: readonly string[]): Promise<void> {
    await this.#must("systemctl", args);
  }

  /** Links in /etc/rc?.d, by the distribution's own program. */
  async #link(what: "on" | "off"): Promise<string> {
    const done = what === "on" ? "starts with the machine" : "no longer starts with the machine";
    const programs = LINKERS.map(({ program }) => program).join(" or ");
    if (this.#root !== "") {
      return `${this.name}: run ${programs} there, or make links in /etc/rc?.d, to turn it ${what}`;
    }
    for (const linker of LINKERS) {
      const words = linker[what];
      const args = linker.nameFirst ? [this.name, ...words] : [...words, this.name];
      try {
        await this.#must(linker.program, args);
        return `${this.name} ${done}`;
      } catch (error) {
        if (!(error instanceof NotFoundError)) throw error;
      }
    }
    return `${this.name}: there is no ${programs} here; turn it ${what} by links in /etc/rc?.d`;
  }

  async #must(program: string, args: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await runProgram(this.#env, program, args);
    if (code === 0) return stdout.trim();
    const why = stderr.trim() || stdout.trim() || `exit code ${code}`;
    throw new MinimeError(`"${[program, ...args].join(" ")}" failed: ${why}`);
  }
}
