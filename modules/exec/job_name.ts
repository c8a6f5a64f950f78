/** The name of a job, as a person types it. */

import { isName, UsageError } from "../../core/mod.ts";

/** The text itself. @throws UsageError when it is no name */
export function readJobName(given: string): string {
  if (isName(given)) return given;
  throw new UsageError(`"${given}" is no name of a job`, {
    hint: "A name has 1 to 63 of a-z 0-9 . _ - and starts with a letter or digit",
  });
}
