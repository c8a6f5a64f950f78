/**
 * The one fixed script that boot runs on a host, for any POSIX sh (dash, busybox, bash), and the
 * lines that both sides say. The origin waits for an answer before it writes on, since a shell or
 * `head` may read ahead of what it needs:
 *
 *   host -> origin   FACT name value …   HAVE | NEED | CPU        CPU: the file is for another one
 *   origin -> host   USE hash bytes arch     look again for this file
 *                    KEEP                    keep the compressed file too, for others; no answer
 *                    PUT bytes               as many bytes of gzip follow
 *                    GET host port seconds seconds-to-connect, then the ticket on its own line
 *                    RUN words, then as many lines, each a word: the daemon runs with them, and
 *                    from here on the lines are those of its enrolment
 *                    INSTALL words, the same: it is installed, which leaves no other copy behind
 *   host -> origin   HAVE | BAD reason words | AGAIN words        AGAIN: take it from elsewhere
 *
 * The file lies at $XDG_CACHE_HOME/minime/bin/minime-HASH. It gets that name only when its hash is
 * right, in a folder that nobody else can write, so that later its name and size are enough; what was
 * begun is removed however the script ends. No secret is in an argv: the ticket,
 * which is good for one copy of the program, comes on stdin.
 */

import { shellQuoted } from "../shared/private_folder.ts";

/** Folders as the daemon will see them; `$1` is the `home` of the mesh file, or empty. */
export const FOLDERS_SCRIPT = `
case $1 in
'') ;;
/*) XDG_CACHE_HOME=$1/cache XDG_STATE_HOME=$1/state ;;
*) XDG_CACHE_HOME=$HOME/$1/cache XDG_STATE_HOME=$HOME/$1/state ;;
esac
if [ -n "$1" ]; then export XDG_CACHE_HOME XDG_STATE_HOME; fi
case $XDG_CACHE_HOME in /*) ;; *) XDG_CACHE_HOME=$HOME/.cache ;; esac
case $XDG_STATE_HOME in /*) ;; *) XDG_STATE_HOME=$HOME/.local/state ;; esac
bin=$XDG_CACHE_HOME/minime/bin
state=$XDG_STATE_HOME/minime
`;

