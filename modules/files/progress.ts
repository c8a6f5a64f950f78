/** The line of progress of a copy: how much, how fast, how long still. */

import type { Clock } from "../../core/mod.ts";
import { formatDuration } from "../shared/duration.ts";
import type { Output } from "../shared/output.ts";
import { formatSize } from "../shared/size.ts";
import { PROGRESS_MS } from "./limits.ts";

const BAR_COLUMNS = 20;

export class Progress {
  readonly #parts: {
    readonly clock: Pick<Clock, "monotonic">;
    readonly out: Pick<Output, "progress">;
    /** Of content in all; undefined: nobody knows. */
    readonly totalBytes: number | undefined;
  };
  readonly #start: number;
  #bytes = 0;
  #drawn = -Infinity;

  constructor(
    parts: {
      readonly clock: Pick<Clock, "monotonic">;
      readonly out: Pick<Output, "progress">;
      readonly totalBytes: number | undefined;
    },
  ) {
    this.#parts = parts;
    this.#start = parts.clock.monotonic();
  }

  /** Content that is there, by whatever way. */
  readonly add = (bytes: number): void => {
    this.#bytes += bytes;
    const now = this.#parts.clock.monotonic();
    if (now - this.#drawn < PROGRESS_MS) return;
    this.#drawn = now;
    this.#parts.out.progress(this.text);
  };

  /** "[#####     ] 25% 25 MB of 100 MB, 112 MB/s, 3s left". */
  get text(): string {
    const { clock, totalBytes } = this.#parts;
    const ms = Math.max(1, clock.monotonic() - this.#start);
    const perSecond = this.#bytes * 1_000 / ms;
    const rate = `${formatSize(Math.round(perSecond))}/s`;
    if (totalBytes === undefined || totalBytes === 0) return `${formatSize(this.#bytes)}, ${rate}`;
    const share = Math.min(1, this.#bytes / totalBytes);
    const bar = "#".repeat(Math.floor(share * BAR_COLUMNS)).padEnd(BAR_COLUMNS);
    const left = perSecond === 0
      ? ""
      : `, ${formatDuration(Math.ceil((totalBytes - this.#bytes) / perSecond) * 1_000)} left`;
    const done = `${formatSize(this.#bytes)} of ${formatSize(totalBytes)}`;
    return `[${bar}] ${Math.floor(share * 100)}% ${done}, ${rate}${share < 1 ? left : ""}`;
  }

  clear(): void {
    this.#parts.out.progress(undefined);
  }
}
