/**
 * A daemon that gets its certificate from whoever boots it. Keys are made here, live in memory
 * only, and die with the process. What it leaves in its state folder while it runs: socket, pid,
 * log, audit; after an orderly end only the audit.
 */

import {
  choosePrimitives,
  errorText,
  JournalMemory,
  keyIdOf,
  meshIdOf,
  type Minimed,
  NO_REVOCATIONS,
  POLICY_LIMITS_DEFAULT,
  type Primitives,
  raiseFileLimit,
  type Self,
  signCertificateRequest,
  type Trust,
  verifyChain,
  verifyPolicy,
} from "../../core/mod.ts";
import { NotAdmittedError, requestAdmission } from "../shared/admission.ts";
import type { CommandContext } from "../shared/command.ts";
import { trustOf } from "../shared/credentials.ts";
import { type Admit, formatEnrolment } from "../shared/enrolment.ts";
import { EXIT } from "../shared/exit_code.ts";
import { statePaths, stateRoot } from "../shared/state_folder.ts";
import { fileTarget, startLog } from "./daemon_log.ts";
import { DaemonPlace, StartError } from "./daemon_place.ts";
import { serve } from "./daemon_service.ts";
import { Replacement } from "./replacement.ts";
import { leave, resume } from "./resumed_daemon.ts";

export interface EnrolOptions {
  readonly mesh: string;
  readonly name: string;
  readonly listen: readonly string[];
}

interface Keys {
  readonly signSeed: Uint8Array;
  readonly signPublicKey: Uint8Array;
  readonly dh: { readonly secret: Uint8Array; readonly publicKey: Uint8Array };
}

/** Returns when the daemon has stopped. */
export async function runEnrolled(
  context: CommandContext,
  options: EnrolOptions,
): Promise<number> {
  raiseFileLimit();
  try {
    return await runDaemon(context, options);
  } catch (error) {
    const otherwise = error instanceof NotAdmittedError ? "refused" : "other";
    const reason = error instanceof StartError ? error.reason : otherwise;
    const message = errorText(error);
    context.out.write(formatEnrolment({ word: "fail", value: { reason, message } }));
    return EXIT.allFailed;
  }
}

async function runDaemon(context: CommandContext, options: EnrolOptions): Promise<number> {
  const { env } = context;
  const paths = statePaths(stateRoot(env), options.mesh, options.name);
  const place = await DaemonPlace.claim(env, paths);
  const replacement = new Replacement(env);
  let secrets: Uint8Array | undefined;
  try {
    using primitives = await choosePrimitives().catch((cause) => {
      throw new StartError("self-test", errorText(cause), { cause });
    });
    const before = resume(env, primitives);
    for (const endpoint of before?.listen ?? options.listen) await place.bind(endpoint);
    const begun = before ?? await begin(context, { options, primitives, place });
    const { self, trust, segment, endpoints, peers } = begun;
    const incarnation = (before?.incarnation ?? 0) + 1;
    const earlier = before?.ran ?? [];
    const journal = new JournalMemory({ now: () => env.clock.now(), earlier });
    let running: Minimed | undefined;
    await serve(context, {
      self,
      trust,
      primitives,
      place,
      logging: await startLog(env, fileTarget(env, paths.log)),
      modules: {
        mesh: { segment, endpoints: () => endpoints, peers, incarnation },
        upgrade: { folder: paths.folder, goOnAs: (next) => replacement.goOnAs(next) },
      },
      journal,
      comesBack: false,
      // An older program, or one that did not come up, has left nothing of what it ran.
      ...(before === undefined ? {} : { requestsSinceMs: env.clock.now() }),
      onUp(daemon) {
        running = daemon;
        if (before !== undefined) return before.forget();
        const value = { endpoints: [...daemon.endpoints()], pid: env.processes.pid };
        context.out.write(formatEnrolment({ word: "up", value }));
      },
    });
    const { next } = replacement;
    if (next !== undefined && running !== undefined) {
      const facts = {
        segment,
        endpoints: [...endpoints],
        listen: place.endpoints,
        incarnation,
        ran: [...journal.records],
      };
      secrets = leave({ ...self, identity: running.self }, running.trust, {
        facts,
        nodes: next.nodes,
      });
    }
  } finally {
    // The audit stays, because it must not be in a node's power to forget what was asked of it.
    const more = replacement.next === undefined ? [paths.log, `${paths.log}.1`] : [];
    await place.leave(more);
  }
  if (!context.signal.aborted) await replacement.run(secrets);
  return EXIT.ok;
}

