/**
 * What `minime recon` runs on a host: one fixed POSIX sh script, fed to `sh` on stdin behind lines
 * that set its variables (see ssh.ts). It only looks: it creates, changes and signals nothing. Each
 * fact is a line `MINIME-RECON word value`; everything else on stdout is somebody's greeting and is
 * skipped. The line "done" comes last, so that an answer which was cut off is noticed.
 */

import { shellQuoted } from "../shared/private_folder.ts";
import { FOLDERS_SCRIPT } from "./boot_script.ts";
import { DAEMON_SCRIPT } from "./daemon_script.ts";

/** What the script looks for. */
export interface ReconQuestion {
  readonly mesh: string;
  readonly node: string;
  /** Of the mesh file; undefined is the user's own. */
  readonly home: string | undefined;
  /** TCP ports that the daemon wants. */
  readonly ports: readonly number[];
  /** Size of the binary: one of that size that lies there already is taken for it. */
  readonly binaryBytes: number;
}

/** First word of each line of the answer. */
export const RECON_MARK = "MINIME-RECON";

/** Without these no host can be booted. */
export const TOOLS_NEEDED = ["gzip", "sha256sum", "head", "tail", "tee", "wc", "df"] as const;
/** Only copying from one booted node to the next wants them. */
const TOOLS_WANTED = ["bash", "timeout"] as const;

/** Everything for the stdin of `sh`. */
export function reconScript(question: ReconQuestion): string {
  return [
    `mesh=${shellQuoted(question.mesh)}`,
    `node=${shellQuoted(question.node)}`,
    `home=${shellQuoted(question.home ?? "")}`,
    `ports=${shellQuoted(question.ports.join(" "))}`,
    `size=${question.binaryBytes}`,
    `tools=${shellQuoted([...TOOLS_NEEDED, ...TOOLS_WANTED].join(" "))}`,
    SCRIPT,
  ].join("\n");
}

const SCRIPT = `{
set -f
LC_ALL=C; export LC_ALL
say() { printf '${RECON_MARK} %s %s\\n' "$1" "$2"; }

say begin 1
say time "$(date +%s 2>/dev/null)"
say name "$(uname -n 2>/dev/null)"
say user "$(id -un 2>/dev/null)"
if [ -n "$SSH_CONNECTION" ]; then
  set -- $SSH_CONNECTION
  say address "$3"
fi
say system "$(uname -s 2>/dev/null)"
say cpu "$(uname -m 2>/dev/null)"
libc=$(getconf GNU_LIBC_VERSION 2>/dev/null) || libc=
[ -n "$libc" ] || libc=$(ldd --version 2>&1 | { IFS= read -r line; printf '%s' "$line"; })
say libc "$libc"
for tool in $tools; do
  command -v "$tool" >/dev/null 2>&1 || say missing "$tool"
done

set -- "$home"
${FOLDERS_SCRIPT}
say home "$HOME"
[ -d "$HOME" ] || say homeless "$HOME"

set +f
for file in "$bin"/minime-*; do
  if [ -x "$file" ] && [ "$(wc -c <"$file")" -eq "$size" ]; then say have "$file"; fi
done
set -f

${DAEMON_SCRIPT}
# Where a folder that does not exist yet would be made.
nearest() {
  at=$1
  while [ ! -d "$at" ]; do
    at=\${at%/*}
    [ -n "$at" ] || at=/
  done
}
# Space, mount options and permissions of the place for a folder: WHAT FOLDER.
look() {
  nearest "$2"
  say "$1" "$2"
  if [ ! -w "$at" ] || [ ! -x "$at" ]; then say "$1-denied" "$at"; fi
  df -Pk "$at" 2>/dev/null | {
    IFS= read -r heading
    read -r device blocks used free capacity mount
    say "$1-free" "$free"
    options=
    while read -r device place kind given rest; do
      [ "$place" != "$mount" ] || options=$given
    done </proc/self/mounts
    case ,$options, in *,noexec,*) say "$1-noexec" "$mount" ;; esac
    case ,$options, in *,ro,*) say "$1-readonly" "$mount" ;; esac
  }
}
look cache "$bin"
look state "$state"

folder=$state/$mesh/$node
if [ -e "$folder" ] || [ -h "$folder" ]; then
  say folder "$(ls -ldn "$folder")"
fi
say uid "$(id -u)"

find_daemon "$folder"
[ -z "$pid" ] || say daemon "$pid"

for port in $ports; do
  hex=$(printf '%04X' "$port")
  if cat /proc/net/tcp /proc/net/tcp6 2>/dev/null |
    grep -q "^ *[0-9]*: [0-9A-F]*:$hex [0-9A-F]*:[0-9A-F]* 0A "; then
    say taken "$port"
  fi
done
say done 1
exit 0
}
`;
