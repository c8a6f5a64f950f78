/**
 * Nodes that start with their machine, as processes of this one: how soon they are in the mesh, what
 * it costs to read the mesh file again, and how soon nobody lets in whom it concerns.
 */

import { Client } from "../tests/soak/clients.ts";
import type { LineResult } from "../tests/soak/worker.ts";
import { type Daemon, InstalledMesh } from "../tests/support/installed_mesh.ts";
import { Guest } from "./guest.ts";
import { cpuOf, timeProcess } from "./process.ts";
import { type Program, Programs } from "./programs.ts";
import { number, print, printTable, type Row } from "./table.ts";
import { median } from "./turns.ts";

const NODES = [16, 64];
const ROUNDS = 5;
const RELOADS = 20;
const REVOCATIONS = 20;
const REVOKING_NODES = 16;
/** Between two looks: rare enough to leave the processor to those who start. */
const LOOK_MS = 20;
const IN_MESH_MS_MAX = 300_000;

export async function init(): Promise<void> {
  await using programs = await Programs.make();
  const program = programs.bundle;
  const starts: Row[] = [];
  const reloads: Row[] = [];
  const revocations: Row[] = [];
  for (const count of NODES) {
    await using nodes = await Nodes.prepare(program, count);
    starts.push(await startAll(program, nodes));
    if (count === Math.min(...NODES)) starts.push(await startOne(program, nodes));
    reloads.push(await reloadRow(program, nodes));
    if (count === REVOKING_NODES) revocations.push(await revocationRow(program, nodes));
  }
  printTable(
    ["in the mesh, s after the start", "empty program", "half run", "all run", "all see all"],
    starts,
  );
  print("");
  printTable(["reload, ms", "until it has counted", "processor time"], reloads);
  print("");
  printTable(
    ["revocation, ms from the command to the refusal", "p50", "p99", "most", "first to last node"],
    revocations,
  );
}

/** Processes that were started at once, until the last of them sees all of them up. */
async function startAll(program: Program, nodes: Nodes): Promise<Row> {
  const emptyMs = await timeProcess(program.empty);
  const start = performance.now();
  const running = nodes.names.map((name) => nodes.start(name, start));
  for (const name of nodes.names) await nodes.inMesh(name);
  const ms = performance.now() - start;
  const runsMs = await Promise.all(running);
  return startRow(`${nodes.names.length} at once, ${program.form}`, [
    emptyMs,
    median(runsMs),
    Math.max(...runsMs),
    ms,
  ]);
}

/** One that comes back to a mesh which stands. */
async function startOne(program: Program, nodes: Nodes): Promise<Row> {
  const last = nodes.names.at(-1) ?? "";
  const rounds: [emptyMs: number, runsMs: number, ms: number][] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const emptyMs = await timeProcess(program.empty);
    await nodes.stop(last);
    const start = performance.now();
    const runs = nodes.start(last, start);
    await nodes.inMesh(last);
    const ms = performance.now() - start;
    rounds.push([emptyMs, await runs, ms]);
  }
  const [emptyMs, runsMs, ms] = ([0, 1, 2] as const).map((column) =>
    median(rounds.map((round) => round[column]))
  );
  const what = `one, into a mesh of ${nodes.names.length}, ${program.form}`;
  return startRow(what, [emptyMs, runsMs, runsMs, ms]);
}

function startRow(what: string, ms: readonly (number | undefined)[]): Row {
  return [what, ...ms.map((each) => each === undefined ? "" : number(each / 1_000, 2))];
}

/** By SIGHUP, with another log level each time. */
async function reloadRow(program: Program, nodes: Nodes): Promise<Row> {
  const name = nodes.names[0] ?? "";
  const daemon = nodes.daemon(name);
  const whole = await Deno.readTextFile(nodes.file(name));
  const times: number[] = [];
  const cpuBefore = await cpuOf(daemon.pid);
  for (let round = 1; round <= RELOADS; round++) {
    const level = round % 2 === 0 ? "info" : "debug";
    await Deno.writeTextFile(nodes.file(name), `${whole}[defaults]\nlog_level = "${level}"\n`);
    const start = performance.now();
    daemon.kill("SIGHUP");
    await daemon.line(/Mesh file read again/, round);
    times.push(performance.now() - start);
  }
  const cpuMs = (await cpuOf(daemon.pid) - cpuBefore) * 1_000 / RELOADS;
  const what = `file of ${nodes.names.length} hosts, ${program.form}`;
  return [what, number(median(times), 1), number(cpuMs, 1)];
}

