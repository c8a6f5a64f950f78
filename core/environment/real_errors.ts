/**
 * Turns what the runtime throws into our error classes. The runtime's classes differ between
 * versions and some conditions have only a code or a text, so all the guessing is in this file.
 */
import type { ConnectionReason, FileReason } from "../errors.ts";
import { ConnectionError, errorText, FileError, MinimeError, NotFoundError } from "../errors.ts";

const CONNECTION_REASONS: readonly [ConnectionReason, string, readonly string[]][] = [
  ["refused", "connection refused", ["ConnectionRefused", "ECONNREFUSED"]],
  ["timeout", "timed out", ["TimedOut", "ETIMEDOUT"]],
  ["no-route", "no route to host", ["EHOSTUNREACH", "HostUnreachable"]],
  ["no-route", "network is unreachable", ["ENETUNREACH", "NetworkUnreachable"]],
  ["reset", "the other end closed the connection", [
    "ConnectionReset",
    "ConnectionAborted",
    "BrokenPipe",
    "NotConnected",
    "ECONNRESET",
    "EPIPE",
  ]],
  ["address-taken", "the address is taken", ["AddrInUse", "EADDRINUSE"]],
  ["unknown-name", "no such host name", ["ENOTFOUND", "EAI_AGAIN"]],
  ["closed", "it was closed here", ["BadResource", "Interrupted"]],
];

/** `action` says what failed, for example `dial "n1:7117"`. */
export function connectionError(action: string, error: unknown): MinimeError {
  if (error instanceof MinimeError) return error;
  const marks = marksOf(error);
  for (const [reason, text, names] of CONNECTION_REASONS) {
    if (names.some((name) => marks.includes(name))) {
      return new ConnectionError(reason, `Could not ${action}: ${text}`, { cause: error });
    }
  }
  const text = errorText(error);
  if (/lookup|resolve|not known/i.test(text)) {
    return new ConnectionError("unknown-name", `Could not ${action}: no such host name`, {
      cause: error,
    });
  }
  if (marks.includes("ENOENT") || marks.includes("NotFound")) {
    return new ConnectionError("refused", `Could not ${action}: there is no such socket`, {
      cause: error,
    });
  }
  return new ConnectionError("other", `Could not ${action}: ${plain(text)}`, { cause: error });
}

const FILE_REASONS: readonly [FileReason, string, readonly string[]][] = [
  ["denied", "permission denied", ["PermissionDenied", "EACCES", "EPERM"]],
  ["no-space", "no space left on the disk", ["ENOSPC", "EDQUOT"]],
  ["read-only", "the file system is read-only", ["EROFS"]],
  ["exists", "something else is there", ["AlreadyExists", "EEXIST"]],
  ["wrong-kind", "a part of the path is not a folder", ["ENOTDIR", "NotADirectory"]],
  ["wrong-kind", "it is a folder", ["EISDIR", "IsADirectory"]],
  ["too-long", "the kernel takes no words that are so long", ["E2BIG"]],
];

/** `action` says what failed, for example `read "/etc/minime/mesh.toml"`. */
export function fileError(action: string, error: unknown): MinimeError {
  if (error instanceof MinimeError) return error;
  const marks = marksOf(error);
  if (marks.some((mark) => ["NotFound", "ENOENT", "ESRCH"].includes(mark))) {
    return new NotFoundError(`Could not ${action}: it does not exist`, { cause: error });
  }
  for (const [reason, text, names] of FILE_REASONS) {
    if (names.some((name) => marks.includes(name))) {
      return new FileError(reason, `Could not ${action}: ${text}`, { cause: error });
    }
  }
  return new FileError("other", `Could not ${action}: ${plain(errorText(error))}`, {
    cause: error,
  });
}

/** What /proc says of a process that ends while it is read of: the runtime has no class for it, and no code. */
const NO_SUCH_PROCESS = /\(os error 3\)/;

/** The class name and, where there is one, the system's code. */
export function marksOf(error: unknown): string[] {
  if (!(error instanceof Error)) return [];
  const { code } = error as Error & { code?: unknown };
  if (typeof code === "string") return [error.name, code];
  return NO_SUCH_PROCESS.test(error.message) ? [error.name, "ESRCH"] : [error.name];
}

/** "Broken pipe (os error 32): write '/x'" becomes "broken pipe". */
function plain(text: string): string {
  const short = text.replace(/ \(os error \d+\).*$/s, "");
  return short === "" ? "unknown error" : short[0]!.toLowerCase() + short.slice(1);
}
