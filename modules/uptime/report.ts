/** What `minime uptime` shows of one look: the answers of nodes beside what the mesh knows of them. */

import * as v from "valibot";
import { formatDuration } from "../shared/duration.ts";
import { Fold } from "../shared/fold.ts";
import type { GroupCounts, GroupResult, NodeFailure } from "../shared/group_result.ts";
import { MeshPicture, type MeshView, type NodeView } from "../shared/mesh_view.ts";
import type { Style } from "../shared/output.ts";
import { formatSize } from "../shared/size.ts";
import type { Column } from "../shared/table.ts";
import { isCoarse, type Uptime, UptimeSchema } from "./uptime.ts";

const COLUMNS: readonly Column[] = [
  { header: "NODE" },
  { header: "UP" },
  { header: "LOAD", align: "right" },
  { header: "CORES", align: "right", spare: true },
  { header: "MEMORY", align: "right", spare: true },
  { header: "USERS", align: "right", spare: true },
  { header: "DAEMON", align: "right", spare: true },
  { header: "STARTS", align: "right", spare: true },
  { header: "LINKS", align: "right", spare: true },
  { header: "MESSAGES", align: "right", spare: true },
  { header: "VERSION", spare: true },
];
const MESSAGES_COLUMN = 9;
const STATE_COLUMN = 1;
const LOAD_DIGITS = 2;

/** For Output.table. */
export interface Table {
  readonly columns: readonly Column[];
  readonly rows: readonly (readonly string[])[];
  readonly style: (row: number, column: number) => Style | undefined;
}

interface Row {
  readonly cells: readonly string[];
  readonly failed: boolean;
}

/** One node that answered. */
interface Answer {
  readonly uptime: Uptime;
  /** Starts of the daemon with its key; undefined: the mesh does not know the node any more. */
  readonly starts: number | undefined;
}

export class UptimeReport {
  readonly #result: GroupResult;
  readonly #now: number;
  readonly #picture: MeshPicture;
  readonly #answers = new Map<string, Answer>();

  constructor(result: GroupResult, options: { readonly view: MeshView; readonly now: number }) {
    this.#result = result;
    this.#now = options.now;
    this.#picture = new MeshPicture(options.view);
    for (const [name, value] of result.values) {
      const parsed = v.safeParse(UptimeSchema, value, { abortEarly: true });
      if (!parsed.success) {
        const reason = `Answer is malformed: ${parsed.issues[0].message}`;
        result.answered.delete(name);
        result.failures.set(name, { name, set: "failed", reason });
        continue;
      }
      const starts = this.#picture.byName(name)?.incarnation;
      this.#answers.set(name, { uptime: parsed.output, starts });
    }
  }

  get counts(): GroupCounts {
    return this.#result.counts;
  }

  get failures(): Iterable<NodeFailure> {
    return this.#result.failures.values();
  }

  /**
   * Down or gone before it was asked, or missing: that is an answer, unless somebody asked for this node.
   */
  isKnownDown(name: string): boolean {
    const failure = this.#result.failures.get(name);
    return failure?.set === "unreachable" && failure.since !== undefined &&
      this.#picture.byName(name)?.state !== "up";
  }

  /** What the exit code counts. */
  verdict(given: boolean): { readonly asked: number; readonly failed: number } {
    const { targets, failures } = this.#result;
    const down = given ? 0 : targets.filter((name) => this.isKnownDown(name)).length;
    return { asked: targets.length - down, failed: failures.size - down };
  }

  table(): Table {
    const rows = this.#result.targets.map((name): Row => {
      const answer = this.#answers.get(name);
      if (answer === undefined) return { cells: [name, this.#stateOf(name)], failed: true };
      return { cells: [name, ...cellsOf(answer)], failed: false };
    });
    return tableOf(COLUMNS, rows);
  }

