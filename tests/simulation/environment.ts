/**
 * A world of simulated machines in one process: virtual time, seeded randomness, byte pipes with
 * delay, loss of ways, half-open links, partitions, crashes, frozen processes and clocks that are
 * off. The same seed and the same calls give the same trace. Nothing happens except in `run` and
 * `finish`: start what you want to see, then run.
 *
 *     const simulation = new Simulation({ seed: "1" });
 *     const [a, b] = [simulation.host("a"), simulation.host("b")];
 *     const listener = await simulation.finish(b.network.listen(address));
 */
import type { Environment, HostFacts, Timer } from "../../core/environment/environment.ts";
import { EPOCH_MS, SimulatedClock } from "./clock.ts";
import { Disk } from "./disk.ts";
import { SimulatedFiles } from "./files.ts";
import { Machine, SimulatedProcess } from "./machine.ts";
import { SimulatedNetwork, type World } from "./network.ts";
import { NO_DISK } from "./no_disk.ts";
import { Path, type PathOptions } from "./path.ts";
import { type Program, SimulatedProcesses } from "./processes.ts";
import { SeededRandom } from "./random.ts";
import { type RunOptions, Scheduler } from "./scheduler.ts";
import { Trace } from "./trace.ts";

/** Within a machine. */
const LOOPBACK_DELAY_MS = 0.01;
const UID = 1_000;
const FIRST_PID = 1_000;
const MEMORY_BYTES = 8 * 2 ** 30;

export interface SimulationOptions {
  readonly seed: string | number;
  /** Of every way between two machines, until {@link Simulation.link} says otherwise. */
  readonly path?: PathOptions;
  /** Whether the first machine can reach the second at all, and how dials end if not. @default yes */
  readonly reach?: (from: string, to: string) => "yes" | "refused" | "absent";
  /** Keep the trace's lines, not only its hash. @default false */
  readonly keepTrace?: boolean;
}

/** Ways that are blocked together. */
export interface Cut {
  /** Idempotent. Where no other cut goes through, what TCP has kept is carried. */
  end(): void;
}

type Cuts = (from: string, to: string) => boolean;

export class Simulation {
  readonly trace: Trace;
  /** A stream for the test itself. */
  readonly random: SeededRandom;
  readonly #scheduler = new Scheduler();
  readonly #root: SeededRandom;
  readonly #pathOptions: PathOptions;
  readonly #reach: NonNullable<SimulationOptions["reach"]>;
  readonly #cuts = new Set<Cuts>();
  readonly #machines = new Map<string, Machine>();
  readonly #byAddress = new Map<string, Machine>();
  readonly #paths = new Map<Machine, Map<Machine, Path>>();
  readonly #programs = new Map<string, Program>();
  readonly #mains = new Map<string, { process: SimulatedProcess; environment: Environment }>();
  readonly #world: World;
  #pid = FIRST_PID;
  #pipes = 0;

