/**
 * What `minime wipe` runs on a host: one fixed POSIX sh script, fed to `sh` on stdin behind lines
 * that set its variables. It asks the daemon of one node to stop, kills it when it does not, does the
 * same with the holder of its background jobs, and removes its state folder. It signals nobody but the
 * processes that the pid files name, which must have started when the files say. Run again it finds nothing and says so.
 *
 * Answer, one line: `MINIME-WIPE word value`, where word is one of {@link WIPE_WORDS}.
 */

import { shellQuoted } from "../shared/private_folder.ts";
import { FOLDERS_SCRIPT } from "./boot_script.ts";
import { DAEMON_SCRIPT } from "./daemon_script.ts";
import { WIPE_KILL_SECONDS } from "./limits.ts";

/** How it went: what was stopped and removed, or why not. */
export const WIPE_WORDS = {
  nothing: "nothing to wipe",
  removed: "wiped, no daemon was running",
  stopped: "wiped, the daemon stopped",
  killed: "wiped, the daemon was killed",
  alive: "the daemon cannot be killed",
  foreign: "the daemon belongs to somebody else",
  left: "files could not be removed",
  installed: 'an installed node is there, which "minime init uninstall" on the host ends',
} as const;
export type WipeWord = keyof typeof WIPE_WORDS;

/** What the script is told. */
export interface WipeQuestion {
  readonly mesh: string;
  readonly node: string;
  /** Of the mesh file; undefined is the user's own. */
  readonly home: string | undefined;
  /** Remove the copied program too. */
  readonly binary: boolean;
  /** How long the daemon may take to stop before it is killed. */
  readonly graceMs: number;
}

/** Everything for the stdin of `sh`. */
export function wipeScript(question: WipeQuestion): string {
  return [
    `mesh=${shellQuoted(question.mesh)}`,
    `node=${shellQuoted(question.node)}`,
    `home=${shellQuoted(question.home ?? "")}`,
    `binary=${question.binary ? "yes" : "no"}`,
    `grace=${Math.ceil(question.graceMs / 1_000)}`,
    SCRIPT,
  ].join("\n");
}

/** The last line of ours decides; undefined when there is none. */
export function parseWipeAnswer(
  lines: readonly string[],
): { readonly word: WipeWord; readonly detail: string } | undefined {
  for (const line of lines.toReversed()) {
    const [mark, word = "", ...rest] = line.split(" ");
    if (mark === "MINIME-WIPE" && Object.hasOwn(WIPE_WORDS, word)) {
      return { word: word as WipeWord, detail: rest.join(" ") };
    }
  }
  return undefined;
}

const SCRIPT = `{
set -f
LC_ALL=C; export LC_ALL
say() { printf 'MINIME-WIPE %s %s\\n' "$1" "$2"; }
set -- "$home"
${FOLDERS_SCRIPT}
${DAEMON_SCRIPT}
folder=$state/$mesh/$node
result=nothing

# Not every sleep knows fractions.
pause() { sleep 0.1 2>/dev/null || sleep 1; }
# Until the process is gone, or so many seconds are over.
wait_for_end() {
  until=$(($(date +%s) + $1))
  while lives "$pid" "$start"; do
    [ "$(date +%s)" -lt "$until" ] || return 1
    pause
  done
}

find_daemon "$folder"
if [ -n "$pid" ]; then
  if ! kill -s TERM "$pid" 2>/dev/null && lives "$pid" "$start"; then
    say foreign "$pid"
    exit 0
  fi
  result=stopped
  if ! wait_for_end "$grace"; then
    # A process that is stopped takes no SIGTERM, but this.
    kill -s KILL "$pid" 2>/dev/null
    result=killed
    if ! wait_for_end ${WIPE_KILL_SECONDS}; then
      say alive "$pid"
      exit 0
    fi
  fi
fi

# What a daemon that died has left: the process that holds background jobs ends them all.
daemon=$pid
find_process "$folder/jobs.pid"
if [ -n "$pid" ] && kill -s TERM "$pid" 2>/dev/null; then
  if ! wait_for_end "$grace"; then
    kill -s KILL "$pid" 2>/dev/null
    wait_for_end ${WIPE_KILL_SECONDS}
  fi
fi

if [ -e "$folder" ] || [ -h "$folder" ]; then
  [ "$result" != nothing ] || result=removed
  # The socket may lie elsewhere, where a path is short enough.
  for pointer in sock jobs; do
    socket=
    { IFS= read -r socket <"$folder/$pointer.path"; } 2>/dev/null
    case $socket in
    /*/minime/*.sock | /tmp/minime-*/*.sock) rm -f "$socket" ;;
    esac
  done
  if ! error=$(rm -rf "$folder" 2>&1); then
    say left "$(printf '%s' "$error" | tail -n 1)"
    exit 0
  fi
fi
# Only when they are empty: others have daemons there.
rmdir "$state/$mesh" "$state" 2>/dev/null

if [ "$binary" = yes ] && [ -d "$bin" ]; then
  [ "$result" != nothing ] || result=removed
  if ! error=$(rm -rf "$bin" 2>&1); then
    say left "$(printf '%s' "$error" | tail -n 1)"
    exit 0
  fi
  rmdir "\${bin%/bin}" 2>/dev/null
fi
# A service belongs to whoever has installed it. Without a name it is the machine's own node.
for service in "/etc/systemd/system/minime-$mesh.service" "/etc/init.d/minime-$mesh"; do
  [ -f "$service" ] || continue
  if ! grep -q -e ' --name ' "$service" || grep -q -e " --name $node\\( \\|\$\\)" "$service"; then
    result=installed
  fi
done
say "$result" "$daemon"
exit 0
}
`;
