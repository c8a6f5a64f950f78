/**
 * A daemon that gets its certificate from whoever boots it. Keys are made here, live in memory
 * only, and die with the process. What it leaves in its state folder while it runs: socket, pid,
 * log, audit; after an orderly end only the audit.
 */

import {
  choosePrimitives,
  ConnectionError,
  errorText,
  FileError,
  formatEndpoint,
  keyIdOf,
  Minimed,
  MinimeError,
  NO_REVOCATIONS,
  parseEndpoint,
  type PipeListener,
  POLICY_LIMITS_DEFAULT,
  type Primitives,
  raiseFileLimit,
  type Self,
  signCertificate,
  type Trust,
  verifyChain,
  verifyPolicy,
} from "../../core/mod.ts";
import { createModules } from "../mod.ts";
import type { CommandContext } from "../shared/command.ts";
import { trustOf } from "../shared/credentials.ts";
import { type Admit, type Fail, formatEnrolment, parseEnrolment } from "../shared/enrolment.ts";
import { EXIT } from "../shared/exit_code.ts";
import { readLines } from "../shared/lines.ts";
import { livingProcess, writePidFile } from "../shared/pid_file.ts";
import { makeStateFolder, type StatePaths, statePaths, stateRoot } from "../shared/state_folder.ts";
import { fileTarget, startLog } from "./daemon_log.ts";
import { reserving } from "./reserved_network.ts";

/** How long whoever boots us may take to answer our request. */
const ADMIT_MS_MAX = 120_000;
/** A request for a certificate says nothing about validity; the field must hold something. */
const CSR_VALIDITY_MS = 3_600_000;

export interface EnrolOptions {
  readonly mesh: string;
  readonly node: string;
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
    const reason = error instanceof EnrolmentError ? error.reason : "other";
    const message = errorText(error);
    context.out.write(formatEnrolment({ word: "fail", value: { reason, message } }));
    return EXIT.allFailed;
  }
}

/** Why a daemon did not start, in the words of the enrolment. */
class EnrolmentError extends MinimeError {
  readonly reason: Fail["reason"];
  constructor(reason: Fail["reason"], message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}

async function runDaemon(context: CommandContext, options: EnrolOptions): Promise<number> {
  const { env } = context;
  const paths = statePaths(stateRoot(env), options.mesh, options.node);
  const listeners = [await claimStateFolder(context, paths)];
  try {
    await writePidFile(env, paths.pid);
    for (const endpoint of options.listen) listeners.push(await bind(context, endpoint));
    using primitives = await choosePrimitives().catch((cause) => {
      throw new EnrolmentError("self-test", errorText(cause), { cause });
    });
    const keys = makeKeys(context, primitives);
    const admit = await enrol(context, { options, keys, primitives, listeners });
    return await serve(context, { admit, keys, primitives, listeners, paths, options });
  } finally {
    for (const path of [paths.pid, paths.log, `${paths.log}.1`, paths.socketPointer]) {
      await env.files.remove(path);
    }
    // The audit stays, because it must not be in a node's power to forget what was asked of it.
    // The socket goes last: as long as it is there, nobody else takes the folder.
    for (const listener of listeners.reverse()) listener.close();
    if ((await env.files.list(paths.folder)).length === 0) await env.files.remove(paths.folder);
  }
}

/**
 * The socket is the claim: the kernel gives it to one process only, and takes it back however that
 * process ends. Everything else in the folder belongs to its holder.
 */
async function claimStateFolder(
  context: CommandContext,
  paths: StatePaths,
): Promise<PipeListener> {
  const { env } = context;
  try {
    const { socket } = await makeStateFolder(env, paths);
    return await env.network.listen({ transport: "unix", path: socket });
  } catch (cause) {
    if (cause instanceof ConnectionError && cause.reason === "address-taken") {
      const other = await livingProcess(env, paths.pid);
      const as = other === undefined ? "" : `, as process ${other.pid}`;
      throw new EnrolmentError("running", `A daemon of this name runs already${as}`, { cause });
    }
    const full = cause instanceof FileError && cause.reason === "no-space";
    throw new EnrolmentError(full ? "no-space" : "state-folder", errorText(cause), { cause });
  }
}

async function bind(context: CommandContext, endpoint: string): Promise<PipeListener> {
  try {
    return await context.env.network.listen(parseEndpoint(endpoint));
  } catch (cause) {
    const taken = cause instanceof ConnectionError && cause.reason === "address-taken";
    throw new EnrolmentError(taken ? "port-taken" : "other", errorText(cause), { cause });
  }
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
    readonly listeners: readonly PipeListener[];
  },
): Promise<Admit> {
  const { env, out, stdin } = context;
  const { keys, primitives } = parts;
  const now = Math.floor(env.clock.now());
  const request = signCertificate(primitives, {
    issuerSeed: keys.signSeed,
    fields: {
      type: "request",
      serial: 0n,
      meshId: new Uint8Array(16),
      name: parts.options.node,
      signPublicKey: keys.signPublicKey,
      dhPublicKey: keys.dh.publicKey,
      notBefore: now,
      notAfter: now + CSR_VALIDITY_MS,
      groups: [],
    },
  });
  const endpoints = parts.listeners.filter(({ address }) => address.transport === "tcp")
    .map(({ address }) => formatEndpoint(address));
  const value = { request: request.bytes.toBase64(), endpoints, pid: env.processes.pid };
  out.write(formatEnrolment({ word: "csr", value }));
  const late = new AbortController();
  const timer = env.clock.after(ADMIT_MS_MAX, () => late.abort());
  const expired = new Promise<never>((_, reject) => {
    late.signal.addEventListener("abort", () => {
      reject(new EnrolmentError("refused", `No certificate came within ${ADMIT_MS_MAX} ms`));
    });
  });
  const read = async (): Promise<Admit> => {
    for await (const line of readLines(stdin.bytes)) {
      const message = parseEnrolment(line);
      if (message?.word === "admit") return message.value;
      if (message?.word === "fail") throw new EnrolmentError("refused", message.value.message);
    }
    throw new EnrolmentError("refused", "Whoever boots us went away before it sent a certificate");
  };
  try {
    return await Promise.race([read(), expired]);
  } finally {
    timer.cancel();
  }
}

