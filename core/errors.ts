/**
 * Every error class of the program, named for the condition. Nobody matches on message text: what a
 * caller needs to decide on is a field. Texts start upper case, have no period at the end, name the
 * action that failed and quote values; a person reads them at 3 a.m.
 */

/** Base of all errors that we throw on purpose. Anything else that escapes is a bug. */
export class MinimeError extends Error {
  override readonly name: string = "MinimeError";
}

/** The person at the keyboard (or their file) asked for something that makes no sense. */
export class UsageError extends MinimeError {
  override readonly name = "UsageError";
  /** A line that says what to do instead. */
  readonly hint: string | undefined;
  constructor(message: string, options: ErrorOptions & { hint?: string } = {}) {
    super(message, options);
    this.hint = options.hint;
  }
}

/** Bytes that do not follow the protocol or format. The conduit they came on is closed. */
export class ProtocolError extends MinimeError {
  override readonly name = "ProtocolError";
}

/** The other end is not who it must be, or may not be here. */
export class AuthenticationError extends MinimeError {
  override readonly name = "AuthenticationError";
  readonly reason: AuthenticationReason;
  constructor(reason: AuthenticationReason, message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}

/** Why a handshake, certificate or signed request was not accepted. Grows only at the end. */
export const AUTHENTICATION_REASONS = [
  "malformed",
  "wrong-mesh",
  "chain",
  "signature",
  "not-yet-valid",
  "expired",
  "revoked",
  "key-mismatch",
  "wrong-kind",
  "wrong-name",
  "own-key",
  "version",
  "duplicate",
  "not-a-target",
  "replay",
  "quota",
  "policy",
  "handshake",
  "tag",
] as const;
export type AuthenticationReason = (typeof AUTHENTICATION_REASONS)[number];

/** A file, folder, program or name that must exist does not. */
export class NotFoundError extends MinimeError {
  override readonly name = "NotFoundError";
}

/** A file or folder is there (or may be made) but could not be used. */
export class FileError extends MinimeError {
  override readonly name = "FileError";
  readonly reason: FileReason;
  constructor(reason: FileReason, message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}

export type FileReason =
  | "denied"
  | "no-space"
  | "read-only"
  | "exists"
  | "wrong-kind"
  | "too-long"
  | "other";

/** A connection could not be made or broke. */
export class ConnectionError extends MinimeError {
  override readonly name = "ConnectionError";
  readonly reason: ConnectionReason;
  constructor(reason: ConnectionReason, message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}

export type ConnectionReason =
  | "refused"
  | "timeout"
  | "no-route"
  | "unknown-name"
  | "reset"
  | "address-taken"
  | "closed"
  | "other";

/** How a request ended when it did not end well. Grows only at the end. */
export const CALL_ERROR_CLASSES = [
  "refused",
  "unreachable",
  "timeout",
  "cancelled",
  "busy",
  "unknown-verb",
  "invalid",
  "failed",
] as const;
export type CallErrorClass = (typeof CALL_ERROR_CLASSES)[number];

/** The one way in which a request fails; travels over the wire as {class, message, detail}. */
export class CallError extends MinimeError {
  override readonly name = "CallError";
  readonly class: CallErrorClass;
  /** Plain data for programs, for example {rule: "…"} or {hop: "n3"}. */
  readonly detail: Readonly<Record<string, unknown>> | undefined;
  constructor(
    errorClass: CallErrorClass,
    message: string,
    options: ErrorOptions & { detail?: Readonly<Record<string, unknown>> } = {},
  ) {
    super(message, options);
    this.class = errorClass;
    this.detail = options.detail;
  }
}

/** The message of anything that was thrown. */
export function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
