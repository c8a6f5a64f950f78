/**
 * The environment of a program that we run: a clean one, made of the user's account and of what was
 * asked for. Nothing of the daemon's own environment is in it but the language.
 */

import type { Environment } from "../../core/mod.ts";
import type { Account } from "../shared/account.ts";
import { NODESET_VARIABLE_BYTES_MAX } from "./limits.ts";

const PATH_OF_ROOT = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const PATH_OF_USERS = "/usr/local/bin:/usr/bin:/bin";
const LANGUAGE = "C.UTF-8";

/** Which of the nodes this is, for programs that divide work among themselves. */
export interface Place {
  readonly node: string;
  /** From 0, in the order of the nodeset. */
  readonly rank: number;
  readonly size: number;
  /** Folded. */
  readonly nodeset: string;
}

export function variablesOf(
  processes: Pick<Environment["processes"], "variable">,
  parts: {
    readonly account: Account;
    readonly place: Place;
    /** What the caller asked for; wins over everything but the place. */
    readonly asked: readonly (readonly [name: string, value: string])[];
  },
): Record<string, string> {
  const { account, place, asked } = parts;
  const variables: Record<string, string> = {
    PATH: account.uid === 0 ? PATH_OF_ROOT : PATH_OF_USERS,
    HOME: account.home,
    USER: account.name,
    LOGNAME: account.name,
    SHELL: account.shell,
    LANG: processes.variable("LANG") || LANGUAGE,
    ...Object.fromEntries(asked),
    MINIME_NODE: place.node,
    MINIME_RANK: String(place.rank),
    MINIME_SIZE: String(place.size),
  };
  const bytes = new TextEncoder().encode(place.nodeset).length;
  if (bytes <= NODESET_VARIABLE_BYTES_MAX) variables.MINIME_NODESET = place.nodeset;
  return variables;
}
