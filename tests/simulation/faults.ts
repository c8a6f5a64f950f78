/**
 * What goes wrong in a simulated mesh, drawn from a seed: faults that overlap as they like. Each has
 * an end, at the latest when {@link Faults.healAll} is called; some of the dead stay dead.
 */

import { errorText } from "../../core/mod.ts";
import { type Fault, FAULT_KINDS, type FaultKind, possibleKinds } from "./fault.ts";
import type { MeshSimulation } from "./mesh_simulation.ts";
import type { SeededRandom } from "./random.ts";

/** Of those that die alone, one in so many stays dead. */
const FOR_GOOD = 4;

export class Faults {
  /** How long each node was frozen, by name. */
  readonly frozenMs = new Map<string, number>();
  /** Whether a clock jumped: hosts reckon each other's time by what they heard last. */
  clocksJumped = false;
  /** Starts and stops that failed. */
  readonly problems: string[] = [];
  /** How often each kind was injected. */
  readonly counts = new Map<FaultKind, number>();
  readonly #mesh: MeshSimulation;
  readonly #random: SeededRandom;
  readonly #note: (text: string) => void;
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
    const kind = this.drawKind(random);
    const at = fromMs + random.fraction() * (toMs - fromMs);
    // Many short ones, and some longer than any limit of the daemons.
    const forMs = 200 + 20_000 * random.fraction() ** 2;
    const draw = random.fork(`fault ${at}`);
    this.#mesh.simulation.after(at, () => {
      if (this.#healed) return;
      const fault = this.begin(kind, forMs, draw);
      if (fault === undefined || (this.#canStayDead(fault) && draw.below(FOR_GOOD) === 0)) return;
      this.#endAfter(forMs, fault);
    });
  }

  /** Ends all faults: whoever is to live starts now. */
  healAll(): void {
    this.#healed = true;
    for (const end of [...this.#ends]) end();
  }

  drawKind(draw: SeededRandom): FaultKind {
    const kinds = possibleKinds(this.#mesh);
    return kinds[draw.below(kinds.length)] as FaultKind;
  }

  /** One fault now, which the caller ends after `forMs`; undefined when it cannot happen. */
  begin(kind: FaultKind, forMs: number, draw: SeededRandom): Fault | undefined {
    const fault = FAULT_KINDS[kind]({
      mesh: this.#mesh,
      draw,
      follow: (promise) => this.#follow(promise),
    });
    if (fault === undefined) return undefined;
    this.#note(`${fault.what}, for ${Math.round(forMs)} ms`);
    this.counts.set(kind, (this.counts.get(kind) ?? 0) + 1);
    if (kind === "clock") this.clocksJumped = true;
    for (const { name } of fault.frozen ?? []) {
      this.frozenMs.set(name, forMs + (this.frozenMs.get(name) ?? 0));
    }
    return fault;
  }

  /** A segment whose last gateway is dead for good is no part of the mesh any more. */
  #canStayDead({ gone }: Fault): boolean {
    return gone.length === 1 && gone[0]?.running?.over !== false && !gone[0]?.place.gateway;
  }

  #endAfter(ms: number, fault: Fault): void {
    const end = () => {
      if (!this.#ends.delete(end)) return;
      timer.cancel();
      this.#note(`over: ${fault.what}`);
      fault.end();
    };
    this.#ends.add(end);
    const timer = this.#mesh.simulation.after(ms, end);
  }

  /** Nobody waits for it: one whose process is killed meanwhile never settles. */
  #follow(promise: Promise<void>): void {
    promise.catch((error: unknown) => this.problems.push(`start or stop: ${errorText(error)}`));
  }
}
