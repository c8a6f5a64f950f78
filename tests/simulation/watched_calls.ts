/**
 * Group operations that run while a simulated mesh is being broken, and what must be true of each:
 * it ends in time, every target is accounted for once, what was answered did run, what "never
 * started" did not, and nothing ran twice on one target.
 */

import { parseRequest } from "../../core/security/request.ts";
import { CallError, errorText, UsageError } from "../../core/mod.ts";
import { START_SKEW_MS } from "../../modules/group/limits.ts";
import type { GroupResult } from "../../modules/shared/group_result.ts";
import { GROUP_SLACK_MS, GROUP_START_MS_DEFAULT } from "../../modules/shared/limits.ts";
import type { Faults } from "./faults.ts";
import type { MeshSimulation } from "./mesh_simulation.ts";
import type { SeededRandom } from "./random.ts";
import type { Life, SimulatedNode } from "./simulated_node.ts";

/** Timers that are due at the same moment as the deadline, and the way back of what they end. */
const LATE_MS_MAX = 200;

const KINDS = ["ping", "uptime", "count", "guarded", "guarded twice"] as const;

interface WatchedCall {
  readonly text: string;
  readonly kind: typeof KINDS[number];
  readonly life: Life;
  readonly startedAt: number;
  readonly dueAt: number;
  /** Of a guarded one. */
  readonly requestId: string | undefined;
  endedAt: number | undefined;
  result: GroupResult | undefined;
  error: unknown;
}

export class WatchedCalls {
  readonly #mesh: MeshSimulation;
  readonly #random: SeededRandom;
  readonly #calls: WatchedCall[] = [];

  constructor(mesh: MeshSimulation, random: SeededRandom) {
    this.#mesh = mesh;
    this.#random = random;
  }

  /** Nothing more is to come of any. */
  get over(): boolean {
    return this.#calls.every(({ endedAt, life }) => endedAt !== undefined || life.over);
  }

  get list(): readonly WatchedCall[] {
    return this.#calls;
  }

  /** Schedules one operation by chance, between two moments of virtual time from now. */
  plan(fromMs: number, toMs: number): void {
    const at = fromMs + this.#random.fraction() * (toMs - fromMs);
    const draw = this.#random.fork(`call ${at}`);
    this.#mesh.simulation.after(at, () => this.begin(draw));
  }