interface Begun {
  readonly self: Self;
  readonly trust: Trust;
  readonly segment: string;
  readonly endpoints: readonly string[];
  readonly peers: Admit["peers"];
}

/** A new node, with new keys. */
async function begin(
  context: CommandContext,
  parts: {
    readonly options: EnrolOptions;
    readonly primitives: Primitives;
    readonly place: DaemonPlace;
  },
): Promise<Begun> {
  const { primitives } = parts;
  const keys = makeKeys(context, primitives);
  const admit = await enrol(context, { ...parts, keys });
  const { segment, endpoints, peers } = admit;
  return { ...accept(context, { admit, keys, primitives }), segment, endpoints, peers };
}

function makeKeys(context: CommandContext, primitives: Primitives): Keys {
  const { random } = context.env;
  const signSeed = random.bytes(32);
  const secret = random.bytes(32);
  return {
    signSeed,
    signPublicKey: primitives.signPublicKey(signSeed),
    dh: { secret, publicKey: primitives.dhPublicKey(secret) },
  };
}

/** Sends the request and waits for the answer. */
async function enrol(
  context: CommandContext,
  parts: {
    readonly options: EnrolOptions;
    readonly keys: Keys;
    readonly primitives: Primitives;
    readonly place: DaemonPlace;
  },
): Promise<Admit> {
  const { env } = context;
  const { keys: { signSeed, dh }, primitives, options: { name }, place } = parts;
  const request = signCertificateRequest(primitives, {
    signSeed,
    dhPublicKey: dh.publicKey,
    name,
    meshId: new Uint8Array(16),
    now: Math.floor(env.clock.now()),
  });
  return await requestAdmission(context, {
    request: request.bytes.toBase64(),
    endpoints: place.endpoints,
    pid: env.processes.pid,
  });
}

/** Who we are from now on, after the same checks that others will make. */
function accept(
  context: CommandContext,
  parts: { readonly admit: Admit; readonly keys: Keys; readonly primitives: Primitives },
): { readonly self: Self; readonly trust: Trust } {
  const { admit, keys, primitives } = parts;
  const { clock, random } = context.env;
  const rootPublicKey = Uint8Array.fromBase64(admit.root);
  const base = {
    primitives,
    rootPublicKey,
    psk: Uint8Array.fromBase64(admit.psk),
  };
  const meshId = meshIdOf(primitives, rootPublicKey);
  const verifying = {
    meshId,
    rootPublicKey,
    now: clock.now(),
    revocations: NO_REVOCATIONS,
    skewMs: POLICY_LIMITS_DEFAULT.clockSkewMs,
  };
  const policyDocument = verifyPolicy(primitives, {
    ...verifying,
    bytes: Uint8Array.fromBase64(admit.policy),
  });
  const chain = [admit.certificate, ...(admit.issuer === undefined ? [] : [admit.issuer])];
  const identity = verifyChain(primitives, {
    ...verifying,
    chain: chain.map((text) => Uint8Array.fromBase64(text)),
    types: ["node"],
  });
  if (identity.keyId !== keyIdOf(primitives, keys.signPublicKey)) {
    throw new StartError("refused", `Certificate of "${identity.name}" is not for our key`);
  }
  return {
    trust: trustOf({ ...base, policy: policyDocument.policy, policyDocument }),
    self: { identity, signSeed: keys.signSeed, dh: keys.dh, instance: random.bytes(16) },
  };
}
