/**
 * The gate of guarded verbs. A signed request is verified, each of its verbs is judged by the
 * policy, it is entered into the journal without an await before that, audited, and only then run;
 * a copy gets the first one's reply and runs nothing (SECURITY.md 3 and 4).
 */

import type { Clock } from "../environment/environment.ts";
import { AuthenticationError, CallError, errorText, ProtocolError } from "../errors.ts";
import { STEPS_MAX } from "../limits.ts";
import type { Log } from "../log.ts";
import type { AuditOutcome, AuditRecord } from "../security/audit.ts";
import type { Journal, JournalRecord } from "../security/journal.ts";
import { formatDestination, judge } from "../security/policy.ts";
import type { Primitives } from "../crypto/primitives.ts";
import { parseRequest, SEQUENCE_VERB, type SignedRequest } from "../security/request.ts";
import type { Self, Trust } from "../security/trust.ts";
import { type VerifiedRequest, verifyRequest } from "../security/verify_request.ts";
import { decodeValue } from "../wire/codec.ts";
import { fromHex, toHex } from "../wire/bytes.ts";
import type { Principal } from "./module.ts";
import type { Step, StepResult } from "./step.ts";

/** The one verb that is not held up by an audit log that cannot be written (SECURITY.md 3). */
const UNAUDITED_VERB = "core.shutdown";

export interface GuardOptions {
  readonly clock: Clock;
  readonly primitives: Primitives;
  readonly trust: () => Trust;
  readonly self: Self;
  readonly journal: Journal<StepResult[]>;
  /** Unix ms: what was issued before may have run in a life that nobody remembers. */
  readonly sinceMs: number;
  /** Rejects when the record could not be written. */
  readonly audit: (record: AuditRecord) => Promise<void>;
  readonly auditOutcome: (record: AuditOutcome) => Promise<void>;
  /** Told of requests that fail before the policy is asked, which are not in the audit. */
  readonly log: Log;
}

export interface GuardedRun {
  /** The verb that the message named; it must be the request's. @default any */
  readonly verb?: string;
  /** Of the conduit that brought it, as hex, when its other end is a user's program. */
  readonly session?: string;
  /** Whether that verb may be granted to nodes as well. */
  readonly forNodes: (verb: string) => boolean;
  /** Beside a request whose target list is only hashed. */
  readonly listedNames?: readonly string[];
  /** Executes what was allowed; the result is what copies get too, whichever way they come. */
  readonly run: (
    steps: readonly AllowedStep[],
    how: { readonly bound: boolean },
  ) => Promise<StepResult[]>;
  /** What the audit shall say of the result of one step; undefined: nothing. */
  readonly outcomeOf: (step: Step, result: StepResult) => string | undefined;
}

/** A step, and on whose authority it runs: rules may allow different steps as different users. */
export interface AllowedStep extends Step {
  readonly principal: Principal;
}

export class Guard {
  readonly #options: GuardOptions;

  constructor(options: GuardOptions) {
    this.#options = options;
  }