  foldedTable(): Table {
    const columns = COLUMNS.filter((_, column) => column !== MESSAGES_COLUMN);
    const answered = this.#folded().map(({ nodeset, value }): Row => ({
      cells: [nodeset, ...cellsOf(value)].filter((_, column) => column !== MESSAGES_COLUMN),
      failed: false,
    }));
    const states = new Fold<string>();
    for (const name of this.#result.failures.keys()) states.add(name, this.#stateOf(name));
    const failed = states.groups().map(({ nodeset, value }): Row => ({
      cells: [nodeset, value],
      failed: true,
    }));
    return tableOf(columns, [...answered, ...failed]);
  }

  /** "3 up, 1 down, load 0.10 to 1.52". */
  summary(): string {
    const { targets } = this.#result;
    const away = targets.filter((name) => this.isKnownDown(name));
    const missing = away.filter((name) => this.#picture.byName(name) === undefined).length;
    const down = away.length - missing;
    const silent = targets.length - this.#answers.size - away.length;
    const uptimes = [...this.#answers.values()].map(({ uptime }) => uptime);
    const loads = uptimes.map(({ load }) => load[0]);
    const digits = uptimes.every(isCoarse) ? 0 : LOAD_DIGITS;
    return [
      `${this.#answers.size} up`,
      ...(down === 0 ? [] : [`${down} down`]),
      ...(missing === 0 ? [] : [`${missing} missing`]),
      ...(silent === 0 ? [] : [`${silent} without an answer`]),
      ...(loads.length === 0 ? [] : [`load ${rangeOf(loads, digits)}`]),
    ].join(", ");
  }

  json(): unknown[] {
    return this.#result.targets.map((name) => {
      const answer = this.#answers.get(name);
      const node = this.#picture.byName(name);
      const failure = this.#result.failures.get(name);
      return {
        name,
        state: node?.state ?? (this.isKnownDown(name) ? "missing" : null),
        since: node?.since ?? failure?.since ?? null,
        starts: node?.incarnation ?? null,
        uptime: answer?.uptime ?? null,
        failure: failure ?? null,
      };
    });
  }

  foldedJson(): unknown[] {
    return [
      ...this.#folded().map(({ nodeset, value: { uptime, starts } }) => ({
        nodes: nodeset,
        starts: starts ?? null,
        uptime: knownOf(uptime),
        failure: null,
      })),
      ...[...this.failures].map(({ name, ...failure }) => ({
        nodes: name,
        starts: this.#picture.byName(name)?.incarnation ?? null,
        uptime: null,
        failure,
      })),
    ];
  }

  #folded() {
    const fold = new Fold<Answer>();
    for (const [name, answer] of this.#answers) fold.add(name, answer);
    return fold.groups();
  }

  #stateOf(name: string): string {
    const node: NodeView | undefined = this.#picture.byName(name);
    const failure = this.#result.failures.get(name);
    if (!this.isKnownDown(name)) return failure?.set === "refused" ? "refused" : "no answer";
    const since = failure?.since ?? node?.since ?? this.#now;
    // By the clock of the daemon that told us, which may be ahead of ours.
    return `${node?.state ?? "missing"} ${formatDuration(Math.max(0, this.#now - since))}`;
  }
}

/** Without what differs from node to node, and is therefore in no folded answer. */
function knownOf(uptime: Uptime): unknown {
  if (!isCoarse(uptime)) return uptime;
  const { host: _host, bootedMs: _bootedMs, daemon, ...rest } = uptime;
  return { ...rest, daemon: { version: daemon.version, upMs: daemon.upMs, links: daemon.links } };
}

function tableOf(columns: readonly Column[], rows: readonly Row[]): Table {
  return {
    columns,
    rows: rows.map(({ cells }) => columns.map((_, column) => cells[column] ?? "-")),
    style: (row, column) =>
      column === STATE_COLUMN ? (rows[row]?.failed ? "red" : "green") : undefined,
  };
}

/** Without the first column. */
function cellsOf({ uptime, starts }: Answer): string[] {
  const { load, daemon, users, cores, upMs } = uptime;
  return [
    formatDuration(upMs),
    load.map((each) => each.toFixed(isCoarse(uptime) ? 0 : LOAD_DIGITS)).join(" "),
    String(cores),
    memoryText(uptime),
    users === null ? "-" : String(users),
    // A coarse answer has no time below a minute.
    daemon.upMs === 0 ? "< 1 min" : formatDuration(daemon.upMs),
    starts === undefined ? "-" : String(starts),
    String(daemon.links),
    String(daemon.messages),
    daemon.version,
  ];
}

function memoryText(uptime: Uptime): string {
  const { totalBytes, freeBytes } = uptime.memory;
  // No tenth of it: not nothing.
  const used = isCoarse(uptime) && freeBytes === totalBytes
    ? "under 5 %"
    : formatSize(totalBytes - freeBytes);
  return `${used} of ${formatSize(totalBytes)}`;
}

function rangeOf(numbers: readonly number[], digits: number): string {
  const low = numbers.reduce((least, each) => Math.min(least, each), Infinity).toFixed(digits);
  const high = numbers.reduce((most, each) => Math.max(most, each), 0).toFixed(digits);
  return low === high ? low : `${low} to ${high}`;
}
