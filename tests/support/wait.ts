/** Waiting in tests: for a condition or for quiet, never for a time. */

declare const setImmediate: (run: () => void) => unknown;

/** More turns than what is under way in this process needs; what takes longer waits for others. */
const EAGER_TURNS = 20_000;
/** What waits for the kernel, a timer or another process may take so long on a busy machine. */
const WAIT_MS_MAX = 60_000;
const QUIET_TURNS = 20;

/** One turn of the event loop, the network included. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(() => resolve()));
}

/** Resolves as soon as the condition holds; throws when it never does. */
export async function until(condition: () => boolean, what: string): Promise<void> {
  const start = performance.now();
  for (let turns = 0; !condition(); turns++) {
    if (turns > EAGER_TURNS && performance.now() - start > WAIT_MS_MAX) {
      throw new Error(`Waited in vain until ${what}`);
    }
    // Now and then for real, so that a busy kernel gets its turn too.
    if (turns % 64 === 63 || turns > EAGER_TURNS) {
      await new Promise((resolve) => setTimeout(resolve, 1));
    } else await turn();
  }
}

/** Lets everything within this process settle: for conduits in memory and stopped clocks. */
export async function quiet(): Promise<void> {
  for (let turns = 0; turns < QUIET_TURNS; turns++) await turn();
}

/** What a promise has come to so far. */
export type Outcome<T> =
  | { readonly state: "pending" }
  | { readonly state: "resolved"; readonly value: T }
  | { readonly state: "rejected"; readonly error: unknown };

/** After all is quiet. */
export async function outcome<T>(promise: Promise<T>): Promise<Outcome<T>> {
  let found: Outcome<T> = { state: "pending" };
  promise.then(
    (value) => found = { state: "resolved", value },
    (error: unknown) => found = { state: "rejected", error },
  );
  await quiet();
  return found;
}
