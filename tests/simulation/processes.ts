/**
 * Processes of a simulated machine. A program exists only where the test has registered one;
 * signals reach the processes of the same machine.
 */
import type { Child, Processes, SpawnOptions } from "../../core/environment/environment.ts";
import { NotFoundError } from "../../core/errors.ts";
import type { SimulatedProcess } from "./machine.ts";

/** A stand-in for an executable, made by a test. */
export type Program = (options: SpawnOptions, parent: SimulatedProcess) => Promise<Child>;

const EXECUTABLE = "/usr/bin/minime";

export class SimulatedProcesses implements Processes {
  readonly pid: number;
  readonly uid: number;
  readonly self: readonly string[] = [EXECUTABLE];
  readonly executable = EXECUTABLE;
  readonly arguments: readonly string[] = [];
  readonly #process: SimulatedProcess;
  readonly #programs: ReadonlyMap<string, Program>;

  constructor(process: SimulatedProcess, uid: number, programs: ReadonlyMap<string, Program>) {
    this.pid = process.pid;
    this.uid = uid;
    this.#process = process;
    this.#programs = programs;
  }

  async spawn(program: string, options: SpawnOptions = {}): Promise<Child> {
    const start = await this.#process.later(0, () => this.#programs.get(program));
    if (start !== undefined) return await start(options, this.#process);
    throw new NotFoundError(`Could not start "${program}": there is no such program`);
  }

  /** Each simulated process is a group of its own. */
  signal(pid: number, signal: string): boolean {
    const target = this.#process.machine.processes.get(Math.abs(pid));
    if (target === undefined || this.#process.dead) return false;
    if (signal !== "0") target.signal(signal);
    return true;
  }

  onSignal(signal: string, run: () => void): Disposable {
    const { signals } = this.#process;
    const handlers = signals.get(signal) ?? new Set();
    signals.set(signal, handlers);
    const handler = () => run();
    handlers.add(handler);
    return { [Symbol.dispose]: () => void handlers.delete(handler) };
  }

  become(): never {
    throw new Error("A simulated process stays who it is");
  }

  handOver(): never {
    throw new Error("Simulated programs leave nothing to others");
  }

  handedOver(): undefined {
    return undefined;
  }

  replace(program: string): never {
    throw new Error(`Simulated processes do not go on as "${program}"`);
  }

  notify(): boolean {
    return false;
  }

  closeInherited(): void {}

  widenPipes(): void {
    // Nobody starts one with pipes.
  }

  variable(name: string): string | undefined {
    return this.#process.machine.variables.get(name);
  }

  variables(): Readonly<Record<string, string>> {
    return Object.fromEntries(this.#process.machine.variables);
  }

  oddVariables(): readonly string[] {
    return [];
  }
}