/** Of people who are connected to every node: from the start of the command until each ends that. */
async function revocationRow(program: Program, nodes: Nodes): Promise<Row> {
  const times: number[] = [];
  const spreads: number[] = [];
  for (let round = 1; round <= REVOCATIONS; round++) {
    await using guest = await nodes.guest(`guest${round}`);
    const start = Date.now();
    const revoking = nodes.must(["revoke", `guest${round}`]);
    const at = await guest.refusals();
    await revoking;
    await guest.requireShutOut();
    times.push(...at.map((each) => each - start));
    spreads.push(Math.max(...at) - Math.min(...at));
  }
  const sorted = times.sort((a, b) => a - b);
  const part = (share: number) => sorted[Math.floor(share * (sorted.length - 1))] ?? 0;
  return [
    `${nodes.names.length} nodes, ${REVOCATIONS} people, ${program.form}`,
    ...[part(0.5), part(0.99), part(1)].map((each) => number(each, 0)),
    number(median(spreads), 0),
  ];
}

/** Installed nodes whose views can be asked one by one. */
class Nodes implements AsyncDisposable {
  readonly names: readonly string[];
  readonly #mesh: InstalledMesh;
  /** Starts the program. */
  readonly #script: string;
  readonly #client: Client;
  readonly #daemons = new Map<string, Daemon>();

  private constructor(mesh: InstalledMesh, script: string, names: readonly string[]) {
    this.#mesh = mesh;
    this.#script = script;
    this.names = names;
    this.#client = new Client(mesh.local.environment);
  }

  static async prepare({ argv }: Program, count: number): Promise<Nodes> {
    const names = Array.from({ length: count }, (_, index) => `n${index + 1}`);
    const path = await Deno.makeTempFile({ prefix: "minime-bench-" });
    const words = argv.map((word) => `'${word}'`).join(" ");
    await Deno.writeTextFile(path, `#!/bin/sh\nexec ${words} "$@"\n`);
    await Deno.chmod(path, 0o755);
    const binary = { kind: "compiled", path, runtime: Deno.version.deno } as const;
    return new Nodes(await InstalledMesh.prepare({ nodes: names, binary }), path, names);
  }

  /** To the milliseconds after `since` at which its daemon runs. */
  async start(name: string, since: number): Promise<number> {
    const daemon = this.#mesh.start(name, { env: this.#entry(name) });
    this.#daemons.set(name, daemon);
    await daemon.line(/"Running"/);
    return performance.now() - since;
  }

  async stop(name: string): Promise<void> {
    const daemon = this.daemon(name);
    daemon.kill("SIGTERM");
    await daemon.status;
  }

  daemon(name: string): Daemon {
    const daemon = this.#daemons.get(name);
    if (daemon === undefined) throw new Error(`Node "${name}" was not started`);
    return daemon;
  }

  file(name: string): string {
    return `${this.#mesh.keys(name)}/mesh.toml`;
  }

  /** Resolves when that node sees all of them up. */
  async inMesh(name: string): Promise<void> {
    const start = performance.now();
    for (;;) {
      const { code, stdout } = await this.ask(["nodes", "--json"], name);
      const nodes: { state: string }[] = code === 0 ? JSON.parse(stdout).nodes : [];
      if (nodes.filter(({ state }) => state === "up").length === this.names.length) return;
      if (performance.now() - start > IN_MESH_MS_MAX) {
        throw new Error(`Node "${name}" does not see all after ${IN_MESH_MS_MAX} ms`);
      }
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
  }

  /** Somebody new, who is connected to all of them. */
  async guest(name: string): Promise<Guest> {
    const folder = `${this.#mesh.local.folder}/${name}`;
    await this.must(["user", "add", name, "--groups", "guests", "--out", folder]);
    return await Guest.connect(folder);
  }

  async must(words: readonly string[]): Promise<void> {
    const { code, stderr } = await this.ask(words);
    if (code !== 0) throw new Error(`minime ${words.join(" ")} failed: ${stderr}`);
  }

  async ask(
    words: readonly string[],
    name = this.names[0] ?? "",
  ): Promise<LineResult> {
    const result = await this.#client.run({ words, variables: this.#entry(name) });
    if (result === undefined) throw new Error("The client has ended");
    return result;
  }

  #entry(name: string): Record<string, string> {
    return { XDG_STATE_HOME: `${this.#mesh.local.folder}/state-${name}` };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client.close();
    await this.#mesh[Symbol.asyncDispose]();
    await Deno.remove(this.#script);
  }
}
