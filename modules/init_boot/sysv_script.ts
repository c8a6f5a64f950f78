/**
 * The init script of a node, for machines without systemd: actions and exit codes of the LSB (Core
 * 5.0, chapter 22). The daemon writes its pid file when it runs, so a start that fails is known as
 * one, with the reason. One that has to wait before it can run writes it too, and beside it for what.
 */

import { shellQuoted } from "../shared/private_folder.ts";

/** What the script depends on. */
export interface ScriptOptions {
  readonly mesh: string;
  /** The mesh file. */
  readonly config: string;
  /** The program and its arguments, without pid file and log. */
  readonly command: readonly string[];
}

/** The text of the file, for any POSIX shell. */
export function sysvScript({ mesh, config, command }: ScriptOptions): string {
  const [program = "", ...args] = command;
  return `#!/bin/sh
### BEGIN INIT INFO
# Provides:          minime-${mesh}
# Required-Start:    $network $remote_fs $time
# Required-Stop:     $network $remote_fs
# Should-Start:      $named $syslog
# Default-Start:     2 3 4 5
# Default-Stop:      0 1 6
# Short-Description: minime, a node of mesh ${mesh}
# Description:       Written by "minime init install", and again by the next one.
### END INIT INFO

name=minime-${mesh}
program=${shellQuoted(program)}
config=${shellQuoted(config)}
pidfile=/run/$name.pid
log=/var/log/$name.log
errors=/run/$name.err
# Seconds that a start and an orderly stop may take.
start_max=60
stop_max=30
HOME=\${HOME:-/root}
export HOME
# Whoever calls this may have other folders; at boot nobody has.
unset XDG_STATE_HOME XDG_CONFIG_HOME XDG_CACHE_HOME XDG_RUNTIME_DIR

# Prints the pid of the running daemon. The number alone could be another process by now.
running() {
  pid=$(cat "$pidfile" 2>/dev/null) || return 1
  case $pid in '' | *[!0-9]*) return 1 ;; esac
  tr '\\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -qF -- "daemon --config $config" || return 1
  echo "$pid"
}

# Who that process is, and for what it waits before it is in the mesh.
as_process() {
  if [ -s "$pidfile.waiting" ]; then
    echo "as process $1: $(cat "$pidfile.waiting")"
  else
    echo "as process $1"
  fi
}

must_be_root() {
  [ "$(id -u)" -eq 0 ] && return
  echo "$name: only root may do this" >&2
  exit 4
}

start() {
  if pid=$(running); then
    echo "$name runs already, $(as_process "$pid")"
    return 0
  fi
  if [ ! -x "$program" ]; then
    echo "$name: there is no program $program" >&2
    return 5
  fi
  if [ ! -r "$config" ]; then
    echo "$name: there is no mesh file $config" >&2
    return 6
  fi
  rm -f "$pidfile" "$pidfile.waiting"
  setsid "$program" ${args.map(shellQuoted).join(" ")} \\
    --pid-file "$pidfile" --log "$log" </dev/null >/dev/null 2>"$errors" &
  child=$!
  waited=0
  while [ ! -s "$pidfile" ]; do
    if ! kill -0 "$child" 2>/dev/null; then
      echo "$name does not start:" >&2
      cat "$errors" >&2
      return 1
    fi
    if [ "$waited" -ge $((start_max * 10)) ]; then
      kill "$child"
      echo "$name did not start within $start_max seconds; see $log" >&2
      return 1
    fi
    sleep 0.1
    waited=$((waited + 1))
  done
  echo "$name runs, $(as_process "$(cat "$pidfile")")"
}

stop() {
  if ! pid=$(running); then
    rm -f "$pidfile"
    echo "$name does not run"
    return 0
  fi
  kill "$pid"
  waited=0
  while running >/dev/null; do
    if [ "$waited" -ge $((stop_max * 10)) ]; then
      kill -9 "$pid"
      rm -f "$pidfile"
      echo "$name was killed: it did not stop within $stop_max seconds" >&2
      return 0
    fi
    sleep 0.1
    waited=$((waited + 1))
  done
  rm -f "$pidfile"
  echo "$name is stopped"
}

reload() {
  if ! pid=$(running); then
    echo "$name does not run" >&2
    return 7
  fi
  kill -HUP "$pid"
}

status() {
  if pid=$(running); then
    echo "$name runs, $(as_process "$pid")"
    return 0
  fi
  if [ -e "$pidfile" ]; then
    echo "$name is dead, and its pid file is there: $pidfile"
    return 1
  fi
  echo "$name does not run"
  return 3
}

case "\${1-}" in
  start) must_be_root && start ;;
  stop) must_be_root && stop ;;
  restart) must_be_root && stop && start ;;
  try-restart)
    must_be_root
    running >/dev/null || exit 0
    stop && start
    ;;
  reload) must_be_root && reload ;;
  force-reload) must_be_root && { reload || start; } ;;
  status) status ;;
  *)
    echo "Usage: $0 start|stop|restart|try-restart|reload|force-reload|status" >&2
    exit 2
    ;;
esac
`;
}