  /** One operation now, from a node by chance that knows the mesh. */
  begin(draw: SeededRandom): void {
    const { nodes, simulation } = this.#mesh;
    // Nobody asks a daemon that sleeps: what it is asked begins when it wakes.
    const ready = nodes.filter(({ name, running }) =>
      running?.picture !== undefined && !running.over && !simulation.frozen(name)
    );
    if (ready.length === 0) return;
    const origin = ready[draw.below(ready.length)] as SimulatedNode;
    const kind = KINDS[draw.below(KINDS.length)] as WatchedCall["kind"];
    const deadlineMs = 500 + draw.below(8_000);
    const progress = draw.below(3) === 0 ? { onPart: () => {} } : {};
    const workMs = draw.below(2) === 0 ? 0 : draw.below(1_000);
    const other = ready[draw.below(ready.length)] as SimulatedNode;
    switch (kind) {
      case "ping":
        return this.#watch(origin, kind, {
          steps: [{ verb: "core.ping" }],
          reduce: { kind: "list" },
          deadlineMs,
          ...progress,
        });
      case "uptime":
        return this.#watch(origin, kind, {
          steps: [{ verb: "uptime.get", args: { coarse: true } }],
          deadlineMs,
          ...progress,
        });
      case "count":
        return this.#watch(origin, kind, {
          steps: [{ verb: "core.ping" }],
          reduce: { kind: "count" },
          deadlineMs,
          ...progress,
        });
      case "guarded":
      case "guarded twice": {
        const { keys, user } = this.#mesh;
        const signed = keys.sign(user, { verb: "tally.add", args: { ms: workMs } });
        this.#watch(origin, kind, { signed, deadlineMs, ...progress });
        // A user who lost patience asks another node to carry the same order.
        if (kind === "guarded twice") this.#watch(other, kind, { signed, deadlineMs });
      }
    }
  }

  /**
   * What is wrong with the calls, now that every one of them should be over. While a node is frozen,
   * nothing that it began can end.
   */
  problems({ frozenMs, clocksJumped }: Pick<Faults, "frozenMs" | "clocksJumped">): string[] {
    const ofCalls = this.#calls.flatMap((call) =>
      this.#judge(call, frozenMs.get(call.life.self.identity.name) ?? 0)
    );
    return [...ofCalls, ...this.#ranTwice(), ...clocksJumped ? [] : this.#ranLate()];
  }

  #watch(
    origin: SimulatedNode,
    kind: WatchedCall["kind"],
    options: Parameters<MeshSimulation["call"]>[1] & { readonly deadlineMs: number },
  ): void {
    const { simulation } = this.#mesh;
    const startedAt = simulation.now;
    const call: WatchedCall = {
      text: `${kind} from ${origin.name} at ${startedAt.toFixed(0)} ms`,
      kind,
      life: origin.running as Life,
      startedAt,
      dueAt: startedAt + options.deadlineMs + GROUP_SLACK_MS + LATE_MS_MAX,
      requestId: options.signed === undefined ? undefined : parseRequest(options.signed).requestId,
      endedAt: undefined,
      result: undefined,
      error: undefined,
    };
    this.#calls.push(call);
    this.#mesh.call(origin.name, options).then(
      (result) => void (call.result = result),
      (error: unknown) => void (call.error = error),
    ).finally(() => void (call.endedAt = simulation.now));
  }

  #judge(call: WatchedCall, frozenMs: number): string[] {
    const { text, life, endedAt, dueAt, result, error } = call;
    const patient = !(error instanceof CallError && error.class === "timeout" && frozenMs > 0);
    // The caller slept in the same process, and its own patience was over when both woke.
    if (result === undefined && !patient) return [];
    // Whoever dies or leaves in the middle owes no answer; what it gave still has to be right.
    if (result === undefined && life.over) return [];
    if (endedAt === undefined) return [`${text}: never ended`];
    const problems: string[] = [];
    if (result === undefined) {
      const known = error instanceof CallError || error instanceof UsageError;
      problems.push(`${text}: ${known ? "failed as a whole" : "broke"}: ${errorText(error)}`);
    } else problems.push(...this.#judgeResult(call, result));
    if (endedAt > dueAt + frozenMs) {
      problems.push(`${text}: ended ${(endedAt - dueAt).toFixed(0)} ms too late`);
    }
    return problems;
  }

  #judgeResult({ text, kind, requestId }: WatchedCall, result: GroupResult): string[] {
    const problems: string[] = [];
    const { asked, answered, failed, refused, unreachable, timedOut } = result.counts;
    if (asked !== answered + failed + refused + unreachable + timedOut) {
      problems.push(`${text}: ${JSON.stringify(result.counts)} does not add up`);
    }
    for (const [name, value] of kind === "ping" ? result.values : []) {
      if ((value as { name: string }).name === name) continue;
      problems.push(`${text}: "${name}" has the answer of another node`);
    }
    if (kind === "count" && result.reduced !== answered) {
      problems.push(`${text}: counted ${String(result.reduced)} of ${answered}`);
    }
    if (requestId === undefined) return problems;
    for (const name of result.answered) {
      if (this.#runsOf(name, requestId) === 0) problems.push(`${text}: never ran on ${name}`);
    }
    for (const [name, { ran, set, reason }] of result.failures) {
      const never = ran === "never" || (set === "refused" && ran === undefined);
      if (!never || kind === "guarded twice" || this.#runsOf(name, requestId) === 0) continue;
      problems.push(`${text}: ran on ${name}, which was told as "${set}, never": ${reason}`);
    }
    return problems;
  }

  /** Clocks differ, which hosts know of each other; when one jumps, they do not know at once. */
  #ranLate(): string[] {
    const problems: string[] = [];
    for (const { text, requestId, startedAt } of this.#calls) {
      if (requestId === undefined) continue;
      const latest = startedAt + GROUP_START_MS_DEFAULT + START_SKEW_MS + LATE_MS_MAX;
      for (const { name, lives } of this.#mesh.nodes) {
        for (const { ranAt } of lives) {
          const at = ranAt.get(requestId) ?? 0;
          if (at <= latest) continue;
          problems.push(
            `${text}: began on ${name} ${(at - startedAt).toFixed(0)} ms after it was asked`,
          );
        }
      }
    }
    return problems;
  }

  #runsOf(name: string, requestId: string): number {
    const { lives } = this.#mesh.node(name);
    return lives.reduce((sum, { tally }) => sum + (tally.get(requestId) ?? 0), 0);
  }

  /**
   * A new key is another identity, for which no earlier request is valid. Of one key each life is
   * looked at by itself: these daemons keep their journal in memory.
   */
  #ranTwice(): string[] {
    const ids = new Set(this.#calls.flatMap(({ requestId }) => requestId ?? []));
    const problems: string[] = [];
    for (const { name, lives } of this.#mesh.nodes) {
      for (const id of ids) {
        const lifetimes = new Map<string, number>();
        for (const { self, tally } of lives) {
          const { keyId } = self.identity;
          lifetimes.set(keyId, Math.max(lifetimes.get(keyId) ?? 0, tally.get(id) ?? 0));
        }
        const runs = [...lifetimes.values()].reduce((sum, each) => sum + each, 0);
        if (runs > 1) problems.push(`request ${id.slice(0, 8)} ran ${runs} times on ${name}`);
      }
    }
    return problems;
  }
}
