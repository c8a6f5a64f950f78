/**
 * Whether daemons still run, asked from outside of the mesh: by their processes where they run on
 * this machine, by their ports elsewhere. A daemon closes its listeners last, so a port that refuses
 * says more than the mesh does.
 */

import { type Environment, parseEndpoint } from "../../core/mod.ts";
import { isLiving, livingProcess, type ProcessName } from "../shared/pid_file.ts";
import { probe } from "../shared/probe.ts";
import { localNodes } from "../shared/state_folder.ts";
import { inWindow } from "../shared/window.ts";
import { PROBE_MS_MAX, PROBES_AT_ONCE } from "./limits.ts";

/** A daemon, as far as it must be known to look for it. */
export interface ProbedNode {
  readonly name: string;
  readonly keyId: string;
  readonly endpoints: readonly string[];
}

/** `unknown`: nothing answers, which a dead machine and a broken network have in common. */
export type Liveness = "lives" | "gone" | "unknown";

type Needs = Pick<Environment, "clock" | "files" | "network" | "processes">;

/** Looks after a fixed set of daemons; those of this machine are known by their processes. */
export class Prober {
  readonly #env: Needs;
  readonly #signal: AbortSignal;
  /** By key id. */
  readonly #processes = new Map<string, ProcessName>();

  private constructor(env: Needs, signal: AbortSignal) {
    this.#env = env;
    this.#signal = signal;
  }

  /** Must be made while the daemons run: a pid file goes before its process does. */
  static async create(
    env: Needs,
    nodes: readonly ProbedNode[],
    options: { readonly mesh: string; readonly signal: AbortSignal },
  ): Promise<Prober> {
    const prober = new Prober(env, options.signal);
    const here = await localNodes(env, options.mesh);
    for (const { name, keyId } of nodes) {
      for (const { paths } of here.filter((node) => node.name === name)) {
        const process = await livingProcess(env, paths.pid);
        if (process !== undefined) prober.#processes.set(keyId, process);
      }
    }
    return prober;
  }

  /** In the order of the nodes. */
  async probe(nodes: readonly ProbedNode[]): Promise<Liveness[]> {
    return await inWindow(nodes, PROBES_AT_ONCE, (node) => this.#probeNode(node));
  }

  async #probeNode({ keyId, endpoints }: ProbedNode): Promise<Liveness> {
    const process = this.#processes.get(keyId);
    if (process !== undefined && await isLiving(this.#env, process)) return "lives";
    let isKnown = process !== undefined;
    for (const endpoint of endpoints) {
      const state = await this.#probeEndpoint(endpoint);
      if (state === "lives") return "lives";
      if (state === "gone") isKnown = true;
    }
    return isKnown ? "gone" : "unknown";
  }

  async #probeEndpoint(endpoint: string): Promise<Liveness> {
    const signal = this.#signal;
    const answer = await probe(this.#env, parseEndpoint(endpoint), { ms: PROBE_MS_MAX, signal });
    if (answer === "open") return "lives";
    return answer === "refused" ? "gone" : "unknown";
  }
}
