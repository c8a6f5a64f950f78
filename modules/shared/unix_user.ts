/** `-l USER`: as whom something is done on nodes, checked before anything is sent there. */

import { isUnixUser, UsageError } from "../../core/mod.ts";
import { value, type ValueOption } from "./option.ts";

export function unixUser(brief: string): ValueOption<string, false> {
  return value(brief, parseUnixUser, { letter: "l", placeholder: "USER" });
}

function parseUnixUser(given: string): string {
  if (given === "$user" || isUnixUser(given)) return given;
  if (/^\d+$/.test(given)) {
    throw new UsageError(`"${given}" is a number: users of nodes are named, not numbered`);
  }
  throw new UsageError(`"${given}" is no name of a user`);
}
