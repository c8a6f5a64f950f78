/**
 * One host of a rig (or its origin), a set of namespaces with its own addresses, name, homes, /tmp,
 * /run and processes. Paths go through /proc/PID/root, so files are reached without starting a
 * program; absolute symbolic links on the way would lead to the machine's files.
 * Pids are the host's own ones, as its programs print them.
 */

import type { Account } from "./accounts.ts";
import type { Holder } from "./holder.ts";
import type { Interface } from "./network.ts";
import { childrenOf, isGone, Process, stateOf } from "./process.ts";
import type { RunOptions, RunResult } from "./process.ts";
import { until } from "./wait.ts";

export interface SpawnOptions {
  /** Added to PATH, HOME, USER and LOGNAME; nothing else is inherited. */
  readonly env?: Readonly<Record<string, string>>;
  /** @default the user's home folder */
  readonly cwd?: string;
  /** @default "root" */
  readonly user?: string;
}

export interface HostProcess {
  readonly pid: number;
  readonly parent: number;
  /** As in /proc/PID/stat: R, S, D, T (stopped), Z (zombie). */
  readonly state: string;
  readonly uid: number;
  /** Empty for a zombie. */
  readonly argv: readonly string[];
}

export const HOST_PATH = "/usr/bin:/bin:/usr/sbin:/sbin";

/** The states of a process that has got a signal which nobody can refuse. */
const SETTLED: ReadonlyMap<string, string> = new Map([["KILL", "ZX"], ["STOP", "TZX"]]);

export class Host {
  readonly name: string;
  readonly interfaces: readonly Interface[];
  /** Where the machine keeps this host's homes, sshd configuration and logs. */
  readonly folder: string;
  readonly #holder: Holder;
  readonly #accounts: readonly Account[];

  constructor(
    name: string,
    options: {
      interfaces: readonly Interface[];
      folder: string;
      holder: Holder;
      accounts: readonly Account[];
    },
  ) {
    this.name = name;
    this.interfaces = options.interfaces;
    this.folder = options.folder;
    this.#holder = options.holder;
    this.#accounts = options.accounts;
  }

  /** The IPv4 address on the host's first segment. */
  get address(): string {
    const [first] = this.interfaces;
    if (first === undefined) throw new Error(`Host '${this.name}' is on no segment`);
    return first.ipv4;
  }

  /** The IPv6 address on the host's first segment. */
  get address6(): string {
    const address = this.interfaces[0]?.ipv6;
    if (address === undefined) throw new Error(`Host '${this.name}' has no IPv6 address`);
    return address;
  }

  /** The machine's pid of the host's process 1, for entering its namespaces. */
  get holderPid(): number {
    return this.#holder.pid;
  }

  /** Runs a program in the host and collects its output; the exit code is the caller's to judge. */
  async run(argv: readonly string[], options: SpawnOptions & RunOptions = {}): Promise<RunResult> {
    await using process = this.spawn(argv, options);
    return await process.finish(options);
  }

  /** As {@link run}; rejects unless the program exits with 0. Resolves to its stdout. */
  async must(argv: readonly string[], options: SpawnOptions & RunOptions = {}): Promise<string> {
    const { code, stdout, stderr } = await this.run(argv, options);
    if (code !== 0) {
      throw new Error(
        `Command '${argv.join(" ")}' on '${this.name}' failed with ${code}: ${stderr}`,
      );
    }
    return stdout;
  }

  /** Starts a program in the host, with pipes for its stdin, stdout and stderr. */
  spawn(argv: readonly string[], options: SpawnOptions = {}): Process {
    const account = this.#account(options.user ?? "root");
    const variables = {
      PATH: HOST_PATH,
      HOME: account.home,
      USER: account.name,
      LOGNAME: account.name,
      ...options.env,
    };
    const { uid } = account;
    const asUser = uid === 0
      ? []
      : ["/usr/bin/setpriv", `--reuid=${uid}`, `--regid=${uid}`, "--clear-groups", "--"];
    return new Process([
      ...["nsenter", "-t", String(this.holderPid), "-n", "-u", "-m", "-p", "--"],
      ...asUser,
      ...["/usr/bin/env", "-i", "-C", options.cwd ?? account.home],
      ...Object.entries(variables).map(([key, value]) => `${key}=${value}`),
      ...argv,
    ], { forked: true, label: `${argv.join(" ")}' on '${this.name}` });
  }

  /** Runs a tool of this machine in nothing but the host's network. */
  spawnInNetwork(argv: readonly string[], env: Readonly<Record<string, string>> = {}): Process {
    return new Process(["nsenter", "-t", String(this.holderPid), "-n", "--", ...argv], { env });
  }

