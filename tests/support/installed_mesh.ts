/**
 * A mesh of nodes that start with their machine, on this one: keys made and given out by the program
 * under test, each node a process of `minime daemon --config` with ports of its own on loopback.
 */

import { until } from "../system/rig/wait.ts";
import type { Binary } from "../../tools/binary.ts";
import { LocalMesh } from "./local_mesh.ts";

/** Servers of the machine mostly have lower ones. */
const FIRST_PORT = 12_000;

export interface InstalledMeshOptions {
  readonly nodes: readonly string[];
  /** More keys of a host: `groups = ["registrar"]`. */
  readonly hostKeys?: Readonly<Record<string, string>>;
  /** Lives of certificates that are not the usual ones: `{ n2: "6s" }`. */
  readonly lives?: Readonly<Record<string, string>>;
  /** More of the mesh file. */
  readonly more?: string;
  /** The rows of its hosts. @default each at a port of its own on loopback */
  readonly hosts?: string;
  /** As of LocalMesh. */
  readonly binary?: Binary;
}

/** A daemon in the foreground, and what it says. */
export interface Daemon {
  readonly pid: number;
  readonly status: Promise<Deno.CommandStatus>;
  /** Lines of stderr so far. */
  readonly lines: readonly string[];
  /**
   * Resolves with the line that is the `nth` to match, past or to come; rejects when it ends without.
   * @default nth 1
   */
  line(pattern: RegExp, nth?: number): Promise<string>;
  kill(signal: Deno.Signal): void;
}

/** Disposing kills what is left of it. */
export class InstalledMesh implements AsyncDisposable {
  readonly local: LocalMesh;
  readonly #running = new Set<Promise<void>>();

  private constructor(local: LocalMesh) {
    this.local = local;
  }

  /** Keys are made and lie in a folder for each node; nothing runs. */
  static async prepare(options: InstalledMeshOptions): Promise<InstalledMesh> {
    const local = await LocalMesh.start({
      boot: false,
      ...(options.binary === undefined ? {} : { binary: options.binary }),
    });
    const mesh = new InstalledMesh(local);
    try {
      await Deno.writeTextFile(local.file, meshFile(local.name, options));
      await local.must("mesh", "init", "--config", local.file);
      const { nodes, lives = {} } = options;
      const usual = nodes.filter((node) => lives[node] === undefined);
      if (usual.length > 0) {
        await local.must("mesh", "provision", usual.join(","), "--out", mesh.folders);
      }
      for (const [node, life] of Object.entries(lives)) {
        await local.must("mesh", "provision", node, "--out", mesh.folders, "--valid", life);
      }
      return mesh;
    } catch (error) {
      await mesh[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** More nodes for a mesh that boot made: `folders` is where provision has to write their keys. */
  static over(local: LocalMesh): InstalledMesh {
    return new InstalledMesh(local);
  }

  get folders(): string {
    return `${this.local.folder}/nodes`;
  }

  /** Of a node's keys. */
  keys(node: string): string {
    return `${this.folders}/${node}`;
  }

  /** `more` are options and variables of `minime daemon`. */
  start(
    node: string,
    more: {
      readonly args?: readonly string[];
      readonly env?: Record<string, string>;
      /** @default the one in its folder of keys */
      readonly config?: string;
      /** A program that becomes ours, with its options. @default none */
      readonly starter?: readonly string[];
      /** Words that start it. @default the program under test */
      readonly program?: readonly string[];
    } = {},
  ): Daemon {
    const { config = `${this.keys(node)}/mesh.toml`, program = this.local.commandOf() } = more;
    const words = ["daemon", "--config", config, "--name", node, ...more.args ?? []];
    const child = this.local.spawnProgram(
      [...more.starter ?? [], ...program, ...words],
      more.env ?? {},
    );
    const { daemon, over } = follow(child);
    this.#running.add(over);
    over.then(() => this.#running.delete(over));
    return daemon;
  }

  /** Resolves when the mesh, as the node that commands find first sees it, has exactly these up. */
  async settled(...up: readonly string[]): Promise<void> {
    const wanted = [...up].sort().join();
    await until(`exactly ${wanted} are up`, async () => {
      const { code, stdout } = await this.local.run("nodes", "--json");
      if (code !== 0) return false;
      const { nodes } = JSON.parse(stdout) as { nodes: { name: string; state: string }[] };
      const names = nodes.filter(({ state }) => state === "up").map(({ name }) => name);
      return names.sort().join() === wanted;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.local[Symbol.asyncDispose]();
    await Promise.all(this.#running);
  }
}

function meshFile(name: string, options: InstalledMeshOptions): string {
  const { nodes, hostKeys = {}, more = "", hosts } = options;
  if (hosts !== undefined) return `name = "${name}"\n${more}${hosts}`;
  const ports = freePorts(nodes.length);
  const rows = nodes.map((node, index) =>
    `[[hosts]]\nnames = "${node}"\naddress = "127.0.0.1"\nport = ${ports[index]}\n` +
    `listen = ["tcp:127.0.0.1:${ports[index]}"]\n${hostKeys[node] ?? ""}\n`
  );
  return `name = "${name}"\n${rows.join("")}${more}`;
}

/**
 * Free a moment ago, and not of those that the kernel gives to whoever dials: a daemon that starts
 * later would find its port taken by a connection of the others.
 */
export function freePorts(count: number): number[] {
  const range = Deno.readTextFileSync("/proc/sys/net/ipv4/ip_local_port_range");
  const below = Number(/^\d+/.exec(range)?.[0]);
  const listeners: Deno.TcpListener[] = [];
  while (listeners.length < count) {
    const port = FIRST_PORT + Math.floor(Math.random() * (below - FIRST_PORT));
    try {
      listeners.push(Deno.listen({ hostname: "127.0.0.1", port }));
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    }
  }
  for (const listener of listeners) listener.close();
  return listeners.map(({ addr }) => addr.port);
}

function follow(child: Deno.ChildProcess): { daemon: Daemon; over: Promise<void> } {
  const lines: string[] = [];
  const waiting = new Set<() => void>();
  let ended = false;
  const wake = () => {
    for (const run of waiting) run();
  };
  const reading = (async () => {
    let rest = "";
    for await (const text of child.stderr.pipeThrough(new TextDecoderStream())) {
      rest += text;
      const whole = rest.split("\n");
      rest = whole.pop() ?? "";
      lines.push(...whole);
      wake();
    }
    ended = true;
    wake();
  })();
  const over = Promise.all([reading, child.status, child.stdout.cancel()]).then(() => {});
  const daemon: Daemon = {
    pid: child.pid,
    status: child.status,
    lines,
    line: (pattern, nth = 1) =>
      new Promise((resolve, reject) => {
        const look = () => {
          const found = lines.filter((each) => pattern.test(each))[nth - 1];
          if (found === undefined && !ended) return;
          waiting.delete(look);
          if (found !== undefined) resolve(found);
          else reject(new Error(`It ended without a line like ${pattern}:\n${lines.join("\n")}`));
        };
        waiting.add(look);
        look();
      }),
    kill: (signal) => child.kill(signal),
  };
  return { daemon, over };
}
