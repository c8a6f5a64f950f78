/**
 * Rounds of faults on installed nodes in network namespaces, while commands run: machines start in
 * random order, some things happen to some of them at once, are healed, and the mesh has to be whole
 * again by itself. A seed says what happens to whom; when it meets what is under way is the machine's
 * affair, so a seed replays the story, not each outcome.
 */

import { type Counts, type Order, problemsOf } from "../soak/account.ts";
import { Luck } from "../soak/luck.ts";
import type { LineResult } from "../soak/worker.ts";
import { until } from "../system/rig/mod.ts";
import { FAULTS, JOINING } from "./faults.ts";
import { leftOf, programsOf, recordProblems, recordsOf } from "./inspection.ts";
import { type Machine, RAN } from "./machine.ts";
import { Machines } from "./machines.ts";

export interface ChaosOptions {
  readonly seed: number;
  /** Begin no further one after so many rounds. @default as many as there is time for */
  readonly rounds?: number;
  /** Begin no further one after that time. @default none */
  readonly msMax?: number;
  /** Besides the one that joins late. @default 8 */
  readonly nodes?: number;
  /** Callers at once. @default 3 */
  readonly clients?: number;
  readonly onProgress?: (text: string) => void;
}

export interface ChaosReport {
  readonly problems: readonly string[];
  readonly faults: Counts;
  /** How commands and their targets ended. */
  readonly counts: Counts;
  readonly calls: number;
  /** From the last heal of a round until the mesh was whole. */
  readonly wholeMs: readonly number[];
  /** The same, of rounds in which there was a fault of that kind. */
  readonly wholeMsOf: ReadonlyMap<string, readonly number[]>;
  /** Facts for people. */
  readonly lines: readonly string[];
  /** What the daemons said, for who looks for the reason of a problem. */
  readonly log: string;
}

/** Of 8 nodes: so that most of the mesh is there. */
const FAULTS_AT_ONCE_MAX = 3;
/** A call that has not ended by then never does. */
const CALL_MS_MAX = 180_000;
/** Nobody floods a mesh by hand; the faults are what is tried here. */
const CALL_PAUSE_MS_MAX = 300;
const START_MS_MAX = 1_000;
/** Programs that nobody carries any more are ended after ten seconds, and may take five to end. */
const QUIET_MS_MAX = 60_000;
/** More than a daemon needs besides its links and its listeners. */
const SPARE_DESCRIPTORS = 24;

export async function runChaos(options: ChaosOptions): Promise<ChaosReport> {
  await using machines = await Machines.prepare(options.nodes ?? 8);
  return await new Chaos(machines, options).run();
}

class Chaos {
  readonly #machines: Machines;
  readonly #options: ChaosOptions;
  readonly #problems: string[] = [];
  readonly #faults: Counts = new Map();
  readonly #wholeMsOf = new Map<string, number[]>();
  readonly #wholeMs: number[] = [];
  readonly #results: [order: Order, result: LineResult | undefined][] = [];
  readonly #began = performance.now();
  /** Kinds to come: each happens before any does again. */
  readonly #deck: string[] = [];
  #calling = true;
  #begun = 0;

  constructor(machines: Machines, options: ChaosOptions) {
    this.#machines = machines;
    this.#options = options;
  }

