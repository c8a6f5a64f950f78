/**
 * A mesh of daemons on this machine, booted by the program under test with the launcher "local", in
 * a folder of its own. Disposing kills what is left of it: a test may break it as it likes.
 */

import { type Binary, commandOf, ensureBinary } from "../../tools/binary.ts";
import { stateOf } from "../system/rig/process.ts";
import { until } from "./wait.ts";

export interface LocalMeshOptions {
  /** As a nodeset. @default "n[1-4]" */
  readonly nodes?: string;
  /** @default "lab" */
  readonly name?: string;
  /** More of the mesh file: `[groups]`, `[policy]`. */
  readonly more?: string;
  /** @default true */
  readonly boot?: boolean;
  /** The program under test. @default the one that is built, or else the sources */
  readonly binary?: Binary;
}

export interface Result {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Node {
  readonly name: string;
  readonly keyId: string;
  readonly state: string;
  readonly endpoints: string[];
  readonly segment: string;
}

const RUN_MS_MAX = 120_000;

/** The states of a process that has got a signal which nobody can refuse, see {@link stateOf}. */
const SETTLED: ReadonlyMap<Deno.Signal, string> = new Map([["SIGKILL", "-Z"], ["SIGSTOP", "T-"]]);

export class LocalMesh implements AsyncDisposable {
  readonly folder: string;
  readonly name: string;
  readonly #command: readonly string[];

  private constructor(folder: string, name: string, binary: Binary) {
    this.folder = folder;
    this.name = name;
    this.#command = commandOf(binary);
  }

  /** Rejects when boot does not bring up all nodes. */
  static async start(options: LocalMeshOptions = {}): Promise<LocalMesh> {
    const { nodes = "n[1-4]", name = "lab", more = "", boot = true } = options;
    const binary = options.binary ?? await ensureBinary();
    const folder = await Deno.makeTempDir({ prefix: "minime-mesh-" });
    const mesh = new LocalMesh(folder, name, binary);
    await Deno.writeTextFile(
      mesh.file,
      `name = "${name}"\n[[hosts]]\nnames = "${nodes}"\nlauncher = "local"\n${more}`,
    );
    if (!boot) return mesh;
    try {
      await mesh.must("boot", "--hosts", mesh.file);
      return mesh;
    } catch (error) {
      await mesh[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** The mesh file. */
  get file(): string {
    return `${this.folder}/hosts.toml`;
  }

  /** The mesh's home. */
  get home(): string {
    return `${this.folder}/config/minime/${this.name}`;
  }

  /** Of one daemon. */
  stateFolder(node: string): string {
    return `${this.folder}/state/minime/${this.name}/${node}`;
  }

  /** Program and arguments, for who starts it in a way of its own. */
  commandOf(...args: readonly string[]): string[] {
    return [...this.#command, ...args];
  }

  spawn(...args: readonly string[]): Deno.ChildProcess {
    return this.spawnWith({}, ...args);
  }

  /** With other variables. */
  spawnWith(more: Record<string, string>, ...args: readonly string[]): Deno.ChildProcess {
    return this.spawnProgram(this.commandOf(...args), more);
  }

  /** Another program, as if it were ours. */
  spawnProgram(argv: readonly string[], more: Record<string, string>): Deno.ChildProcess {
    const [program = "", ...args] = argv;
    return new Deno.Command(program, {
      args,
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
      env: { ...this.environment, ...more },
    }).spawn();
  }

  get environment(): Record<string, string> {
    return {
      MINIME_MESH: this.name,
      NO_COLOR: "1",
      XDG_CONFIG_HOME: `${this.folder}/config`,
      XDG_STATE_HOME: `${this.folder}/state`,
      XDG_CACHE_HOME: `${this.folder}/cache`,
      XDG_RUNTIME_DIR: "",
      DENO_DIR: Deno.env.get("DENO_DIR") ?? `${Deno.env.get("HOME") ?? "/root"}/.cache/deno`,
    };
  }

  async run(...args: readonly string[]): Promise<Result> {
    return await this.runWith({}, ...args);
  }

  /** With other variables. */
  async runWith(more: Record<string, string>, ...args: readonly string[]): Promise<Result> {
    const child = this.spawnWith(more, ...args);
    const timer = setTimeout(() => child.kill("SIGKILL"), RUN_MS_MAX);
    const { code, stdout, stderr } = await child.output();
    clearTimeout(timer);
    const decoder = new TextDecoder();
    return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
  }

  /** Resolves to stdout; rejects unless the exit code is 0. */
  async must(...args: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await this.run(...args);
    if (code === 0) return stdout;
    throw new Error(`minime ${args.join(" ")} ended with exit code ${code}:\n${stdout}${stderr}`);
  }

  async json(...args: readonly string[]): Promise<unknown> {
    return JSON.parse(await this.must(...args, "--json"));
  }

  async nodes(): Promise<Node[]> {
    const { nodes } = await this.json("nodes") as { nodes: Node[] };
    return nodes;
  }

  /** The process that the node's pid file names; undefined when there is none. */
  async pidOf(node: string): Promise<number | undefined> {
    try {
      return Number((await Deno.readTextFile(`${this.stateFolder(node)}/pid`)).split(" ")[0]);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return undefined;
      throw error;
    }
  }

  /** Resolves when the kernel has ended or stopped the process, where that is what the signal does. */
  async signal(node: string, signal: Deno.Signal): Promise<void> {
    const pid = await this.pidOf(node);
    if (pid === undefined) throw new Error(`Node "${node}" does not run`);
    Deno.kill(pid, signal);
    const wanted = SETTLED.get(signal);
    if (wanted !== undefined) {
      await until(() => wanted.includes(stateOf(pid)), `"${node}" has got ${signal}`);
    }
  }

  /** Pids of all living processes that were started in this mesh's folder. */
  processes(): number[] {
    const found: number[] = [];
    for (const { name } of Deno.readDirSync("/proc")) {
      if (!/^\d+$/.test(name) || Number(name) === Deno.pid) continue;
      try {
        const environment = Deno.readTextFileSync(`/proc/${name}/environ`);
        if (environment.includes(this.folder)) found.push(Number(name));
      } catch {
        // Gone meanwhile, or somebody else's.
      }
    }
    return found;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    while (this.processes().length > 0) {
      for (const pid of this.processes()) {
        try {
          Deno.kill(pid, "SIGKILL");
        } catch (error) {
          if (!(error instanceof Deno.errors.NotFound)) throw error;
        }
      }
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    await Deno.remove(this.folder, { recursive: true });
  }
}
