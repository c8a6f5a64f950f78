/**
 * A folder that is copied under a new name holds a mark until all of it is in place, so that the same
 * command, run again, goes on in it. By the rules of cp it would make another one in what is there.
 */

import type { Sha256 } from "../../core/mod.ts";
import type { Destination } from "./destination.ts";
import type { Ground } from "./ground.ts";
import { PART_KEPT_MS } from "./limits.ts";
import { lastOf, parentOf } from "./names.ts";
import { partName, removePart } from "./part_file.ts";

export interface BegunOptions {
  readonly ground: Ground;
  readonly uid: number;
  /** Who sends to whom; see partName. */
  readonly key: string;
  readonly now: () => number;
  readonly startSha256: () => Sha256;
}

const MARK_MODE = 0o600;

/** Where to go on with a folder that the sender calls so: the destination itself when it is no such. */
export function findBegun(
  options: BegunOptions,
  destination: Destination,
  name: string,
): Destination {
  const { base, mayBeBegun } = destination;
  if (!mayBeBegun) return destination;
  const { ground, uid, now } = options;
  ground.enter(base);
  const facts = ground.disk.facts(ground.at(markName(options, name)));
  const isMark = facts?.kind === "file" && facts.uid === uid;
  // Of one that nobody has gone on with for long, nobody means the same any more.
  if (!isMark || now() - facts.changed > PART_KEPT_MS) return destination;
  return { base: parentOf(base) || "/", rename: lastOf(base) };
}

/** With a mark of now, whether there was one or not. */
export class BegunFolder {
  readonly #ground: Ground;
  readonly #path: string;
  readonly #mark: string;

  /** `path` is absolute. */
  constructor(options: BegunOptions, { path, name }: { path: string; name: string }) {
    this.#ground = options.ground;
    this.#path = path;
    this.#mark = markName(options, name);
  }

  mark(): void {
    this.unmark();
    this.#ground.disk.create(this.#ground.at(this.#mark), MARK_MODE).close();
  }

  /** All of it is in place. */
  unmark(): void {
    this.#ground.enter(this.#path);
    removePart(this.#ground, this.#mark);
  }

  /** An error of these, in words for a person. */
  explain(error: unknown): unknown {
    return this.#ground.explain(error, this.#mark);
  }
}

/** No file has a slash in its name. */
function markName({ key, startSha256 }: BegunOptions, name: string): string {
  return partName(`${name}/`, { key, startSha256 });
}
