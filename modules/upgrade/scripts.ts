/** What the system's shell does for an upgrade: files of a hundred megabytes never go through us. */

/**
 * Takes a program as gzip on stdin to the file $1, if its hash is $2. It gets its name only when it
 * is whole; what was begun is removed however the script ends. One that is there stays: another node
 * of this machine may be trying it, and a program that is replaced under itself cannot be read.
 */
export const TAKE_SCRIPT = `
umask 022
part=$1.part.$$
trap 'rm -f -- "$part"' EXIT
trap 'exit 1' HUP INT TERM
gzip -dc >"$part" || exit 1
sum=$(sha256sum <"$part") || exit 1
if [ "\${sum%% *}" != "$2" ]; then echo "its hash is wrong: it was changed on the way" >&2; exit 1; fi
chmod 755 "$part" || exit 1
sync -- "$part" 2>/dev/null
ln -- "$part" "$1" 2>/dev/null || [ -f "$1" ]
`;

/** The program $1 becomes the file $2, and stays as $1.old. */
export const SWITCH_SCRIPT = `
ln -f -- "$1" "$1.old" && mv -f -- "$2" "$1"
`;

/**
 * Watches over the process $1, which goes on as the new program, for $2 seconds, outside of it: the
 * new program takes away the file $3 when it is up. Does it not, the old one comes back: $5 takes the
 * place of $4 unless they are the same, and the rest of the words start it.
 */
const GUARD = `
pid=$1 left=$(($2 * 10)) marker=$3 program=$4 old=$5
shift 5
while [ "$left" -gt 0 ] && [ -e "/proc/$pid/exe" ]; do
  [ -e "$marker" ] || exit 0
  sleep 0.1
  left=$((left - 1))
done
[ -e "$marker" ] || exit 0
kill -9 "$pid" 2>/dev/null
[ "$program" = "$old" ] || mv -f -- "$old" "$program"
printf failed >"$marker"
exec "$@"
`;

/** Arguments of sh that start the guard as a child of nobody, so that nobody has to reap it. */
export function guardArguments(words: readonly string[]): string[] {
  const start = 'setsid sh -c "$0" "$@" </dev/null >/dev/null 2>&1 &';
  return ["-c", start, GUARD, "minime-guard", ...words];
}
