/**
 * Lines of POSIX sh that find the daemon of a node on its host by its pid file, so that nobody is
 * ever signalled but it: see modules/shared/pid_file.ts. They want `set -f`, since what stands in
 * /proc is split into words.
 */

export const DAEMON_SCRIPT = `
# Whether a process lives and started then: PID STARTTIME. A zombie does not live.
lives() {
  stat=$(cat "/proc/$1/stat" 2>/dev/null)
  started=$2
  # The second field is the program's name in brackets and may hold anything.
  set -- \${stat##*) }
  [ -n "$started" ] && [ "\${20}" = "$started" ] && [ "$1" != Z ]
}
# Sets pid and start from a daemon's folder; pid is empty when it does not run.
find_daemon() { find_process "$1/pid"; }
# The same from any pid file.
find_process() {
  pid= start=
  { read -r pid start <"$1"; } 2>/dev/null
  case $pid in
  '' | *[!0-9]*) pid= ;;
  *) lives "$pid" "$start" || pid= ;;
  esac
}
`;
