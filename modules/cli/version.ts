/**
 * What `minime version` says. main.ts prints it without loading anything else, so this file imports
 * next to nothing.
 */

import { PROTOCOL_NEWEST, PROTOCOL_OLDEST, VERSION } from "../../core/version.ts";
import { WIRE_VERSION } from "../../core/wire/message.ts";

/** What only the process itself knows. */
export interface Runtime {
  readonly deno: string;
  readonly v8: string;
  readonly target: string;
  /** One executable file made by `deno compile`. */
  readonly compiled: boolean;
}

export function versionText(runtime: Runtime, options: { json: boolean }): string {
  const form = runtime.compiled ? "compiled file" : "from source";
  if (options.json) {
    return JSON.stringify({
      version: VERSION,
      protocol: WIRE_VERSION,
      speaks: [PROTOCOL_OLDEST, PROTOCOL_NEWEST],
      target: runtime.target,
      runtime: { deno: runtime.deno, v8: runtime.v8, form },
    }) + "\n";
  }
  return `minime ${VERSION}\n` +
    `Deno ${runtime.deno}, V8 ${runtime.v8}; ${form}\n` +
    `protocol ${WIRE_VERSION}\n` +
    `${runtime.target}\n`;
}

/** True when `args` ask for the version and nothing else, so that no command line need be parsed. */
export function asksVersion(args: readonly string[]): boolean {
  const [first, ...rest] = args;
  return (first === "version" || first === "--version" || first === "-V") &&
    rest.every((each) => each === "--json");
}
