/** Where text that comes in pieces may be cut: not inside a character of UTF-8. */

/** Bytes at the end that begin a character and do not end it: 0 to 3, and 0 for what is no text. */
export function tailOf(bytes: Uint8Array): number {
  for (let back = 1; back <= 3 && back <= bytes.length; back++) {
    const byte = bytes[bytes.length - back] ?? 0;
    // One that goes on.
    if ((byte & 0xc0) === 0x80) continue;
    const size = byte >= 0xf0 && byte < 0xf8 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
    return byte < 0xf8 && size > back ? back : 0;
  }
  return 0;
}
