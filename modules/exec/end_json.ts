/** How the end of a program and its output look in JSON. */

import type { NodeFailure } from "../shared/group_result.ts";
import type { RunEnd } from "./order.ts";

/** `{ stdout: text }`, or `{ stdoutBase64: … }` for what is no text. */
export function textJson(name: "stdout" | "stderr", bytes: Uint8Array): Record<string, string> {
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    return { [name]: text };
  } catch (error) {
    if (error instanceof TypeError) return { [`${name}Base64`]: bytes.toBase64() };
    throw error;
  }
}

/** Of a node of which no end is known. */
export function failureJson({ name, set, ...failure }: NodeFailure): Record<string, unknown> {
  return { node: name, failure: set, ...failure };
}

/** Output is there if it was collected. */
export function endJson(end: RunEnd): Record<string, unknown> {
  const { code, signal, timedOut, error, stdout, stderr, cutBytes } = end;
  return {
    code,
    ...(signal === undefined ? {} : { signal }),
    ...(timedOut === undefined ? {} : { timedOut }),
    ...(error === undefined ? {} : { error }),
    ...(stdout === undefined ? {} : textJson("stdout", stdout)),
    ...(stderr === undefined ? {} : textJson("stderr", stderr)),
    ...(cutBytes === undefined ? {} : { cutBytes }),
  };
}
