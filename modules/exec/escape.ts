/** The way out of a session that hangs, as ssh has it: Enter, then `~.`; `~~` is one `~`. */

const TILDE = 0x7e;
const POINT = 0x2e;
const ENTER = [0x0a, 0x0d];

/** The keys without that; `onLeave` is called once, and then nothing more comes. */
export async function* withEscape(
  keys: AsyncIterable<Uint8Array>,
  onLeave: () => void,
): AsyncGenerator<Uint8Array, void, void> {
  let isLineStart = true;
  let isTilde = false;
  for await (const chunk of keys) {
    const passed: number[] = [];
    for (const key of chunk) {
      if (isTilde) {
        isTilde = false;
        if (key === POINT) return onLeave();
        if (key !== TILDE) passed.push(TILDE);
        passed.push(key);
      } else if (isLineStart && key === TILDE) isTilde = true;
      else passed.push(key);
      isLineStart = ENTER.includes(key);
    }
    if (passed.length > 0) yield Uint8Array.from(passed);
  }
}
