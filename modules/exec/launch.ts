/**
 * How a program is started: in a session of its own, by setsid, because the runtime's own way copies
 * the page tables of the daemon and stops it for milliseconds. Where it is not to run as the daemon's
 * own user, through setpriv, which sets user, group and supplementary groups and forbids new privileges.
 *
 * The caller's variables could make setpriv load the caller's code while it is still root
 * (LD_PRELOAD). So they pass it under harmless names, and a shell that runs as the target user
 * already gives them their own; the argv passes through that shell as "$@", untouched. The same shell
 * sets the umask and changes to a folder that only the target user may enter, or that somebody named:
 * entering one on a disk that does not answer would stop the daemon for as long. All are found by their
 * full paths, since PATH is the caller's too.
 */

import type { Environment, SpawnOptions } from "../../core/mod.ts";
import { CallError } from "../../core/mod.ts";
import type { Account } from "../shared/account.ts";

export interface Launch {
  readonly program: string;
  readonly options: SpawnOptions;
  /** It is looked up only when the user has changed, and says itself when it is not there. */
  readonly isHidden: boolean;
}

export interface LaunchOrder {
  readonly argv: readonly string[];
  readonly account: Account;
  /** Everything that the program shall find in its environment. */
  readonly variables: Readonly<Record<string, string>>;
  /** Absolute. */
  readonly folder: string;
  /** It is the user's own, and one who may not enter it (on a network's disk) runs in `/`. */
  readonly isHome: boolean;
  /** Permission bits to take away; undefined: the daemon's own. */
  readonly umask: number | undefined;
  readonly stdin: "piped" | "null";
}

const SETSID = "/usr/bin/setsid";
const SETPRIV = "/usr/bin/setpriv";
const SHELL = "/bin/sh";
/** "Cannot be run", by the convention of shells. */
const CANNOT_RUN = 126;
const PASSED = "MINIME_PASSED_";

/**
 * Arguments: umask or "", folder, another folder, number of variables, then the argv. Its own variables have names
 * that nobody passes, since the passed ones are set while it runs.
 */
const SCRIPT = `
minime_umask=$1 minime_folder=$2 minime_otherwise=$3 minime_count=$4
shift 4
[ -z "$minime_umask" ] || umask "$minime_umask"
cd -- "$minime_folder" 2>/dev/null || cd -- "$minime_otherwise" 2>/dev/null || {
  printf 'minime: cannot enter folder "%s"\n' "$minime_folder" >&2
  exit ${CANNOT_RUN}
}
while [ "$minime_count" -gt 0 ]; do
  minime_count=$((minime_count - 1))
  eval "minime_pair=\\$${PASSED}$minime_count; unset ${PASSED}$minime_count"
  export "$minime_pair"
done
exec "$@"
`;

/** Throws CallError "refused" when this daemon cannot become that user. */
export function prepareLaunch(
  processes: Pick<Environment["processes"], "uid">,
  order: LaunchOrder,
): Launch {
  const { argv, account, folder, isHome, variables, umask, stdin } = order;
  const common = {
    stdin,
    stdout: "piped",
    stderr: "piped",
    clearEnvironment: true,
  } as const;
  const isOwn = account.uid === processes.uid;
  if (isOwn && isHome && umask === undefined) {
    const options = { ...common, args: argv, folder, environment: variables };
    return { program: SETSID, options, isHidden: false };
  }
  if (!isOwn && processes.uid !== 0) {
    const text = `This daemon runs as user id ${processes.uid} and cannot run a program as ` +
      `"${account.name}"`;
    throw new CallError("refused", text);
  }
  const pairs = Object.entries(variables).map(([name, value]) => `${name}=${value}`);
  const shell = [
    SHELL,
    "-c",
    SCRIPT,
    "sh",
    umask === undefined ? "" : umask.toString(8),
    folder,
    isHome ? "/" : folder,
    String(pairs.length),
    ...argv,
  ];
  const words = isOwn ? shell : [
    SETPRIV,
    `--reuid=${account.uid}`,
    `--regid=${account.gid}`,
    "--init-groups",
    "--no-new-privs",
    "--",
    ...shell,
  ];
  const environment = Object.fromEntries(pairs.map((pair, index) => [`${PASSED}${index}`, pair]));
  const options = { ...common, args: words, folder: "/", environment };
  return { program: SETSID, options, isHidden: !isOwn };
}
