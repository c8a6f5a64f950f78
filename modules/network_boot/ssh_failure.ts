/**
 * What the system's ssh says on stderr when it cannot reach a host, as one of our reasons. ssh has
 * one exit code (255) for all of them, so its words are all there is; they are not translated.
 */

import { HostError, type HostReason } from "./host_error.ts";

/** The first that fits decides: a changed host key is followed by "Host key verification failed". */
const SIGNS: readonly (readonly [sign: RegExp, reason: HostReason, words: string])[] = [
  [
    /REMOTE HOST IDENTIFICATION HAS CHANGED|host key .{0,80} has changed/i,
    "host-key",
    "it has changed",
  ],
  [/No .{0,40} host key is known|no matching host key/i, "host-key", "it is unknown"],
  [/Host key verification failed/i, "host-key", "it was not accepted"],
  [/Could not resolve hostname/i, "unknown-name", ""],
  [/open failed: .{0,60}(name resolution|not known)/i, "unknown-name", ""],
  [/administratively prohibited/i, "gateway", "its sshd forwards nothing"],
  [/Stdio forwarding request failed|Connection closed by UNKNOWN/i, "gateway", "it has no way"],
  [/Permission denied|Too many authentication failures/i, "denied", "ssh does not let you in"],
  [/Connection refused/i, "refused", "nobody listens for ssh"],
  [/timed out|Timeout, server .{0,200} not responding/i, "timeout", "no answer to ssh"],
  [/No route to host|Network is unreachable|connect failed: open failed/i, "no-route", ""],
  [/no such identity|UNPROTECTED PRIVATE KEY/i, "denied", "the identity file cannot be used"],
];

/** ssh itself gave up: nothing of ours ran on the host, or the line to it was lost. */
export class SshError extends HostError {}

/** @param stderr what ssh printed, or its end */
export function sshFailure(stderr: string): SshError {
  const lines = wordsOf(stderr);
  for (const [sign, reason, words] of SIGNS) {
    // The sentence that decided says more than what follows it.
    const line = lines.find((each) => sign.test(each));
    if (line !== undefined) return new SshError(reason, words, { detail: detailOf(lines, line) });
  }
  const detail = lines.at(-1);
  return new SshError("ssh", detail ?? "it said nothing", { detail });
}

/** Banners of host keys are drawn with @; what they frame is known. */
function detailOf(lines: readonly string[], line: string): string {
  return line.startsWith("@") ? lines.at(-1) as string : line;
}

/** Lines with something in them, without ssh's name before them. */
function wordsOf(stderr: string): string[] {
  return stderr.split("\n")
    .map((line) => line.replace(/\r/g, "").replace(/^ssh: /, "").trim())
    .filter((line) => line !== "" && !/^@+$/.test(line));
}
