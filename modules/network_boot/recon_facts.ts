/** What the script of recon_script.ts said about a host, read without trusting a line of it. */

import { printable } from "../shared/text.ts";
import { RECON_MARK } from "./recon_script.ts";

/** The place for one of our folders on the host. */
export interface PlaceFacts {
  readonly folder: string;
  /** Undefined when the host does not tell. */
  readonly freeBytes: number | undefined;
  /** The nearest folder that exists, in which we may make nothing. */
  readonly denied: string | undefined;
  /** The mount point that is the reason. */
  readonly noexec: string | undefined;
  readonly readOnly: string | undefined;
}

export interface HostFacts {
  readonly hostName: string;
  readonly user: string;
  readonly uid: number;
  /** Of the host as ssh reached it. */
  readonly address: string | undefined;
  /** Unix ms; undefined when the host does not tell. */
  readonly time: number | undefined;
  readonly system: string;
  readonly cpu: string;
  /** As `getconf` or `ldd` says it; "" when neither does. */
  readonly libc: string;
  readonly missing: readonly string[];
  readonly home: string;
  readonly homeExists: boolean;
  /** A binary that lies there and looks like ours. */
  readonly binary: string | undefined;
  readonly cache: PlaceFacts;
  readonly state: PlaceFacts;
  /** The daemon's folder when it exists: `ls -ldn`. */
  readonly stateFolder: string | undefined;
  /** A daemon of this name and mesh that runs there. */
  readonly daemonPid: number | undefined;
  readonly takenPorts: readonly number[];
}

/** Characters of one value that are kept. */
const VALUE_CHARACTERS_MAX = 1_024;

/** Undefined when the answer is incomplete: no shell of ours answered, or it was cut off. */
export function parseHostFacts(lines: readonly string[]): HostFacts | undefined {
  const values = new Map<string, string[]>();
  for (const line of lines) {
    const [mark, word = "", ...rest] = line.split(" ");
    if (mark !== RECON_MARK) continue;
    const value = printable(rest.join(" "), VALUE_CHARACTERS_MAX);
    values.set(word, [...values.get(word) ?? [], value]);
  }
  if (!values.has("done")) return undefined;
  const one = (word: string): string | undefined => {
    const value = values.get(word)?.[0];
    return value === "" ? undefined : value;
  };
  const number = (word: string): number | undefined => wholeNumber(one(word));
  const place = (word: string): PlaceFacts => {
    const free = number(`${word}-free`);
    return {
      folder: one(word) ?? "",
      freeBytes: free === undefined ? undefined : free * 1_024,
      denied: one(`${word}-denied`),
      noexec: one(`${word}-noexec`),
      readOnly: one(`${word}-readonly`),
    };
  };
  const seconds = number("time");
  return {
    hostName: one("name") ?? "",
    user: one("user") ?? "",
    uid: number("uid") ?? 0,
    address: one("address"),
    time: seconds === undefined ? undefined : seconds * 1_000,
    system: one("system") ?? "",
    cpu: one("cpu") ?? "",
    libc: one("libc") ?? "",
    missing: values.get("missing") ?? [],
    home: one("home") ?? "",
    homeExists: !values.has("homeless"),
    binary: one("have"),
    cache: place("cache"),
    state: place("state"),
    stateFolder: one("folder"),
    daemonPid: number("daemon"),
    takenPorts: (values.get("taken") ?? []).flatMap((text) => wholeNumber(text) ?? []),
  };
}

function wholeNumber(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}
