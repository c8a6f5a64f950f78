/**
 * Looks around on the networks of this host: asks who else is of this mesh, says who we are, and hands
 * on whom it hears. Nobody answers one who is in the mesh already, and of a big mesh only some answer
 * a newcomer, so that a room full of machines stays quiet:
 *
 *   newcomer --- asks ---> all: those who do not know it yet as up
 *            <-- answer -- some of them, each once for all who asked; both ends dial, see
 *                          candidate_dialler.ts
 *
 * A registrar answers those too who cannot be linked with until it has renewed their certificate.
 */

import {
  ConnectionError,
  type Datagram,
  equalBytes,
  errorText,
  limitedLog,
  type Log,
  type ModuleHost,
  type Multicast,
  parseEndpoint,
  RateLimit,
  type Timer,
} from "../../core/mod.ts";
import { chance, lessByChance } from "../shared/chance.ts";
import { isEverywhere } from "../shared/host_endpoints.ts";
import type { MeshPicture } from "../shared/mesh_view.ts";
import { REGISTRAR_GROUP } from "../shared/roles.ts";
import { CandidateDialler } from "./candidate_dialler.ts";
import {
  ANSWER_MS_MAX,
  ANSWER_MS_MIN,
  ASK_ALONE_MS_MAX,
  ASK_MS_MAX,
  ASK_MS_MIN,
  ASK_MS_PER_NODE,
  HEAR_AGAIN_MS,
  HELPERS_WANTED,
  MDNS_GROUP,
  SPEAK_MS_MIN,
  WORDS_PER_SECOND_MAX,
} from "./limits.ts";
import { decodeWord, encodeCall, encodeWord } from "./word.ts";

/** What it needs of the daemon. */
export interface LookoutOptions {
  readonly host: Pick<ModuleHost, "endpoints" | "env" | "links" | "log" | "self">;
  readonly picture: MeshPicture;
  /** Each names those of the mesh that we may link with. */
  readonly tags: readonly string[];
}

/** Runs from its making to {@link Lookout.stop}. */
export class Lookout {
  readonly #options: LookoutOptions;
  readonly #log: Log;
  readonly #dialler: CandidateDialler;
  readonly #words: RateLimit;
  readonly #stopping = new AbortController();
  readonly #subscription: Disposable;
  readonly #running: Promise<void>;
  /** Of those who look for a registrar: the same bytes each time. */
  readonly #calls: readonly Uint8Array[];
  #group: Multicast | undefined;
  /** Since the start, or since the last link went. */
  #asked = 0;
  #askTimer: Timer | undefined;
  #answerTimer: Timer | undefined;
  /** Monotonic ms. */
  #spokeAt = -SPEAK_MS_MIN;
  /** That is under way. */
  #speaking: Promise<void> = Promise.resolve();
  /** What was logged last, so that each is logged once. */
  #problem: string | undefined;