  async run(): Promise<ChaosReport> {
    const { all, joiner } = this.#machines;
    const luck = this.#luck("start");
    const first = luck.shuffled(this.#machines.names.filter((name) => name !== joiner.name));
    await Promise.all(first.map(async (name) => {
      await new Promise((resolve) => setTimeout(resolve, luck.below(START_MS_MAX)));
      this.#machines.named(name).start();
    }));
    const firstMs = await this.#machines.whole();
    const before = this.#mostDescriptors();
    const { clients = 3 } = this.#options;
    const calls = Array.from({ length: clients }, (_, i) => this.#call(i));
    let rounds = 0;
    try {
      while (this.#goesOn(rounds)) await this.#round(++rounds);
    } catch (error) {
      this.#problems.push(error instanceof Error ? error.message : String(error));
    } finally {
      this.#calling = false;
      await Promise.all(calls);
    }
    await this.#callEverybody();
    const after = this.#mostDescriptors();
    await this.#leftovers();
    const counts: Counts = new Map();
    const ran = new Map(all.map((machine) => [machine.name, machine.ran]));
    for (const [order, result] of this.#results) {
      const parts = {
        ran: (node: string, token: string) => ran.get(node)?.get(token) ?? 0,
        counts,
      };
      this.#problems.push(...problemsOf(order, result, parts));
    }
    this.#problems.push(...all.flatMap(({ crashes }) => crashes), ...this.#machines.hung);
    for (const machine of all) {
      const records = recordsOf(machine);
      if (records !== undefined) this.#problems.push(...recordProblems(records));
    }
    const seconds = (performance.now() - this.#began) / 1_000;
    return {
      problems: this.#problems,
      faults: this.#faults,
      counts,
      calls: this.#results.length,
      wholeMs: this.#wholeMs,
      wholeMsOf: this.#wholeMsOf,
      lines: [
        `${rounds} rounds and ${this.#results.length} calls in ${seconds.toFixed(0)} s`,
        `whole ${(firstMs / 1e3).toFixed(1)} s after the last of ${first.length} was started`,
        `daemons hold at most ${before} descriptors before, ${after} after`,
      ],
      log: all.map(({ name, lines }) => `== ${name}\n${lines.join("\n")}\n`).join(""),
    };
  }

  #luck(of: string): Luck {
    return new Luck(`chaos ${this.#options.seed} ${of}`);
  }

  #goesOn(rounds: number): boolean {
    const { rounds: most = Infinity, msMax = Infinity } = this.#options;
    return rounds < most && performance.now() - this.#began < msMax;
  }

  /** Of each kind at most one at a time: there is one joiner, one switch, one administrator. */
  #draw(luck: Luck): { kind: string; name: string }[] {
    const { joiner, names } = this.#machines;
    if (this.#deck.length < FAULTS_AT_ONCE_MAX) {
      this.#deck.push(...luck.shuffled([...FAULTS.keys()]));
    }
    const kinds = [...new Set(this.#deck.splice(0, 1 + luck.below(FAULTS_AT_ONCE_MAX)))];
    const joins = kinds.includes(JOINING);
    // Nothing else can happen to who has not joined yet, or is about to.
    const others = luck.shuffled(names.filter((name) => name !== joiner.name || joiner.isWanted))
      .filter((name) => !joins || name !== joiner.name);
    return kinds.map((kind, i) => ({
      kind,
      name: kind === JOINING ? joiner.name : others[i] as string,
    }));
  }

  async #round(round: number): Promise<void> {
    const luck = this.#luck(`round ${round}`);
    const chosen = this.#draw(luck);
    const story = chosen.map(({ kind, name }) => `${kind} ${name}`).join(", ");
    await Promise.all(chosen.map(async ({ kind, name }) => {
      const own = this.#luck(`round ${round} ${kind}`);
      const fault = FAULTS.get(kind);
      const machine = this.#machines.named(name);
      this.#faults.set(kind, (this.#faults.get(kind) ?? 0) + 1);
      await fault?.({
        machines: this.#machines,
        machine,
        luck: own,
        problem: (text) => this.#problems.push(`Round ${round}: ${text}`),
      });
    }));
    try {
      const ms = await this.#machines.whole();
      this.#wholeMs.push(ms);
      for (const { kind } of chosen) {
        const known = this.#wholeMsOf.get(kind) ?? [];
        this.#wholeMsOf.set(kind, [...known, ms]);
      }
      this.#options.onProgress?.(
        `round ${round}: ${story}; whole after ${(ms / 1e3).toFixed(1)} s`,
      );
    } catch (cause) {
      const text = cause instanceof Error ? cause.message : String(cause);
      throw new Error(`Round ${round} (${story}): ${text}`, { cause });
    }
  }

  /** One after the other, until the rounds are over. */
  async #call(caller: number): Promise<void> {
    let client = this.#machines.client();
    const { all } = this.#machines;
    while (this.#calling) {
      const index = ++this.#begun;
      const luck = this.#luck(`call ${index}`);
      const known = all.filter(({ isWanted }) => isWanted).map(({ name }) => name);
      if (known.length === 0) continue;
      const size = luck.oneIn(2) ? known.length : 1 + luck.below(4);
      const order = {
        token: `c${index}`,
        targets: luck.shuffled(known).slice(0, size),
        isJob: false,
      };
      // Who is down has no socket: that caller looks for the nearest, as every other one does.
      const entry = caller === 0 ? undefined : luck.one(known);
      const pauseS = luck.oneIn(5) ? `sleep 0.${luck.below(5)}; ` : "";
      const line = `${pauseS}echo "$0" >> ${RAN}`;
      const marked = ["--env", `CHAOS=${this.#machines.local.folder}`, "--kill-after", "500ms"];
      const words = ["exec", "-n", "--json", ...marked, "-w", order.targets.join()];
      const overdue = setTimeout(() => {
        this.#problems.push(`Call ${order.token} of ${order.targets.join()} does not end`);
        void client.kill();
      }, CALL_MS_MAX);
      const result = await client.run({
        words: [...words, "/bin/sh", "-c", line, order.token],
        variables: this.#machines.entry(entry),
      });
      clearTimeout(overdue);
      if (result === undefined) client = this.#machines.client();
      this.#results.push([order, result]);
      await new Promise((resolve) => setTimeout(resolve, luck.below(CALL_PAUSE_MS_MAX)));
    }
  }

  /** With all healed everybody answers. */
  async #callEverybody(): Promise<void> {
    const targets = this.#machines.wanted.map(({ name }) => name);
    const words = ["exec", "-n", "--json", "-w", targets.join(), "/bin/true"];
    const { code, stdout, stderr } = await this.#machines.ask(...words);
    if (code !== 0) this.#problems.push(`At the end not all answer: ${stdout}${stderr}`);
  }

  /** Programs that run on without anybody, and what is there when all daemons have ended. */
  async #leftovers(): Promise<void> {
    const marker = `CHAOS=${this.#machines.local.folder}`;
    const quiet = async (what: string, left: () => readonly string[]) => {
      try {
        await until(what, () => left().length === 0, { timeoutMs: QUIET_MS_MAX });
      } catch {
        this.#problems.push(...left());
      }
    };
    await quiet("no program runs", () => programsOf(marker));
    const most = 3 * this.#machines.all.length + SPARE_DESCRIPTORS;
    for (const machine of this.#machines.wanted) {
      if (machine.pid === undefined) this.#problems.push(`${machine.name} does not run at the end`);
      else if (machine.descriptors > most) {
        this.#problems.push(
          `${machine.name} holds ${machine.descriptors} files, more than ${most}`,
        );
      }
    }
    await Promise.all(this.#machines.all.map(async (machine: Machine) => {
      const code = await machine.end("SIGTERM");
      if (code !== undefined && code !== 0) {
        this.#problems.push(`${machine.name} exits with ${code} at the end`);
      }
    }));
    await quiet("nothing is left", () => this.#machines.all.flatMap((machine) => leftOf(machine)));
  }

  #mostDescriptors(): number {
    const held = this.#machines.wanted.filter(({ pid }) => pid !== undefined);
    return Math.max(...held.map(({ descriptors }) => descriptors));
  }
}