async function serve(
  context: CommandContext,
  parts: {
    readonly admit: Admit;
    readonly keys: Keys;
    readonly primitives: Primitives;
    readonly listeners: readonly PipeListener[];
    readonly paths: StatePaths;
    readonly options: EnrolOptions;
  },
): Promise<number> {
  const { env, out, signal } = context;
  const { admit, paths, listeners } = parts;
  const { self, trust } = accept(context, parts);
  const logging = await startLog(fileTarget(env, paths.log));
  const daemon = new Minimed({
    env: reserving(env, listeners),
    primitives: parts.primitives,
    trust,
    self,
    modules: createModules({
      mesh: { segment: admit.segment, endpoints: admit.endpoints, peers: admit.peers },
    }),
    listen: listeners.map(({ address }) => formatEndpoint(address)),
    auditFolder: paths.audit,
    log: logging.log,
  });
  const stop = () => void daemon.stop(errorText(signal.reason));
  try {
    await daemon.start();
    out.write(
      formatEnrolment({
        word: "up",
        value: { endpoints: [...daemon.endpoints()], pid: env.processes.pid },
      }),
    );
    signal.addEventListener("abort", stop);
    if (signal.aborted) stop();
    await daemon.stopped;
  } finally {
    signal.removeEventListener("abort", stop);
    await daemon.stop("start failed");
    await logging.close();
  }
  return EXIT.ok;
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
  const { meshId } = trustOf({ ...base, policy: { rules: [], limits: POLICY_LIMITS_DEFAULT } });
  const verifying = {
    meshId,
    rootPublicKey,
    now: clock.now(),
    revocations: NO_REVOCATIONS,
    skewMs: POLICY_LIMITS_DEFAULT.clockSkewMs,
  };
  const { policy, version } = verifyPolicy(primitives, {
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
    throw new EnrolmentError("refused", `Certificate of "${identity.name}" is not for our key`);
  }
  return {
    trust: trustOf({ ...base, policy, policyVersion: version }),
    self: { identity, signSeed: keys.signSeed, dh: keys.dh, instance: random.bytes(16) },
  };
}
