/**
 * While a session with a node is being made through a daemon: asks it now and then what the mesh knows
 * of the node. Who waits for one that is known to be down, or to have left, waits for nothing.
 */

import * as v from "valibot";
import {
  type Caller,
  CallError,
  type Clock,
  ConnectionError,
  MinimeError,
} from "../../core/mod.ts";
import { formatDuration } from "../shared/duration.ts";
import { type Route, RouteSchema } from "../shared/route_view.ts";

/** Before the first look and between two: most sessions are made before it. */
const LOOK_MS = 250;
const ANSWER_MS_MAX = 2_000;
/** A node that is started again, or whose gateway is, is mostly back within this. */
const DOWN_MS_MIN = 3_000;

export class TargetWatch implements Disposable {
  /** Why there is no way, as the daemon said last. */
  why: string | undefined;
  readonly #caller: Pick<Caller, "request">;
  readonly #keyId: string;
  readonly #clock: Pick<Clock, "sleep">;
  readonly #lost = new AbortController();
  readonly #over = new AbortController();

  constructor(
    caller: Pick<Caller, "request">,
    { keyId, clock }: { readonly keyId: string; readonly clock: Pick<Clock, "sleep"> },
  ) {
    this.#caller = caller;
    this.#keyId = keyId;
    this.#clock = clock;
    void this.#run();
  }

  /** Aborts with a ConnectionError that says why the node cannot be reached. */
  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  [Symbol.dispose](): void {
    this.#over.abort();
  }

  async #run(): Promise<void> {
    const { signal } = this.#over;
    while (!signal.aborted) {
      try {
        await this.#clock.sleep(LOOK_MS, { signal });
        this.#judge(await this.#ask(signal));
      } catch (error) {
        if (signal.aborted) return;
        if (!(error instanceof MinimeError || error instanceof v.ValiError)) throw error;
        // Whoever cannot say it leaves the session to its own limits.
        if (!(error instanceof CallError) || error.class !== "busy") return;
      }
    }
  }

  async #ask(signal: AbortSignal): Promise<Route> {
    const options = { deadlineMs: ANSWER_MS_MAX, signal };
    const question = { to: this.#keyId };
    return v.parse(RouteSchema, await this.#caller.request("router.route", question, options));
  }

  #judge({ target, high, low }: Route): void {
    this.why = high.hops.length + low.hops.length === 0 ? high.why : undefined;
    if (target === undefined || target.state === "up") return;
    if (target.state === "left") return this.#lose("It has left the mesh");
    if (target.forMs < DOWN_MS_MIN) return;
    const at = target.lostAt === undefined ? "" : `, lost at "${target.lostAt}"`;
    this.#lose(`Down for ${formatDuration(target.forMs)}${at}`);
  }

  #lose(text: string): void {
    this.why = undefined;
    this.#lost.abort(new ConnectionError("no-route", text));
    this.#over.abort();
  }
}