const FUNCTIONS = `
say() { printf 'MINIME-SH %s\\n' "$*"; }
last() { printf '%s' "$1" | tail -n 1; }
bad() { say BAD "$1" "$(last "$2")"; exit 1; }
sum() { s=$(sha256sum <"$1") && printf '%s' "\${s%% *}"; }
fits() { [ -f "$1" ] && [ "$(wc -c <"$1")" -eq "$size" ]; }

look() {
  file=$bin/minime-$hash run=
  if [ "$(uname -m)" != "$arch" ]; then say CPU; return; fi
  private
  if fits "$file"; then
    [ -x "$file" ] || bad noexec "$file cannot be run"
    run=$file
    say HAVE "$file"
    return
  fi
  for other in "$(command -v minime)" "$HOME/minime" "$HOME/bin/minime" "$HOME/.local/bin/minime" \
    /usr/local/bin/minime; do
    if [ -n "$other" ] && fits "$other" && [ -x "$other" ] && [ "$(sum "$other")" = "$hash" ]; then
      run=$other
      say HAVE "$other"
      return
    fi
  done
  prepare
  say NEED
}

prepare() {
  for tool in gzip sha256sum head tail tee wc df; do
    command -v "$tool" >/dev/null || bad script "$tool is missing"
  done
  err=$(mkdir -p "$bin" 2>&1) || judge "$err"
  private
  new=$file.$(uname -n).$$
  find "$bin" -name 'minime-*.*.*' -mmin +60 -exec rm -f {} + 2>/dev/null
  libc=$(getconf GNU_LIBC_VERSION 2>/dev/null || ldd --version 2>&1 | head -n 1)
  say FACT libc "$libc"
  free=$(df -Pk "$bin" 2>/dev/null | tail -n 1 | { read -r _ _ _ free _; printf '%s' "$free"; })
  say FACT free "$free"
  err=$({ printf '#!/bin/sh\\n:\\n' >"$new" && chmod 700 "$new"; } 2>&1) || judge "$err"
  err=$("$new" 2>&1) || bad noexec "$err"
  rm -f "$new"
  get=no
  if command -v bash >/dev/null && command -v timeout >/dev/null; then get=yes; fi
  say FACT get "$get"
}

private() {
  for dir in "$XDG_CACHE_HOME/minime" "$bin"; do
    [ -d "$dir" ] || continue
    set -- $(ls -ldn "$dir/.")
    case $1:$3 in
    d????-??-*:0 | d????-??-*:"$(id -u)") ;;
    *) bad denied "$dir belongs to another user or can be written by others" ;;
    esac
  done
}

judge() {
  case $1 in
  *'No space left'* | *'isk quota exceeded'*) bad no-space "$1" ;;
  *'ermission denied'* | *'ead-only file system'*) bad denied "$1" ;;
  *) bad script "$1" ;;
  esac
}

# Never more than the file can be: a node that serves may send without end. The head of busybox
# does not say why it cannot write, cat does.
unpack() {
  if [ "$keep" = yes ]; then tee "$new.gz" | plain; else plain; fi
}
plain() { gzip -dc | head -c "$((size + 1))" | cat >"$new"; }

install() {
  [ -s "$new" ] && [ "$(sum "$new")" = "$hash" ] || return 1
  err=$({ chmod 700 "$new" && mv -f "$new" "$file"; } 2>&1) || judge "$err"
  if [ "$keep" = yes ]; then mv -f "$new.gz" "$file.gz" && packed=$file.gz; fi
  run=$file copied=$file
  say HAVE "$file"
}

put() {
  err=$({ head -c "$1" | unpack; } 2>&1)
  install && return
  case $err in *'No space left'* | *'isk quota exceeded'*) bad no-space "$err" ;; esac
  rm -f "$new" "$new.gz"
  bad hash-mismatch "$err"
}

get() {
  IFS= read -r ticket
  if ! timeout "$4" bash -c 'exec 3<>"/dev/tcp/$0/$1"' "$1" "$2" 2>/dev/null; then
    say AGAIN "cannot reach $1 port $2"
    return
  fi
  err=$({ printf '%s\\n' "$ticket" | timeout "$3" bash -c '
    read -r ticket
    exec 3<>"/dev/tcp/$0/$1"
    printf "%s\\n" "$ticket" >&3
    exec cat <&3
  ' "$1" "$2" | head -c "$((size + 1048576))" | unpack; } 2>&1)
  install && return
  rm -f "$new" "$new.gz"
  case $err in *'No space left'* | *'isk quota exceeded'*) bad no-space "$err" ;; esac
  say AGAIN "$(last "$err")"
}

# The folder of two fifos between us and the daemon.
fifos() {
  command -v setsid >/dev/null && command -v mkfifo >/dev/null || return 1
  dir=$bin/talk.$(uname -n).$$
  mkdir -p "$bin" 2>/dev/null && mkdir "$dir" 2>/dev/null || return 1
  printf '%s' "$dir"
  mkfifo "$dir/in" "$dir/out" 2>/dev/null
}

# What \`daemon --detach\` does, without starting the program twice: the daemon gets a session of its
# own, and we pass lines until it is up or has failed. Nothing of ours may stay open in it, or sshd
# would wait.
relay() {
  (cd / && exec setsid "$run" daemon "$@") <"$talk/in" >"$talk/out" 2>"$talk/err" &
  pid=$!
  exec 3>"$talk/in" 4<"$talk/out"
  up=
  while IFS= read -r line <&4; do
    printf '%s\n' "$line"
    case $line in
    'MINIME-CSR '*)
      head -n 1 >&3
      exec 3>&-
      ;;
    'MINIME-UP '*) up=yes; break ;;
    'MINIME-FAIL '*) break ;;
    esac
  done
  [ -z "$up" ] || return 0
  exec 3>&-
  wait "$pid"
  code=$?
  head -c 16384 "$talk/err" >&2
  [ "$code" -ne 0 ] || code=3
  return "$code"
}

# What the program copies is for everybody who logs in.
lasting() {
  umask 022
  "$run" init install --enrol "$@"
  code=$?
  if [ "$code" -eq 0 ] && [ -n "$copied" ]; then rm -f "$copied"; fi
  exit "$code"
}

start() {
  wanted=$1 how=$2
  set --
  while [ $# -lt "$wanted" ]; do
    IFS= read -r word || exit 1
    set -- "$@" "$word"
  done
  if [ "$how" = install ]; then lasting "$@"; fi
  umask 077
  if talk=$(fifos); then relay "$@"; else "$run" daemon --detach "$@"; fi
  code=$?
  if [ "$code" -ne 0 ] && [ -n "$packed" ]; then rm -f "$packed"; fi
  exit "$code"
}
`;

