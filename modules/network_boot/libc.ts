/** The C library of a host, from what `getconf` or `ldd` there says: whether the runtime starts on it. */

import { GLIBC_OLDEST } from "./limits.ts";

/** For texts: "glibc 2.27 or newer". */
export const GLIBC_NEEDED = `glibc ${GLIBC_OLDEST.join(".")} or newer`;

/** "old" is a glibc too, of the version `found`. */
export type Libc =
  | { readonly kind: "fits" }
  | { readonly kind: "musl" }
  | { readonly kind: "unknown" }
  | { readonly kind: "old"; readonly found: string };

/** "glibc 2.36", or ldd's "ldd (Debian GLIBC 2.36-9) 2.36". */
export function readLibc(text: string): Libc {
  if (/musl/i.test(text)) return { kind: "musl" };
  const found = /(?:glibc|gnu libc|ldd)\D{0,60}?(\d{1,4})\.(\d{1,4})/i.exec(text);
  if (found === null) return { kind: "unknown" };
  const major = Number(found[1]);
  const minor = Number(found[2]);
  const [oldestMajor, oldestMinor] = GLIBC_OLDEST;
  const fits = major > oldestMajor || (major === oldestMajor && minor >= oldestMinor);
  return fits ? { kind: "fits" } : { kind: "old", found: `${major}.${minor}` };
}
