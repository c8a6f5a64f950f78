/**
 * The conduits between the modules of one daemon, `internal:NAME`. A module executes its own verbs
 * and no others. Calls to it have no deadline of their own: it lives and dies with its callers.
 */

import { InternalFront } from "../conduit/internal.ts";
import type { Clock } from "../environment/environment.ts";
import { CallError } from "../errors.ts";
import type { Caller } from "./call.ts";
import { Calls } from "./calls.ts";
import type { Serve } from "./incoming.ts";

export interface InternalsOptions {
  readonly clock: Clock;
  readonly serve: Serve;
  readonly onBug: (error: unknown, verb: string) => void;
}

export class Internals {
  readonly #options: InternalsOptions;
  readonly #front = new InternalFront();
  /** At both ends of each conduit. */
  readonly #calls = new Set<Calls>();
  /** One for each pair of caller and called. */
  readonly #callers = new Map<string, Calls>();

  constructor(options: InternalsOptions) {
    this.#options = options;
  }

  /** All that are open now. */
  list(): readonly Calls[] {
    return [...this.#calls];
  }

  /** From now on the module can be called by its name. */
  async open(name: string): Promise<void> {
    const serve: Serve = (incoming) => {
      if (incoming.verb.startsWith(`${name}.`)) return this.#options.serve(incoming);
      throw new CallError("unknown-verb", `"${incoming.verb}" is not a verb of "${name}"`);
    };
    await this.#front.listen(`internal:${name}`, (conduit) => {
      const options = { ...this.#options, conduit, serve, dialled: false, deadlineMsDefault: 0 };
      this.#keep(new Calls(options));
    });
  }

  /** The module of that name, for the one called `from`. */
  callerOf(name: string, from: string): Caller {
    const pair = `${from} ${name}`;
    const known = this.#callers.get(pair);
    if (known !== undefined) return known;
    const conduit = this.#front.dialNow(`internal:${name}`, from);
    const { clock } = this.#options;
    const calls = new Calls({ conduit, clock, dialled: true, deadlineMsDefault: 0 });
    this.#callers.set(pair, calls);
    this.#keep(calls);
    return calls;
  }

  #keep(calls: Calls): void {
    this.#calls.add(calls);
    calls.done.then(() => this.#calls.delete(calls));
  }
}
