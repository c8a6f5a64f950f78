/**
 * What goes wrong in a simulated mesh, drawn from a seed: nodes die and come back, freeze, say
 * goodbye; ways are cut, in both directions or one; connections are reset; clocks jump. Each fault
 * has an end, at the latest when {@link Faults.healAll} is called; some of the dead stay dead.
 */

import { errorText } from "../../core/mod.ts";
import type { MeshSimulation } from "./mesh_simulation.ts";
import type { SeededRandom } from "./random.ts";
import type { SimulatedNode } from "./simulated_node.ts";

/** Fewer living nodes are no mesh. */
const LIVING_MIN = 2;
const JUMP_MS_MAX = 20_000;

const KINDS = [
  "kill",
  "power",
  "leave",
  "freeze",
  "halves",
  "one-way",
  "half-open",
  "reset",
  "slow",
  "clock",
] as const;
type Kind = typeof KINDS[number];

export class Faults {
  /** How long each node was frozen, by name. */
  readonly frozenMs = new Map<string, number>();
  /** Starts and stops that failed. */
  readonly problems: string[] = [];
  readonly #mesh: MeshSimulation;
  readonly #random: SeededRandom;
  readonly #note: (text: string) => void;
  /** How many faults cut a way, "n1>n2". */
  readonly #cut = new Map<string, number>();
  readonly #ends = new Set<() => void>();
  #healed = false;

  constructor(
    mesh: MeshSimulation,
    options: { readonly random: SeededRandom; readonly note: (text: string) => void },
  ) {
    this.#mesh = mesh;
    this.#random = options.random;
    this.#note = options.note;
  }

  /** Schedules one fault by chance, between two moments of virtual time from now. */
  plan(fromMs: number, toMs: number): void {
    const random = this.#random;
    const kind = KINDS[random.below(KINDS.length)] as Kind;
    const at = fromMs + random.fraction() * (toMs - fromMs);
    // Many short ones, and some longer than any limit of the daemons.
    const forMs = 200 + 20_000 * random.fraction() ** 2;
    const draw = random.fork(`fault ${at}`);
    this.#mesh.simulation.after(at, () => {
      if (!this.#healed) this.#begin(kind, forMs, draw);
    });
  }

  /** Ends all faults: whoever is to live starts now. */
  healAll(): void {
    this.#healed = true;
    for (const end of [...this.#ends]) end();
  }

  #begin(kind: Kind, forMs: number, draw: SeededRandom): void {
    const { simulation, nodes } = this.#mesh;
    const node = this.#one(draw);
    const other = this.#one(draw);
    const until = (what: string, end: () => void): void => {
      this.#note(`${what}, for ${Math.round(forMs)} ms`);
      this.#endAfter(forMs, () => {
        this.#note(`over: ${what}`);
        end();
      });
    };
    switch (kind) {
      case "kill":
      case "power":
      case "leave":
        return this.#end(kind, node, { forMs, draw });
      case "freeze":
        simulation.freeze(node.name);
        this.frozenMs.set(node.name, forMs + (this.frozenMs.get(node.name) ?? 0));
        return until(`freeze ${node.name}`, () => simulation.thaw(node.name));
      case "halves":
      case "one-way": {
        const left = nodes.filter(() => draw.below(2) === 0);
        const right = nodes.filter((each) => !left.includes(each));
        const ways = left.flatMap((a) => right.map((b) => [a.name, b.name] as const));
        if (kind === "halves") ways.push(...ways.map(([a, b]) => [b, a] as const));
        this.#block(ways);
        const names = left.map(({ name }) => name).join(",");
        return until(`${kind} from [${names}]`, () => this.#open(ways));
      }
      case "half-open":
        if (node === other) return;
        this.#block([[node.name, other.name]]);
        return until(
          `half-open ${node.name}>${other.name}`,
          () => this.#open([[node.name, other.name]]),
        );
      case "reset":
        this.#note(`reset ${node.name} ${other.name}`);
        return simulation.reset(node.name, other.name);
      case "slow": {
        if (node === other) return;
        const delayMs = 20 + draw.below(1_500);
        simulation.link(node.name, other.name, { delayMs, jitterMs: delayMs });
        return until(
          `slow ${node.name}-${other.name} (${delayMs} ms)`,
          () => simulation.link(node.name, other.name, { delayMs: 0.2, jitterMs: 0.3 }),
        );
      }
      case "clock": {
        const ms = draw.below(JUMP_MS_MAX) - JUMP_MS_MAX / 2;
        this.#note(`clock of ${node.name} is ${ms} ms off`);
        return simulation.skew(node.name, ms);
      }
    }
  }

  /** The end of a life, and perhaps the beginning of the next one. */
  #end(
    kind: "kill" | "power" | "leave",
    node: SimulatedNode,
    { forMs, draw }: { readonly forMs: number; readonly draw: SeededRandom },
  ): void {
    const mesh = this.#mesh;
    const { simulation } = mesh;
    const life = node.running;
    if (life === undefined || life.over || mesh.living.length <= LIVING_MIN) return;
    if (kind === "kill") mesh.kill(node);
    else if (kind === "power") mesh.powerOff(node);
    else this.#follow(node.stop());
    const newKey = draw.below(2) === 0;
    const forGood = draw.below(4) === 0;
    this.#note(`${kind} ${node.name}${forGood ? " for good" : ""}`);
    if (forGood) return;
    this.#endAfter(forMs, () => {
      this.#note(`restart ${node.name} with ${newKey ? "a new" : "the same"} key`);
      if (kind === "power") simulation.powerOn(node.name);
      // One that still says goodbye is not waited for.
      if (kind === "leave") mesh.kill(node);
      this.#follow(node.start(mesh.livingPeersOf(node), { newKey }));
    });
  }

  #endAfter(ms: number, run: () => void): void {
    const end = () => {
      if (this.#ends.delete(end)) run();
    };
    this.#ends.add(end);
    this.#mesh.simulation.after(ms, end);
  }

  #block(ways: readonly (readonly [string, string])[]): void {
    for (const [from, to] of ways) {
      const key = `${from}>${to}`;
      const count = this.#cut.get(key) ?? 0;
      if (count === 0) this.#mesh.simulation.block(from, to);
      this.#cut.set(key, count + 1);
    }
  }

  #open(ways: readonly (readonly [string, string])[]): void {
    for (const [from, to] of ways) {
      const key = `${from}>${to}`;
      const count = (this.#cut.get(key) ?? 0) - 1;
      if (count === 0) this.#mesh.simulation.open(from, to);
      this.#cut.set(key, count);
    }
  }

  /** Nobody waits for it: one whose process is killed meanwhile never settles. */
  #follow(promise: Promise<void>): void {
    promise.catch((error: unknown) => this.problems.push(`start or stop: ${errorText(error)}`));
  }

  #one(draw: SeededRandom): SimulatedNode {
    const { nodes } = this.#mesh;
    return nodes[draw.below(nodes.length)] as SimulatedNode;
  }
}