  /** Resolves with what `run` returned, here or for the first copy. Rejects with CallError. */
  async run(bytes: Uint8Array, guarded: GuardedRun): Promise<StepResult[]> {
    const { request, identity, rememberUntilMs, steps } = this.#read(bytes, guarded);
    const verdicts = this.#judge({ request, identity, steps }, guarded);
    const record = {
      keyId: identity.keyId,
      requestId: request.requestId,
      untilMs: rememberUntilMs,
      // As with the audit: a full disk must not keep anybody from stopping a daemon.
      mayBeLost: request.verb === UNAUDITED_VERB,
    };
    const allowed: AllowedStep[] = [];
    for (const [index, verdict] of verdicts.entries()) {
      if (!verdict.allowed) continue;
      const { allowed: _, ...grant } = verdict;
      const { requestId } = request;
      const principal = { kind: "signed", identity, requestId, ...grant } as const;
      allowed.push({ ...steps[index] as Step, principal });
    }
    return await this.#once(record, async () => {
      const last = verdicts.at(-1) as Verdict;
      await this.#audit({ request, identity, steps }, last);
      if (!last.allowed) {
        throw new CallError("refused", last.why, { detail: { reason: "policy" } });
      }
      const results = await guarded.run(allowed, { bound: request.bind !== undefined });
      for (const [index, result] of results.entries()) {
        const outcome = guarded.outcomeOf(steps[index] as Step, result);
        if (outcome !== undefined) await this.#auditOutcome({ request, identity, steps }, outcome);
      }
      return results;
    });
  }

  #once(
    record: JournalRecord,
    run: () => Promise<StepResult[]>,
  ): Promise<StepResult[]> {
    try {
      return this.#options.journal.once(record, run).promise;
    } catch (cause) {
      throw refusal(cause);
    }
  }

  #read(bytes: Uint8Array, guarded: GuardedRun): Read & VerifiedRequest {
    try {
      const verified = this.#verify(bytes, guarded);
      return { ...verified, steps: decodeSteps(verified.request) };
    } catch (error) {
      this.#options.log("warning", `Signed request was not judged: ${errorText(error)}`);
      throw error;
    }
  }

  #verify(bytes: Uint8Array, guarded: GuardedRun): VerifiedRequest {
    const { primitives, self, clock } = this.#options;
    const trust = this.#options.trust();
    try {
      const request = parseRequest(bytes);
      if (guarded.verb !== undefined && guarded.verb !== request.verb) {
        throw new AuthenticationError(
          "malformed",
          `Request was signed for "${request.verb}" and not for "${guarded.verb}"`,
        );
      }
      return verifyRequest(primitives, {
        request,
        meshId: trust.meshId,
        rootPublicKey: trust.rootPublicKey,
        now: clock.now(),
        revocations: trust.revocations,
        cache: trust.verified,
        skewMs: trust.policy.limits.clockSkewMs,
        ttlMaxMs: trust.policy.limits.requestTtlMaxMs,
        self: self.identity,
        ownNotBefore: Math.max(self.identity.notBefore, this.#options.sinceMs),
        // Of nodes only what is one verb and may be theirs: no sequence is.
        ...(guarded.forNodes(request.verb) ? { signers: USERS_AND_NODES } : {}),
        ...(guarded.session === undefined ? {} : { bind: fromHex(guarded.session) }),
        ...(guarded.listedNames === undefined ? {} : { listedNames: guarded.listedNames }),
      });
    } catch (cause) {
      throw refusal(cause);
    }
  }

  /** Of each step, up to the first that is refused: then none of them runs. */
  #judge(
    { request, identity, steps }: Read,
    { forNodes }: Pick<GuardedRun, "forNodes">,
  ): Verdict[] {
    const { policy } = this.#options.trust();
    const self = this.#options.self.identity;
    const verdicts: Verdict[] = [];
    for (const step of steps) {
      const argv = argvOf(step.args);
      const destination = destinationOf(step.args);
      const path = pathOf(step.args);
      const verdict = judge(policy, {
        principal: identity,
        verb: step.verb,
        as: request.as,
        self,
        forNodes: forNodes(step.verb),
        ...(argv === undefined ? {} : { argv, bendsCommand: bendsCommand(step.args) }),
        ...(destination === undefined ? {} : { destination }),
        ...(path === undefined ? {} : { path }),
      });
      verdicts.push(verdict);
      if (!verdict.allowed) break;
    }
    return verdicts;
  }

  /** It has run: a record that cannot be written changes nothing any more, but must not be missed. */
  async #auditOutcome({ request, identity }: Read, outcome: string): Promise<void> {
    const { auditOutcome, clock, self, log } = this.#options;
    try {
      await auditOutcome({
        time: clock.now(),
        node: self.identity.name,
        requestId: request.requestId,
        verb: request.verb,
        principal: identity.name,
        keyId: identity.keyId,
        outcome,
      });
    } catch (error) {
      log("error", `Audit of an outcome cannot be written: ${errorText(error)}`);
    }
  }

  async #audit({ request, identity, steps }: Read, verdict: Verdict): Promise<void> {
    const destination = steps.map(({ args }) => destinationOf(args)).find((each) =>
      each !== undefined
    );
    const { audit, clock, primitives, self } = this.#options;
    try {
      await audit({
        time: clock.now(),
        node: self.identity.name,
        requestId: request.requestId,
        verb: request.verb,
        principal: identity.name,
        keyId: identity.keyId,
        target: targetText(request),
        as: verdict.allowed ? verdict.as : request.as,
        ...(destination === undefined ? {} : { destination }),
        allowed: verdict.allowed,
        ...(verdict.allowed ? { rule: verdict.rule } : { why: verdict.why }),
        argumentsHash: toHex(primitives.sha256(request.arguments)),
      });
    } catch (cause) {
      const required = this.#options.trust().policy.limits.audit === "required";
      if (!required || request.verb === UNAUDITED_VERB) return;
      throw new CallError("refused", `Audit record cannot be written: ${errorText(cause)}`);
    }
  }
}