  constructor(options: LookoutOptions) {
    const { env, links, log, self } = options.host;
    this.#options = options;
    this.#calls = options.tags.map(encodeCall);
    this.#log = log;
    this.#words = new RateLimit(WORDS_PER_SECOND_MAX, env.clock);
    this.#dialler = new CandidateDialler({
      env,
      links,
      log: limitedLog(log, env.clock),
      self: self.keyId,
      isUp: (keyId) => this.#isUp(keyId),
    });
    this.#subscription = links.watch(({ kind }) => {
      if (kind !== "down" || links.list().length > 0) return;
      this.#asked = 0;
      this.#askIn(this.#jitter(ASK_MS_MIN));
    });
    this.#running = this.#hear();
    this.#askIn(this.#jitter(ANSWER_MS_MAX));
  }

  async stop(): Promise<void> {
    this.#subscription[Symbol.dispose]();
    this.#askTimer?.cancel();
    this.#answerTimer?.cancel();
    this.#stopping.abort();
    this.#group?.close();
    await Promise.all([this.#dialler.stop(), this.#running, this.#speaking]);
  }

  #askIn(ms: number): void {
    this.#askTimer?.cancel();
    if (this.#stopping.signal.aborted) return;
    this.#askTimer = this.#options.host.env.clock.after(ms, () => {
      this.#say({ asks: true });
      this.#askIn(this.#jitter(Math.min(this.#pauseMsMax(), ASK_MS_MIN * 2 ** this.#asked)));
      this.#asked++;
    });
  }

  #pauseMsMax(): number {
    const { picture, host: { links } } = this.#options;
    if (links.list().length === 0) return ASK_ALONE_MS_MAX;
    return Math.max(ASK_MS_MAX, ASK_MS_PER_NODE * picture.nodes.length);
  }

  #answerSoon(): void {
    if (this.#answerTimer !== undefined) return;
    const { clock } = this.#options.host.env;
    const polite = ANSWER_MS_MIN + this.#chance() * (ANSWER_MS_MAX - ANSWER_MS_MIN);
    const free = this.#spokeAt + SPEAK_MS_MIN - clock.monotonic();
    this.#answerTimer = clock.after(Math.max(polite, free), () => {
      this.#answerTimer = undefined;
      this.#say({ asks: false });
    });
  }

  /** On each network where others can reach us. */
  #say({ asks }: { readonly asks: boolean }): void {
    this.#spokeAt = this.#options.host.env.clock.monotonic();
    this.#speaking = this.#speaking.then(async () => {
      const group = this.#group;
      if (group === undefined) return;
      try {
        await this.#speak(group, asks);
        this.#tell(undefined);
      } catch (error) {
        if (!(error instanceof ConnectionError)) throw error;
        this.#tell(errorText(error));
      }
    });
  }

  /** Rejects with ConnectionError when it did not work everywhere. */
  async #speak(group: Multicast, asks: boolean): Promise<void> {
    const { tags, host: { self: { keyId } } } = this.#options;
    const networks = await group.networks();
    if (networks.length === 0) {
      throw new ConnectionError("no-route", "This host is on no IPv4 network that can do it");
    }
    let failure: unknown;
    let isReachable = false;
    for (const address of networks) {
      const port = this.#portAt(address);
      if (port === undefined) continue;
      isReachable = true;
      try {
        for (const tag of tags) await group.send(encodeWord(tag, { keyId, port, asks }), address);
      } catch (error) {
        failure = error; // The other networks may be fine.
      }
    }
    if (failure !== undefined) throw failure;
    if (!isReachable) {
      const where = networks.join(", ");
      throw new ConnectionError("other", `This node listens at none of its addresses: ${where}`);
    }
  }

  /** Where others reach us by that address of ours; undefined: nowhere. */
  #portAt(address: string): number | undefined {
    for (const endpoint of this.#options.host.endpoints()) {
      if (!endpoint.startsWith("tcp:")) continue;
      const at = parseEndpoint(endpoint);
      if (at.transport !== "tcp") continue;
      if (isEverywhere(at) || at.host === address) return at.port;
    }
    return undefined;
  }

  /** Until we stop, whatever the network does. */
  async #hear(): Promise<void> {
    const { clock, network } = this.#options.host.env;
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      try {
        const group = this.#group = network.multicast(MDNS_GROUP);
        await group.networks();
        for (;;) this.#take(await group.receive());
      } catch (error) {
        this.#group?.close();
        this.#group = undefined;
        if (signal.aborted) return;
        if (!(error instanceof ConnectionError)) throw error;
        this.#tell(errorText(error));
        await clock.sleep(HEAR_AGAIN_MS, { signal }).catch(() => {}); // Then it stops.
      }
    }
  }

  #take({ bytes, from }: Datagram): void {
    const { tags, host: { self } } = this.#options;
    if (this.#calls.some((call) => equalBytes(call, bytes))) {
      if (this.#isRegistrar || this.#isWanted) this.#answerSoon();
      return;
    }
    const word = firstOf(tags, (tag) => decodeWord(tag, bytes));
    if (word === undefined || !this.#words.take()) return;
    const { keyId, port, asks } = word;
    if (keyId === self.keyId || this.#isUp(keyId)) return;
    if (asks) {
      if (!this.#isWanted) return;
      this.#answerSoon();
    }
    this.#dialler.hear({ keyId, host: from, port });
  }

  /** One of some: not everybody has to answer. */
  get #isWanted(): boolean {
    return this.#chance() * this.#nodesUp() < HELPERS_WANTED;
  }

  get #isRegistrar(): boolean {
    return this.#options.host.self.groups.includes(REGISTRAR_GROUP);
  }

  #isUp(keyId: string): boolean {
    const { picture, host: { links } } = this.#options;
    return links.get(keyId) !== undefined || picture.byKey(keyId)?.state === "up";
  }

  #nodesUp(): number {
    return this.#options.picture.nodes.filter(({ state }) => state === "up").length;
  }

  /** What is wrong now, once each; undefined: nothing. */
  #tell(problem: string | undefined): void {
    if (problem === this.#problem || this.#stopping.signal.aborted) return;
    this.#problem = problem;
    if (problem === undefined) this.#log("info", "Looking around by multicast DNS works again");
    else this.#log("warning", `Cannot look around by multicast DNS: ${problem}`);
  }

  /** Half to the whole of it. */
  #jitter(ms: number): number {
    return lessByChance(ms, this.#options.host.env.random);
  }

  #chance(): number {
    return chance(this.#options.host.env.random);
  }
}

/** Of what `find` makes of each, the first that is there. */
function firstOf<T, U>(of: readonly T[], find: (one: T) => U | undefined): U | undefined {
  for (const one of of) {
    const found = find(one);
    if (found !== undefined) return found;
  }
  return undefined;
}
