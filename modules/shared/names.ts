/**
 * Names of nodes in the order in which people expect them, and runs of digits. Natural order
 * compares runs of digits as numbers, so `n2` comes before `n10`; it is total: only equal names
 * compare equal (`n1` comes before `n01`).
 */

/** Natural order, for `sort`. */
export function compareNames(a: string, b: string): number {
  if (a === b) return 0;
  let i = 0;
  let j = 0;
  let padding = 0; // the first difference in leading zeros decides when all else is equal
  while (i < a.length && j < b.length) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(j);
    if (!isDigit(x) || !isDigit(y)) {
      if (x !== y) return x - y;
      i++;
      j++;
      continue;
    }
    const endA = digitsEnd(a, i);
    const endB = digitsEnd(b, j);
    const startA = zerosEnd(a, i, endA);
    const startB = zerosEnd(b, j, endB);
    if (endA - startA !== endB - startB) return (endA - startA) - (endB - startB);
    for (let k = 0; k < endA - startA; k++) {
      const difference = a.charCodeAt(startA + k) - b.charCodeAt(startB + k);
      if (difference !== 0) return difference;
    }
    if (padding === 0) padding = (endA - i) - (endB - j);
    i = endA;
    j = endB;
  }
  return (a.length - i) - (b.length - j) || padding;
}

/** Sorted naturally, each once. */
export function sortedNames(names: Iterable<string>): string[] {
  return [...new Set(names)].sort(compareNames);
}

/** True for the code of an ASCII digit. */
export function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

/** Index after the run of digits that starts at `from`. */
export function digitsEnd(text: string, from: number): number {
  let end = from;
  while (end < text.length && isDigit(text.charCodeAt(end))) end++;
  return end;
}

/** Index after leading zeros; the last digit stays, so that "0" and "00" are the number 0. */
function zerosEnd(text: string, from: number, end: number): number {
  let at = from;
  while (at < end - 1 && text.charCodeAt(at) === 0x30) at++;
  return at;
}
