/** Where the output of programs goes on our side while they run. */

import type { NodeFailure } from "../shared/group_result.ts";
import type { RunEnd } from "./order.ts";
import type { Chunk } from "./program.ts";

export interface OutputSink {
  /** Resolves when there is room for more: until then the programs are slowed down. */
  take(node: string, chunk: Chunk): Promise<void> | void;
  /** Pieces of a node's output were lost on the way. */
  lost(node: string): void;
  /** A program has ended. Called for those that were started, when it is known. */
  end(node: string, end: RunEnd): void;
  /** Of a node of which no end is known. Called when all is over. */
  fail(failure: NodeFailure): void;
  /** Nothing more comes. */
  finish(): Promise<void> | void;
}