function refusal(cause: unknown): unknown {
  if (!(cause instanceof AuthenticationError || cause instanceof ProtocolError)) return cause;
  const reason = cause instanceof AuthenticationError ? cause.reason : "malformed";
  return new CallError("refused", cause.message, { detail: { reason }, cause });
}

function targetText({ targets }: SignedRequest): string {
  if (targets.kind === "names") return targets.names.join(",");
  if (targets.kind === "groups") return targets.groups.map((group) => `@${group}`).join(",");
  return targets.kind === "all" ? "all" : `list ${toHex(targets.hash)}`;
}

type Verdict = ReturnType<typeof judge>;
type Read = Pick<VerifiedRequest, "request" | "identity"> & { readonly steps: readonly Step[] };
const USERS_AND_NODES = ["user", "node"] as const;

/** One verb with its arguments, or a sequence of [verb, arguments]. */
function decodeSteps(request: SignedRequest): Step[] {
  let value: unknown;
  try {
    value = request.arguments.length === 0 ? undefined : decodeValue(request.arguments);
  } catch (cause) {
    throw new CallError("invalid", `Arguments of the request are wrong: ${errorText(cause)}`);
  }
  if (request.verb !== SEQUENCE_VERB) return [{ verb: request.verb, args: value }];
  if (!Array.isArray(value) || value.length === 0 || value.length > STEPS_MAX) {
    throw new CallError("invalid", `A sequence has 1 to ${STEPS_MAX} verbs`);
  }
  return value.map((step: unknown) => {
    const isStep = Array.isArray(step) && (step.length === 1 || step.length === 2);
    if (!isStep || typeof step[0] !== "string") {
      throw new CallError("invalid", "A step of a sequence is [verb] or [verb, arguments]");
    }
    return { verb: step[0], args: step[1] };
  });
}

/** Verbs that run programs carry them as `argv`; policy may restrict which. */
function argvOf(args: unknown): string[] | undefined {
  if (typeof args !== "object" || args === null || !("argv" in args)) return undefined;
  const { argv } = args;
  if (!Array.isArray(argv)) return undefined;
  return argv.every((word) => typeof word === "string") ? argv : undefined;
}

/** They may bring `variables` and a `folder`, which change what a command does. */
function bendsCommand(args: unknown): boolean {
  const { variables, folder } = args as { variables?: unknown; folder?: unknown };
  const isPlain = variables === undefined || (Array.isArray(variables) && variables.length === 0);
  return !isPlain || folder !== undefined;
}

/** Verbs that open connections name where to as `host` and `port`; policy may restrict which. */
function destinationOf(args: unknown): string | undefined {
  if (typeof args !== "object" || args === null || !("host" in args && "port" in args)) {
    return undefined;
  }
  const { host, port } = args;
  return typeof host === "string" && typeof port === "number"
    ? formatDestination(host, port)
    : undefined;
}

/** Verbs that read or write files carry which as `path`; policy may restrict where. */
function pathOf(args: unknown): string | undefined {
  if (typeof args !== "object" || args === null || !("path" in args)) return undefined;
  return typeof args.path === "string" ? args.path : undefined;
}
