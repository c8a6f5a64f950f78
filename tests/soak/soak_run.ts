/**
 * Short commands on a mesh of this machine while clients, relays and daemons are killed by SIGKILL at
 * random. A seed says which commands and which kills; when what is under way meets a kill is the machine's
 * affair, so a seed replays the story, not each outcome.
 */

import { type Counts, type Order, problemsOf } from "./account.ts";
import { Client } from "./clients.ts";
import { SoakDaemons } from "./daemons.ts";
import { Luck } from "./luck.ts";
import { pids, stateOf, textOf } from "./processes.ts";
import type { Line, LineResult } from "./worker.ts";

export interface SoakOptions {
  readonly seed: number;
  readonly commands: number;
  /** @default 16 */
  readonly nodes?: number;
  /** @default 6 */
  readonly clients?: number;
  /** Kills a client in one of so many commands. @default 40 */
  readonly clientKilled?: number;
  /** Kills a daemon in one of so many commands. @default 60 */
  readonly daemonKilled?: number;
  /** Give up what has not begun after that time. @default none */
  readonly msMax?: number;
  readonly onProgress?: (text: string) => void;
}

export interface SoakReport {
  readonly problems: readonly string[];
  readonly counts: Counts;
  /** Facts for people. */
  readonly lines: readonly string[];
}

/** One in so many commands. */
const CLIENT_KILLED_DEFAULT = 40;
const DAEMON_KILLED_DEFAULT = 60;
const JOBS = 25;
/** Nodes that are down at once: so that most of the mesh is there. */
const DOWN_MAX = 3;
/** Programs that nobody carries any more are ended after ten seconds, and may take five to end. */
const QUIET_MS_MAX = 30_000;
/** More than a daemon needs besides its links and its listeners. */
const SPARE_DESCRIPTORS = 24;
const RESIDENT_BYTES_MAX = 300e6;
const PROGRESS_COMMANDS = 200;

export async function runSoak(options: SoakOptions): Promise<SoakReport> {
  await using daemons = await SoakDaemons.start(options.nodes ?? 16);
  await daemons.settled();
  return await new Soak(daemons, options).run();
}

interface Next {
  readonly order: Order;
  readonly line: Line;
  /** Its client is killed so long after it got the line. */
  readonly killMs: number | undefined;
}

class Soak {
  readonly #daemons: SoakDaemons;
  readonly #options: SoakOptions;
  readonly #folder: string;
  readonly #counts: Counts = new Map();
  readonly #results: [order: Order, result: LineResult | undefined][] = [];
  readonly #restarts = new Set<Promise<void>>();
  readonly #began = performance.now();
  #begun = 0;

  constructor(daemons: SoakDaemons, options: SoakOptions) {
    this.#daemons = daemons;
    this.#options = options;
    this.#folder = `${daemons.mesh.local.folder}/ran`;
  }