const DIALOGUE = `
umask 077
hash=$2 size=$3 arch=$4 keep=no new= packed= talk= copied=
trap '
  if [ -n "$new" ]; then rm -f "$new" "$new.gz"; fi
  if [ -n "$talk" ]; then rm -rf "$talk"; fi
' EXIT
trap 'exit 1' HUP INT TERM PIPE
say FACT arch "$(uname -m)"
say FACT date "$(date +%s)"
say FACT uid "$(id -u)"
if [ -e /proc/net/if_inet6 ]; then say FACT ipv6 yes; fi
# As systemd's own sd_booted(3) finds out.
if [ -d /run/systemd/system ]; then say FACT init systemd
elif [ -d /etc/init.d ]; then say FACT init sysv; fi
look
while read -r word a b c d; do
  case $word in
  USE) hash=$a size=$b arch=$c; look ;;
  KEEP) keep=yes ;;
  PUT) put "$a" ;;
  GET) get "$a" "$b" "$c" "$d" ;;
  RUN) start "$a" daemon ;;
  INSTALL) start "$a" install ;;
  *) bad script "unknown word $word" ;;
  esac
done
exit 1
`;

export interface BinaryFacts {
  /** SHA-256, hex. */
  readonly hash: string;
  readonly bytes: number;
  /** As `uname -m` says it. */
  readonly architecture: string;
}

/** The script for one host; `home` as in the mesh file. */
export function bootScript(binary: BinaryFacts, options: { readonly home?: string }): string {
  const words = [options.home ?? "", binary.hash, String(binary.bytes), binary.architecture];
  const args = words.map((word) => word === "" ? "''" : shellQuoted(word)).join(" ");
  return `set -- ${args}\n{${FOLDERS_SCRIPT}${FUNCTIONS}${DIALOGUE}}\n`;
}

/** What the script says. */
export type ScriptAnswer =
  | { readonly word: "FACT"; readonly name: string; readonly value: string }
  | { readonly word: "HAVE"; readonly path: string }
  | { readonly word: "NEED" }
  | { readonly word: "CPU" }
  | { readonly word: "BAD"; readonly reason: string; readonly text: string }
  | { readonly word: "AGAIN"; readonly text: string };

/** Undefined for lines that are not the script's: shells greet people in their start files. */
export function parseAnswer(line: string): ScriptAnswer | undefined {
  const [mark, word, ...rest] = line.split(" ");
  if (mark !== "MINIME-SH") return undefined;
  const [first = "", ...others] = rest;
  switch (word) {
    case "FACT":
      return { word, name: first, value: others.join(" ") };
    case "HAVE":
      return { word, path: rest.join(" ") };
    case "NEED":
    case "CPU":
      return { word };
    case "BAD":
      return { word, reason: first, text: others.join(" ") };
    case "AGAIN":
      return { word, text: rest.join(" ") };
    default:
      return undefined;
  }
}
