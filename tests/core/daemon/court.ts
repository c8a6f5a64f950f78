/** A dispatcher and its guard with everything real behind them but the clock and the audit's disk. */

import assert from "node:assert/strict";
import * as v from "valibot";
import type { Conduit, Peer } from "../../../core/conduit/conduit.ts";
import { Dispatcher } from "../../../core/daemon/dispatch.ts";
import { Guard } from "../../../core/daemon/guard.ts";
import { Incoming } from "../../../core/daemon/incoming.ts";
import { type Context, type Verb, verb } from "../../../core/daemon/module.ts";
import type { StepResult } from "../../../core/daemon/step.ts";
import { CallError, errorText } from "../../../core/errors.ts";
import type { Self, Trust } from "../../../core/mod.ts";
import type { AuditOutcome, AuditRecord } from "../../../core/security/audit.ts";
import { Journal, type JournalOptions } from "../../../core/security/journal.ts";
import { KIND } from "../../../core/wire/message.ts";
import { ManualClock } from "../../support/manual_clock.ts";
import { MeshKeys, testPrimitives } from "../../support/mesh_keys.ts";
import { message } from "../conduit/messages.ts";

/** Executed verbs, in order: "verb as user". */
export type Ran = string[];

export interface CourtOptions {
  readonly trust?: (keys: MeshKeys) => Partial<Trust>;
  readonly self?: (keys: MeshKeys, clock: ManualClock) => Self;
  readonly journal?: Partial<JournalOptions<StepResult[]>>;
  readonly sinceMs?: number;
  readonly audit?: (record: AuditRecord) => Promise<void>;
}

export class Court {
  readonly clock: ManualClock;
  readonly keys: MeshKeys;
  readonly self: Self;
  readonly user: Self;
  readonly audited: AuditRecord[] = [];
  readonly outcomes: AuditOutcome[] = [];
  readonly logged: string[] = [];
  readonly ran: Ran = [];
  /** What verbs streamed to those who asked. */
  readonly items: unknown[] = [];
  /** What those who ask stream into the request. */
  input: readonly unknown[] = [];
  readonly dispatcher: Dispatcher;
  readonly journal: Journal<StepResult[]>;
  trust: Trust;

  constructor(keys: MeshKeys, clock: ManualClock, options: CourtOptions) {
    this.clock = clock;
    this.keys = keys;
    this.self = options.self?.(keys, clock) ?? keys.person({ name: "n1", groups: ["compute"] });
    this.user = keys.person({ name: "alice", type: "user" });
    this.trust = keys.trust(options.trust?.(keys));
    this.journal = new Journal({ clock, sizeOf: () => 100, ...options.journal });
    this.dispatcher = new Dispatcher(
      new Guard({
        clock,
        primitives: keys.primitives,
        trust: () => this.trust,
        self: this.self,
        journal: this.journal,
        sinceMs: options.sinceMs ?? 0,
        auditOutcome: (record) => {
          this.outcomes.push(record);
          return Promise.resolve();
        },
        audit: options.audit ?? ((record) => {
          this.audited.push(record);
          return Promise.resolve();
        }),
        log: (_level, text) => this.logged.push(text),
      }),
    );
  }

  /** Declares `module.name` of the class; it notes that it ran, and on whose authority. */
  declare(
    full: string,
    action: Verb["action"],
    handle?: (args: unknown, context: Context) => unknown,
  ): void {
    const [module = "", name = ""] = full.split(".");
    const declared = verb({
      action,
      args: v.optional(v.unknown()),
      reply: v.unknown(),
      handle: (args, context) => {
        const { principal } = context;
        this.ran.push(principal.kind === "signed" ? `${full} as ${principal.as}` : full);
        return handle === undefined ? `${full} done` : handle(args, context);
      },
    });
    this.dispatcher.add(module, { [name]: declared });
  }

  /** One request as it comes over a conduit to that peer. */
  async ask(name: string, body?: unknown, options: {
    readonly peer?: Peer;
    readonly signed?: boolean;
  } = {}): Promise<unknown> {
    const { peer = { kind: "local" }, signed = false } = options;
    const conduit = { peer } as Conduit;
    const request = message(body, { kind: KIND.request, verb: name, signed });
    const incoming = new Incoming(request, conduit, this.clock);
    for (const item of this.input) {
      incoming.receive({ ...request, kind: KIND.item, body: item, weight: 1 });
    }
    incoming.receive({ ...request, kind: KIND.end });
    const result = await this.dispatcher.serve(incoming);
    if (!isGenerator(result)) return result;
    for (;;) {
      const next = await result.next();
      if (next.done) return next.value;
      this.items.push(next.value);
    }
  }

  /** What came of it: "ok", or "class: text". */
  async verdict(...args: Parameters<Court["ask"]>): Promise<string> {
    try {
      await this.ask(...args);
      return "ok";
    } catch (error) {
      return `${(error as { class?: string }).class}: ${errorText(error)}`;
    }
  }

  /** A request signed by `signer`, the user unless told otherwise. */
  sign(verbName: string, options: Partial<Parameters<MeshKeys["sign"]>[1]> & {
    readonly signer?: Self;
    readonly keys?: MeshKeys;
  } = {}): Uint8Array {
    const { signer = this.user, keys = this.keys, ...rest } = options;
    return keys.sign(signer, { verb: verbName, ...rest });
  }
}

/** Runs a scenario; the court holds nothing afterwards. */
export async function court(
  run: (court: Court) => Promise<void>,
  options: CourtOptions = {},
): Promise<void> {
  const clock = new ManualClock();
  const random = {
    bytes: (length: number) => crypto.getRandomValues(new Uint8Array(length)),
  };
  const keys = new MeshKeys(await testPrimitives(), { random, now: () => clock.now() });
  const made = new Court(keys, clock, options);
  try {
    await run(made);
  } finally {
    made.journal[Symbol.dispose]();
  }
}

/** A guarded verb. */
export const VERB = "exec.run";
export const SIGNED = { signed: true };

/** A court where VERB is declared. */
export async function withVerb(
  run: (bench: Court) => Promise<void>,
  options: CourtOptions = {},
): Promise<void> {
  await court(async (bench) => {
    bench.declare(VERB, "guarded");
    await run(bench);
  }, options);
}

function reasonOf(error: unknown): unknown {
  assert.ok(error instanceof CallError, String(error));
  return error.detail?.reason;
}

/** Refused by the guard, for that reason and with that in its text. */
export async function isRefused(
  asking: Promise<unknown>,
  reason: string,
  text: string,
): Promise<void> {
  await assert.rejects(asking, (error: unknown) => {
    assert.equal(reasonOf(error), reason, String(error));
    assert.equal((error as CallError).class, "refused");
    assert.ok((error as Error).message.includes(text), (error as Error).message);
    return true;
  });
}

function isGenerator(value: unknown): value is AsyncGenerator<unknown, unknown, void> {
  return typeof value === "object" && value !== null && Symbol.asyncIterator in value;
}
