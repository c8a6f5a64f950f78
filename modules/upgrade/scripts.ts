/** What the system's shell does for an upgrade: files of a hundred megabytes never go through us. */

/**
 * Takes a program of $3 bytes as gzip on stdin to the file $1, if its hash is $2. Not a byte more is
 * written: what comes is checked by its hash at the end only. Who runs it removes the file.
 */
export const TAKE_SCRIPT = `
umask 022
gzip -dc | head -c "$3" >"$1" || exit 1
sum=$(sha256sum <"$1") || exit 1
if [ "\${sum%% *}" != "$2" ]; then echo "its hash is wrong: it was changed on the way" >&2; exit 1; fi
chmod 755 "$1" || exit 1
sync -- "$1" 2>/dev/null || :
`;

/**
 * The file $1, which was tried, gets the name $2. One that has got it meanwhile stays: another node of
 * this machine may be running it, and a program that is replaced under itself cannot be read.
 */
export const NAME_SCRIPT = `
ln -- "$1" "$2" 2>/dev/null || [ -f "$2" ]
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
