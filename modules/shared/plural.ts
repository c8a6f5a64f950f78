/** Counts in sentences: "1 key", "2 keys". */

/** `many` for what does not simply end in s: "entries". */
export function plural(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}