  constructor(options: SimulationOptions) {
    this.trace = new Trace(options.keepTrace ?? false);
    this.#root = new SeededRandom(`seed ${options.seed}`);
    this.random = this.#root.fork("test");
    this.#pathOptions = options.path ?? {};
    this.#reach = options.reach ?? (() => "yes");
    this.#world = {
      scheduler: this.#scheduler,
      trace: this.trace,
      path: (from, to) => this.#path(from, to),
      machine: (host) => this.#machines.get(host) ?? this.#byAddress.get(host),
      nextPipe: () => ++this.#pipes,
      seats: new Set(),
    };
  }

  /** Virtual milliseconds since the start. */
  get now(): number {
    return this.#scheduler.now;
  }

  /** Events executed so far. */
  get events(): number {
    return this.#scheduler.ran;
  }

  /**
   * The environment of the machine's main process (its daemon): the same one until it dies, then
   * that of its successor, with the same disk. The first call makes the machine; `addresses` counts
   * only then. @default one address, 10.0.0.1 for the first machine
   */
  host(name: string, options: { addresses?: readonly string[] } = {}): Environment {
    const main = this.#mains.get(name);
    if (main !== undefined && !main.process.dead) return main.environment;
    const machine = this.#machines.get(name) ?? this.#addMachine(name, options.addresses);
    const made = this.#start(machine);
    this.#mains.set(name, made);
    return made.environment;
  }

  /** One more process on the machine, such as a person's command. */
  process(name: string): Environment {
    return this.#start(this.#machine(name)).environment;
  }

  /** See {@link RunOptions}; without options, until nothing is left to happen. */
  run(options: RunOptions = {}): Promise<boolean> {
    return this.#scheduler.run(options);
  }

  /** Runs until the promise has settled, and gives what it gave. */
  async finish<T>(promise: Promise<T>, options: Omit<RunOptions, "until"> = {}): Promise<T> {
    let settled = false;
    const mark = () => void (settled = true);
    promise.then(mark, mark);
    if (await this.run({ ...options, until: () => settled })) return await promise;
    throw new Error(
      options.forMs === undefined
        ? `Nothing is left to happen at ${this.now} ms and the promise is pending`
        : `The promise is pending after ${options.forMs} ms`,
    );
  }

  /** Calls `run` after so much virtual time, whatever happens to any machine. */
  after(ms: number, run: () => void): Timer {
    return this.#scheduler.schedule(ms, run);
  }

  /** Changes the way between two machines, both directions. */
  link(a: string, b: string, options: PathOptions): void {
    for (const path of this.#bothWays(a, b)) path.change(options);
  }

  /** Half-open: what `from` sends to `to` is accepted and never arrives, until `open`. */
  block(from: string, to: string): void {
    this.#path(this.#machine(from), this.#machine(to)).block();
    this.#note(`block ${from}>${to}`);
  }

  /** Carries what TCP has kept. */
  open(from: string, to: string): void {
    this.#path(this.#machine(from), this.#machine(to)).open();
    this.#note(`open ${from}>${to}`);
  }

  /** Nothing passes between machines of different sets; a machine in no set is not touched. */
  partition(...sets: readonly (readonly string[])[]): void {
    for (const [from, to] of crossing(sets)) this.block(from, to);
  }

  /**
   * Blocks every way of which `through` says so, ways that nobody has used yet too. Several cuts may
   * go through one way; it is open when all of them have ended.
   */
  cut(what: string, through: Cuts): Cut {
    const affected = () =>
      [...this.#paths].flatMap(([from, row]) =>
        [...row].filter(([to]) => through(from.name, to.name)).map(([, path]) => path)
      );
    const cut: Cuts = (from, to) => through(from, to);
    this.#cuts.add(cut);
    for (const path of affected()) path.cut();
    this.#note(`cut ${what}`);
    return {
      end: () => {
        if (!this.#cuts.delete(cut)) return;
        for (const path of affected()) path.join();
        this.#note(`join ${what}`);
      },
    };
  }

  /** Opens every way that `block` or `partition` has closed. */
  heal(): void {
    for (const row of this.#paths.values()) for (const path of row.values()) path.open();
    this.#note("heal");
  }

  /** Resets every pipe between the two machines, as a firewall that lost its state would. */
  reset(a: string, b: string): void {
    const other = this.#machine(b);
    for (const process of this.#machine(a).processes.values()) {
      for (const pipe of [...process.pipes]) if (pipe.peer.machine === other) pipe.break();
    }
    this.#note(`reset ${a} ${b}`);
  }

  /** SIGKILL for every process: pipes end, ports close, unix paths stay behind, the disk stays. */
  kill(name: string): void {
    for (const process of [...this.#machine(name).processes.values()]) {
      process.die({ powerLost: false });
    }
    this.#note(`kill ${name}`);
  }

  /** Power cut: as `kill`, but nobody is told; what arrives vanishes. */
  powerOff(name: string): void {
    const machine = this.#machine(name);
    machine.off = true;
    for (const process of [...machine.processes.values()]) process.die({ powerLost: true });
    this.#note(`power off ${name}`);
  }

  /** The machine answers again (with resets for what it does not know); `host` starts its daemon. */
  powerOn(name: string): void {
    this.#machine(name).off = false;
    this.#note(`power on ${name}`);
  }

  /** Stops every process of the machine; its kernel goes on taking bytes and connections. */
  freeze(name: string): void {
    for (const process of this.#machine(name).processes.values()) process.freeze();
    this.#note(`freeze ${name}`);
  }

  /** Whether the machine's main process is stopped. */
  frozen(name: string): boolean {
    return this.#mains.get(name)?.process.frozen === true;
  }

  thaw(name: string): void {
    for (const process of this.#machine(name).processes.values()) process.thaw();
    this.#note(`thaw ${name}`);
  }

  /** Sets what the machine's wall clock is ahead (negative: behind). Its timers do not care. */
  skew(name: string, ms: number): void {
    this.#machine(name).skewMs = ms;
  }

  /** Pipes and listeners that processes of the machine have not closed. */
  handles(name: string): number {
    let handles = 0;
    for (const { pipes, listeners } of this.#machine(name).processes.values()) {
      handles += pipes.size + listeners.size;
    }
    return handles;
  }

  /** Pipes that processes of the machine have not closed, by the machine at the other end. */
  pipes(name: string): Map<string, number> {
    const pipes = new Map<string, number>();
    for (const process of this.#machine(name).processes.values()) {
      for (const { peer: { machine } } of process.pipes) {
        pipes.set(machine.name, (pipes.get(machine.name) ?? 0) + 1);
      }
    }
    return pipes;
  }

  /** Timers that processes of the machine have armed. */
  timers(name: string): number {
    const processes = new Set<unknown>(this.#machine(name).processes.values());
    return this.#scheduler.pending((owner) => processes.has(owner));
  }

  /** To the main process. */
  signal(name: string, signal: string): void {
    this.#mains.get(name)?.process.signal(signal);
    this.#note(`${signal} ${name}`);
  }

  disk(name: string): Disk {
    return this.#machine(name).disk;
  }

  setVariable(name: string, variable: string, value: string): void {
    this.#machine(name).variables.set(variable, value);
  }

  /** Makes `spawn(program)` start `run` on every machine. */
  program(program: string, run: Program): void {
    this.#programs.set(program, run);
  }

  #addMachine(name: string, addresses: readonly string[] | undefined): Machine {
    const number = this.#machines.size + 1;
    const address = `10.${number >> 16 & 255}.${number >> 8 & 255}.${number & 255}`;
    const machine = new Machine(name, addresses ?? [address], new Disk(UID));
    this.#machines.set(name, machine);
    for (const each of machine.addresses) this.#byAddress.set(each, machine);
    return machine;
  }

  #machine(name: string): Machine {
    const machine = this.#machines.get(name);
    if (machine === undefined) throw new Error(`There is no machine "${name}": call host() first`);
    return machine;
  }

  #start(machine: Machine): { process: SimulatedProcess; environment: Environment } {
    if (machine.off) throw new Error(`The machine "${machine.name}" is off: call powerOn() first`);
    const process = new SimulatedProcess(machine, ++this.#pid, this.#scheduler);
    const clock = new SimulatedClock(process, this.#scheduler);
    const environment: Environment = {
      clock,
      random: this.#root.fork(`${machine.name} process ${++machine.started}`),
      network: new SimulatedNetwork(process, this.#world),
      files: new SimulatedFiles(process, () => clock.now()),
      disk: NO_DISK,
      processes: new SimulatedProcesses(process, UID, this.#programs),
      host: () => process.later(0, () => this.#facts(process)),
    };
    return { process, environment };
  }

  #facts(process: SimulatedProcess): HostFacts {
    const { name } = process.machine;
    const random = this.#root.fork(`facts of ${name} at ${this.now}`);
    return {
      name,
      architecture: "x86_64",
      cores: 4,
      booted: EPOCH_MS - 86_400_000,
      load: [random.below(400) / 100, random.below(400) / 100, random.below(400) / 100],
      memory: { totalBytes: MEMORY_BYTES, freeBytes: MEMORY_BYTES / 2 },
      users: 0,
      process: { residentBytes: 40 * 2 ** 20, cpuMs: Math.floor(this.now / 100) },
    };
  }

  #path(from: Machine, to: Machine): Path {
    let row = this.#paths.get(from);
    if (row === undefined) this.#paths.set(from, row = new Map());
    let path = row.get(to);
    if (path === undefined) {
      path = this.#newPath(from, to);
      row.set(to, path);
    }
    return path;
  }

  #newPath(from: Machine, to: Machine): Path {
    const random = this.#root.fork(`way ${from.name}>${to.name}`);
    if (from === to) return new Path(this.#scheduler, random, { delayMs: LOOPBACK_DELAY_MS });
    const reach = this.#reach(from.name, to.name);
    const path = new Path(this.#scheduler, random, {
      ...this.#pathOptions,
      ...reach === "yes" ? {} : { [reach]: true },
    });
    for (const through of this.#cuts) if (through(from.name, to.name)) path.cut();
    return path;
  }

  #bothWays(a: string, b: string): Path[] {
    const [one, other] = [this.#machine(a), this.#machine(b)];
    return [this.#path(one, other), this.#path(other, one)];
  }

  #note(what: string): void {
    this.trace.add(this.now, what);
  }
}

function crossing(sets: readonly (readonly string[])[]): [string, string][] {
  return sets.flatMap((set) =>
    sets.filter((other) => other !== set).flatMap((other) =>
      set.flatMap((from) => other.map((to): [string, string] => [from, to]))
    )
  );
}
