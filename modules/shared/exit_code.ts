/**
 * Every exit code of the program, decided once. `minime help exit-codes` prints this table, so a
 * code that is not here does not exist. Commands return one of these (or nothing, which is `ok`).
 */

export const EXIT = {
  ok: 0,
  someFailed: 1,
  usage: 2,
  allFailed: 3,
  unreachable: 4,
  refused: 5,
  bug: 70,
  timedOut: 124,
  notRun: 125,
  cannotRun: 126,
  notFound: 127,
  hungUp: 129,
  interrupted: 130,
  left: 131,
  brokenPipe: 141,
  terminated: 143,
} as const;

/** For people, in the order of the numbers. */
export const EXIT_CODE_MEANINGS: readonly (readonly [code: string, meaning: string])[] = [
  ["0", "All that was asked was done"],
  ["1", "Some nodes failed and others did not, or a single action failed"],
  ["2", "The command line or a file is wrong; nothing was done"],
  ["3", "All nodes failed; boot: none came up"],
  ["4", "There is no such mesh, or no node of it can be reached"],
  ["5", "Refused: the certificate or the policy does not allow it"],
  ["70", "A bug in minime"],
  ["124", "What was waited for did not come in time"],
  ["129", "Hung up: the terminal was closed"],
  ["130", "Interrupted by ^C"],
  ["131", "Left by ^\\: the job goes on"],
  ["141", "The reader of the output went away"],
  ["143", "Terminated by SIGTERM"],
  ["exec 0-123", "Of the programs that were run, the largest exit code"],
  ["exec 124", "A program ran out of its time, or no node began in time"],
  ["exec 125", "On some node it was never started"],
  ["exec 126", "On some node it cannot be run"],
  ["exec 127", "On some node there is no such program"],
  ["exec 128+N", "Signal N killed a program"],
];

/** The code of `asked` targets of which `failed` failed. */
export function exitCodeOf(asked: number, failed: number): number {
  if (failed === 0) return EXIT.ok;
  return failed >= asked ? EXIT.allFailed : EXIT.someFailed;
}