  /** Where the machine finds a path of this host. */
  path(path: string): string {
    if (!path.startsWith("/")) throw new TypeError(`Path '${path}' is not absolute`);
    return `/proc/${this.holderPid}/root${path}`;
  }

  /** Makes missing folders too. The owner is root. @default mode 0o644 */
  async writeFile(
    path: string,
    data: string | Uint8Array,
    options: { mode?: number } = {},
  ): Promise<void> {
    const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data;
    await Deno.mkdir(this.path(path.slice(0, path.lastIndexOf("/")) || "/"), { recursive: true });
    await Deno.writeFile(this.path(path), bytes);
    await Deno.chmod(this.path(path), options.mode ?? 0o644);
  }

  async readFile(path: string): Promise<Uint8Array<ArrayBuffer>> {
    return await Deno.readFile(this.path(path));
  }

  async readText(path: string): Promise<string> {
    return await Deno.readTextFile(this.path(path));
  }

  async exists(path: string): Promise<boolean> {
    try {
      await Deno.lstat(this.path(path));
      return true;
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return false;
      throw error;
    }
  }

  /** Everything that runs in the host except process 1, zombies included. */
  processes(): HostProcess[] {
    const found: HostProcess[] = [];
    for (const { name } of Deno.readDirSync(this.path("/proc"))) {
      if (!/^[0-9]+$/.test(name) || name === "1") continue;
      try {
        const folder = this.path(`/proc/${name}`);
        // The program's name is in brackets and may hold anything, brackets and blanks too.
        const stat = Deno.readTextFileSync(`${folder}/stat`);
        const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
        const status = Deno.readTextFileSync(`${folder}/status`);
        found.push({
          pid: Number(name),
          parent: Number(fields[1]),
          state: fields[0] ?? "?",
          uid: Number(/^Uid:\s+([0-9]+)/m.exec(status)?.[1]),
          argv: Deno.readTextFileSync(`${folder}/cmdline`).split("\0").slice(0, -1),
        });
      } catch (error) {
        if (!isGone(error)) throw error; // It ended while we looked.
      }
    }
    return found;
  }

  /** The pids of what runs in the host, without process 1 and sshd (listener and sessions). */
  pids(): number[] {
    return this.processes()
      .filter(({ argv }) => !/^sshd: |(^|\/)sshd$/.test(argv[0] ?? ""))
      .map(({ pid }) => pid);
  }

  /**
   * Sends a signal ("KILL", "STOP", ...) to processes of the host, and waits until the kernel has ended
   * or stopped them, where that is what it does. Who is to be killed may be gone already.
   */
  async signal(signal: string, ...pids: readonly number[]): Promise<void> {
    const argv = ["kill", "-s", signal, "--", ...pids.map(String)];
    if (signal === "KILL") await this.run(argv);
    else await this.must(argv);
    const isSettled = SETTLED.get(signal);
    if (isSettled !== undefined) {
      await until(
        `${pids.join()} have got SIG${signal}`,
        () =>
          this.processes().every(({ pid, state }) =>
            !pids.includes(pid) || isSettled.includes(state)
          ),
      );
    }
    // `nsenter` stops when its program does, and would sleep on when only its program is woken.
    const wrappers = childrenOf(Deno.pid).filter((wrapper) =>
      childrenOf(wrapper).some((inner) => pids.includes(this.#pidInside(inner) ?? 0))
    );
    if (signal === "STOP") {
      await until("nsenter is stopped", () => wrappers.every((pid) => "T-".includes(stateOf(pid))));
    } else if (signal === "CONT") {
      for (const wrapper of wrappers) Deno.kill(wrapper, "SIGCONT");
    }
  }

  /** The host's pid of one of the machine's processes; undefined for a process of another host. */
  #pidInside(pid: number): number | undefined {
    try {
      const mine = Deno.readLinkSync(`/proc/${this.holderPid}/ns/pid`);
      if (Deno.readLinkSync(`/proc/${pid}/ns/pid`) !== mine) return undefined;
      const status = Deno.readTextFileSync(`/proc/${pid}/status`);
      return Number(/^NSpid:.*\s([0-9]+)$/m.exec(status)?.[1]);
    } catch (error) {
      if (isGone(error)) return undefined;
      throw error;
    }
  }

  async startSshd(): Promise<void> {
    await this.must(["sh", `${this.folder}/sshd_start`]);
  }

  /** Ends the listener; sessions go on. */
  async stopSshd(): Promise<void> {
    await this.must(["sh", `${this.folder}/sshd_stop`]);
  }

  /** The pid of the listening sshd. */
  async sshdPid(): Promise<number> {
    return Number(await this.readText("/run/sshd.pid"));
  }

  #account(user: string): Account {
    const account = this.#accounts.find(({ name }) => name === user);
    if (account === undefined) throw new TypeError(`Unknown user '${user}' of '${this.name}'`);
    return account;
  }
}
