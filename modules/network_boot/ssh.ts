/**
 * The system's ssh, as the user configured it, running `/bin/sh` on a host. The script goes in by
 * stdin, so whatever the login shell is, it has nothing to quote; nothing of ours is in an argv but
 * where to connect. One connection a host; everything after the script is lines both ways.
 */

import type { Environment } from "../../core/mod.ts";
import type { MeshHost } from "../shared/mesh_file.ts";
import { HostError } from "./host_error.ts";
import { ALIVE_COUNT_MAX, ALIVE_SECONDS } from "./limits.ts";
import { LineProcess } from "./line_process.ts";
import { sshFailure } from "./ssh_failure.ts";

/** What ssh exits with when the failure is its own. */
export const SSH_FAILED = 255;

export interface SshOptions {
  readonly connectTimeoutMs: number;
  readonly strictHostKey: "yes" | "accept-new";
}

/** What a connection needs to know of a host. */
export type SshHost = Pick<MeshHost, "address" | "user" | "sshPort" | "identityFile">;

/** How a connection gets there, and what it does for others. Nothing of it: by itself, alone. */
export interface SshWay {
  /** What ssh runs instead of dialling, for the user's shell: see jumps.ts. */
  readonly proxy?: string | undefined;
  /** A socket at which others may use this connection. */
  readonly control?: string | undefined;
}

/** The arguments of `ssh` for a shell on that host; no shell ever sees them on our side. */
export function sshArguments(host: SshHost, options: SshOptions, way: SshWay = {}): string[] {
  return [...settingsOf(host, options, way), "--", host.address, "exec /bin/sh"];
}

/** For nothing but a try whether a host reaches another one; what ssh says on the way counts. */
export function sshTryArguments(
  from: SshHost,
  to: SshHost,
  options: SshOptions & { readonly way: SshWay },
): string[] {
  const settings = settingsOf(from, options, options.way, "INFO");
  return [...settings, "-W", `[${to.address}]:${to.sshPort ?? 22}`, "--", from.address];
}

function settingsOf(
  host: SshHost,
  options: SshOptions,
  way: SshWay,
  logLevel = "ERROR",
): string[] {
  const settings = [
    "BatchMode=yes",
    `StrictHostKeyChecking=${options.strictHostKey}`,
    `ConnectTimeout=${Math.max(1, Math.ceil(options.connectTimeoutMs / 1_000))}`,
    "ConnectionAttempts=1",
    `ServerAliveInterval=${ALIVE_SECONDS}`,
    `ServerAliveCountMax=${ALIVE_COUNT_MAX}`,
    // A master of the user's own would outlive us and hold our pipes.
    `ControlMaster=${way.control === undefined ? "no" : "yes"}`,
    `ControlPath=${way.control?.replaceAll("%", "%%") ?? "none"}`,
    "ControlPersist=no",
    ...(way.proxy === undefined ? [] : [`ProxyCommand=${way.proxy}`]),
    "ClearAllForwardings=yes",
    "RemoteCommand=none",
    `LogLevel=${logLevel}`,
  ];
  return [
    "-T",
    "-a",
    "-x",
    ...settings.flatMap((setting) => ["-o", setting]),
    ...(host.sshPort === undefined ? [] : ["-p", String(host.sshPort)]),
    ...(host.user === undefined ? [] : ["-l", host.user]),
    ...(host.identityFile === undefined ? [] : ["-i", host.identityFile]),
  ];
}

/**
 * Starts a script on a host; what it prints comes as lines, what is written after it is its stdin.
 * The script must be one compound command (`{ …; exit; }`) and must have said something before
 * anything is written to it: until then the remote shell itself is reading.
 */
export async function startScript(
  env: Pick<Environment, "clock" | "processes">,
  host: SshHost,
  options: SshOptions & { readonly script: string; readonly way?: SshWay },
): Promise<LineProcess> {
  const process = await LineProcess.start(env, {
    program: "ssh",
    args: sshArguments(host, options, options.way),
  });
  await process.write(options.script);
  return process;
}

/** Why a connection ended that should not have: ssh's reason, or the script's last words. */
export async function failureOf(process: LineProcess): Promise<HostError> {
  const { code, signal, stderr } = await process.ended;
  if (code === SSH_FAILED) return sshFailure(stderr);
  const detail = stderr.trim().split("\n").at(-1);
  const how = signal === undefined ? `exit code ${code}` : signal;
  return new HostError("script", `it ended early with ${how}`, { detail });
}

/** All that a script without a dialogue printed. Rejects with HostError when it did not run well. */
export async function runScript(
  env: Pick<Environment, "clock" | "processes">,
  host: SshHost,
  options: SshOptions & AnswerOptions & { readonly script: string; readonly way?: SshWay },
): Promise<readonly string[]> {
  await using process = await startScript(env, host, options);
  return await answerOf(env, process, options);
}

/** For how long, and until when, an answer is waited for. */
export interface AnswerOptions {
  /** For all of it. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

/** All that a process prints when nothing more is said to it; see {@link runScript}. */
export async function answerOf(
  env: Pick<Environment, "clock">,
  process: LineProcess,
  options: AnswerOptions,
): Promise<readonly string[]> {
  const stop = () => process.kill();
  options.signal?.addEventListener("abort", stop);
  let late = false;
  const timer = env.clock.after(options.timeoutMs, () => {
    late = true;
    process.kill();
  });
  try {
    await process.closeInput();
    const lines: string[] = [];
    for (let line = await process.next(); line !== undefined; line = await process.next()) {
      lines.push(line);
    }
    const { code } = await process.ended;
    options.signal?.throwIfAborted();
    if (late) throw new HostError("timeout", `not done after ${options.timeoutMs} ms`);
    if (code !== 0) throw await failureOf(process);
    return lines;
  } finally {
    timer.cancel();
    options.signal?.removeEventListener("abort", stop);
  }
}
