/** Starts daemons on this machine, from the program that runs already: for demos and tests. */

import { type Environment, hostInUrl } from "../../core/mod.ts";
import { enrolArguments } from "../shared/enrolment.ts";
import type { MeshHost } from "../shared/mesh_file.ts";
import { HostError } from "./host_error.ts";
import type { LaunchedProcess, Launcher, LaunchOptions } from "./launcher.ts";
import { LineProcess } from "./line_process.ts";

interface Needs {
  readonly clock: Environment["clock"];
  readonly processes: Pick<Environment["processes"], "self" | "spawn" | "variable">;
}

export class LocalLauncher implements Launcher {
  readonly #env: Needs;

  constructor(env: Needs) {
    this.#env = env;
  }

  async launch(host: MeshHost, options: LaunchOptions): Promise<LaunchedProcess> {
    options.onStep("starting");
    options.signal.throwIfAborted();
    const [program, ...first] = this.#env.processes.self;
    const { home, address, port } = host;
    const { mesh } = options;
    const listen = host.listen.length > 0 ? host.listen : [`tcp:${hostInUrl(address)}:${port}`];
    const process = await LineProcess.start(this.#env, {
      program: program as string,
      args: [
        ...first,
        "daemon",
        ...enrolArguments({ mesh, name: host.name, listen, detach: true }),
      ],
      ...(home === undefined ? {} : { environment: this.#foldersBelow(home) }),
    });
    return new LocalProcess(process, options.signal);
  }

  /** As the script of boot does on other hosts. */
  #foldersBelow(home: string): Record<string, string> {
    const own = this.#env.processes.variable("HOME") ?? "";
    const base = home.startsWith("/") ? home : `${own}/${home}`;
    return { XDG_STATE_HOME: `${base}/state`, XDG_CACHE_HOME: `${base}/cache` };
  }
}

class LocalProcess implements LaunchedProcess {
  readonly #process: LineProcess;
  readonly #signal: AbortSignal;
  readonly #stop = () => this.kill();

  constructor(process: LineProcess, signal: AbortSignal) {
    this.#process = process;
    this.#signal = signal;
    signal.addEventListener("abort", this.#stop);
    if (signal.aborted) this.kill();
  }

  next(): Promise<string | undefined> {
    return this.#process.next();
  }

  write(line: string): Promise<boolean> {
    return this.#process.write(line);
  }

  async failure(): Promise<HostError> {
    const { code, signal, stderr } = await this.#process.ended;
    this.#signal.throwIfAborted();
    const how = signal ?? `exit code ${code}`;
    const detail = stderr.trim().split("\n").at(-1);
    return new HostError("daemon", `it ended with ${how}`, { detail });
  }

  kill(): void {
    this.#process.kill();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#signal.removeEventListener("abort", this.#stop);
    await this.#process[Symbol.asyncDispose]();
  }
}
