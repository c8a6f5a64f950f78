/**
 * A logger for what others can cause as often as they like, such as refused connections: so many
 * lines a second, and then how many were left out. The lines that matter must not be washed out of a
 * log whose size is bounded.
 */

import { RateLimit } from "./daemon/rate_limit.ts";
import type { Clock } from "./environment/environment.ts";
import { LIMITED_LINES_PER_SECOND_MAX } from "./limits.ts";
import type { Log } from "./log.ts";

/** Debug lines are not counted: whoever asks for them wants them all. */
export function limitedLog(log: Log, clock: Clock): Log {
  const rate = new RateLimit(LIMITED_LINES_PER_SECOND_MAX, clock);
  let left = 0;
  return (level, text, fields) => {
    if (level !== "debug" && !rate.take()) {
      left++;
      return;
    }
    if (level !== "debug" && left > 0) {
      log("warning", `${left} lines of this kind were left out`);
      left = 0;
    }
    log(level, text, fields);
  };
}
