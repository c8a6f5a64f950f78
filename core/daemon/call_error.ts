/** How the failure of a call travels: {class, message, detail}, plain data both ways. */

import {
  AuthenticationError,
  CALL_ERROR_CLASSES,
  CallError,
  type CallErrorClass,
  MinimeError,
} from "../errors.ts";

/** What was thrown by a handler, as the caller will see it. A bug's own text stays here. */
export function toCallError(error: unknown): CallError {
  if (error instanceof CallError) return error;
  if (error instanceof AuthenticationError) {
    return new CallError("refused", error.message, {
      cause: error,
      detail: { reason: error.reason },
    });
  }
  if (error instanceof MinimeError) return new CallError("failed", error.message, { cause: error });
  return new CallError("failed", "Internal error; the daemon's log has it", { cause: error });
}

/** The body of an error message; see {@link decodeCallError}. */
export function encodeCallError(error: CallError): Record<string, unknown> {
  return { class: error.class, message: error.message, detail: error.detail };
}

/** Never throws: a peer's malformed error is still an error. */
export function decodeCallError(body: unknown): CallError {
  const fields = (typeof body === "object" && body !== null ? body : {}) as Record<string, unknown>;
  const known = CALL_ERROR_CLASSES.includes(fields.class as CallErrorClass);
  const errorClass = known ? fields.class as CallErrorClass : "failed";
  const message = typeof fields.message === "string" ? fields.message : "Failed without a reason";
  const detail = typeof fields.detail === "object" && fields.detail !== null
    ? { detail: fields.detail as Record<string, unknown> }
    : {};
  return new CallError(errorClass, message, detail);
}
