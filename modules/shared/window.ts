/** Many things at once, but not all: a window over a list. */

/** Runs `run` for all items, at most `window` at a time; results in the order of the items. */
export async function inWindow<T, R>(
  items: readonly T[],
  window: number,
  run: (item: T) => Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  let next = 0;
  const worker = async () => {
    while (next < items.length) {
      const at = next++;
      results[at] = await run(items[at] as T);
    }
  };
  const workers = Array.from({ length: Math.min(window, items.length) }, worker);
  // All of them, so that nothing goes on after one has failed.
  await Promise.allSettled(workers);
  await Promise.all(workers);
  return results;
}