  async run(): Promise<SoakReport> {
    await Deno.mkdir(this.#folder);
    const before = this.#holdings();
    const { clients = 6 } = this.#options;
    await Promise.all(Array.from({ length: clients }, () => this.#runClient()));
    await Promise.all(this.#restarts);
    const seconds = (performance.now() - this.#began) / 1_000;
    await this.#daemons.settled();
    const problems = await this.#leftovers();
    const files = new Map(this.#daemons.names.map((name) => [name, this.#tokensOf(name)]));
    const ran = (node: string, token: string) => files.get(node)?.get(token) ?? 0;
    for (const [order, result] of this.#results) {
      problems.push(...problemsOf(order, result, { ran, counts: this.#counts }));
    }
    const after = this.#holdings();
    problems.push(...this.#heldTooMuch());
    return {
      problems,
      counts: this.#counts,
      lines: [
        `${this.#results.length} commands in ${seconds.toFixed(0)} s`,
        `daemons: ${before} before, ${after} after`,
      ],
    };
  }

  async #runClient(): Promise<void> {
    let client = new Client(this.#daemons.mesh.local.environment);
    while (this.#goesOn()) {
      const { order, line, killMs } = this.#next();
      const answer = client.run(line);
      if (killMs !== undefined) {
        this.#count("clients killed");
        await new Promise((resolve) => setTimeout(resolve, killMs));
        await client.kill();
      }
      const result = await answer;
      this.#results.push([order, result]);
      if (killMs !== undefined) client = new Client(this.#daemons.mesh.local.environment);
    }
    await client.close();
  }

  #goesOn(): boolean {
    const { commands, msMax = Infinity } = this.#options;
    return this.#begun < commands && performance.now() - this.#began < msMax;
  }

  #next(): Next {
    const index = ++this.#begun;
    const { onProgress, commands, seed } = this.#options;
    const { clientKilled = CLIENT_KILLED_DEFAULT, daemonKilled = DAEMON_KILLED_DEFAULT } =
      this.#options;
    if (index % PROGRESS_COMMANDS === 0) onProgress?.(`${index} of ${commands} commands`);
    const luck = new Luck(`soak ${seed} ${index}`);
    if (luck.oneIn(daemonKilled)) this.#killDaemon(luck);
    const { names } = this.#daemons;
    const size = luck.oneIn(4) ? names.length : 1 + luck.below(4);
    const targets = luck.shuffled(names).slice(0, size);
    const token = `t${index}`;
    const isJob = luck.oneIn(JOBS);
    const pause = luck.oneIn(5) ? `sleep 0.${luck.below(5)}; ` : "";
    const line = `${pause}echo "$0" >> "$1/$MINIME_NODE"`;
    const how = isJob ? ["--bg", "--name", token] : ["--json"];
    const marked = ["--env", `SOAK=${this.#folder}`, "--kill-after", "500ms"];
    return {
      order: { token, targets, isJob },
      line: {
        words: [
          ...["exec", "-n", ...how, ...marked, "-w", targets.join()],
          ...["/bin/sh", "-c", line, token, this.#folder],
        ],
        variables: this.#daemons.variablesOf(luck.one(names)),
      },
      killMs: luck.oneIn(clientKilled) ? luck.below(300) : undefined,
    };
  }

  #killDaemon(luck: Luck): void {
    const { names, gateways, up } = this.#daemons;
    const candidates = (luck.oneIn(2) ? gateways : names).filter((name) => up.includes(name));
    if (names.length - up.length >= DOWN_MAX || candidates.length === 0) return;
    const name = luck.one(candidates);
    this.#count(gateways.includes(name) ? "relays killed" : "other daemons killed");
    const pauseMs = luck.below(1_500);
    const restart = (async () => {
      await this.#daemons.kill(name);
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
      this.#daemons.start(name);
    })();
    this.#restarts.add(restart);
    void restart.then(() => this.#restarts.delete(restart));
  }

  /** Programs that run on, and children that nobody buries. */
  async #leftovers(): Promise<string[]> {
    const until = performance.now() + QUIET_MS_MAX;
    for (;;) {
      const left = [...this.#programs(), ...this.#zombies()];
      if (left.length === 0 || performance.now() > until) return left;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }

  #programs(): string[] {
    return pids().filter((pid) => textOf(`/proc/${pid}/environ`).includes(`SOAK=${this.#folder}\0`))
      .filter((pid) => stateOf(pid)?.state !== "Z")
      .map((pid) => `Still runs: ${textOf(`/proc/${pid}/cmdline`).replaceAll("\0", " ")}`);
  }

  #zombies(): string[] {
    const daemons = this.#daemons.names.map((name) => this.#daemons.pidOf(name));
    return pids().filter((pid) => {
      const found = stateOf(pid);
      return found?.state === "Z" && daemons.includes(found.parent);
    }).map((pid) => `Zombie of a daemon: ${pid}`);
  }

  #holdings(): string {
    const all = this.#daemons.names.map((name) => this.#daemons.holdingOf(name));
    const most = (values: number[]) => Math.max(...values);
    const descriptors = most(all.map((each) => each.descriptors));
    const megabytes = most(all.map((each) => each.residentBytes)) / 1e6;
    return `at most ${descriptors} descriptors and ${megabytes.toFixed(0)} MB`;
  }

  #heldTooMuch(): string[] {
    const { names } = this.#daemons;
    return names.flatMap((name) => {
      const { descriptors, residentBytes } = this.#daemons.holdingOf(name);
      // A link may have a second conduit for bulk, and there may be one on demand to each node.
      const most = 3 * names.length + SPARE_DESCRIPTORS;
      return [
        ...descriptors > most
          ? [`${name} holds ${descriptors} descriptors, more than ${most}`]
          : [],
        ...residentBytes > RESIDENT_BYTES_MAX ? [`${name} holds ${residentBytes / 1e6} MB`] : [],
      ];
    });
  }

  #tokensOf(name: string): Map<string, number> {
    const tokens = new Map<string, number>();
    for (const token of textOf(`${this.#folder}/${name}`).split("\n")) {
      tokens.set(token, (tokens.get(token) ?? 0) + 1);
    }
    return tokens;
  }

  #count(name: string): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1);
  }
}
