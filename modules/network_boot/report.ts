/** What a person sees of a boot: a line for each host as it happens, what goes on, and the sum. */

import { formatDuration } from "../shared/duration.ts";
import type { Output } from "../shared/output.ts";
import { foldNodeset } from "../shared/nodeset.ts";
import { padText } from "../shared/text.ts";
import type { HostOutcome } from "./boot.ts";
import type { LaunchStep } from "./launcher.ts";
import { plural } from "../shared/plural.ts";

const STEPS: readonly LaunchStep[] = ["connecting", "waiting", "copying", "starting"];

export class BootReport {
  readonly #out: Output;
  readonly #isQuiet: boolean;
  readonly #names: readonly string[];
  readonly #width: number;
  readonly #steps = new Map<string, LaunchStep>();
  #done = 0;

  /** `json`: nothing is printed but progress; the result is one document at the end. */
  constructor(out: Output, options: { readonly names: readonly string[]; readonly json: boolean }) {
    this.#out = out;
    this.#isQuiet = options.json;
    this.#names = options.names;
    this.#width = options.names.reduce((most, name) => Math.max(most, name.length), 0);
  }

  step(name: string, step: LaunchStep): void {
    this.#steps.set(name, step);
    this.#progress();
  }

  outcome(outcome: HostOutcome): void {
    this.#done++;
    this.#steps.delete(outcome.host.name);
    this.#line(outcome.host.name, this.#words(outcome));
    this.#progress();
  }

  /** It started, and the mesh does not see it. */
  notLinked(name: string, text: string): void {
    this.#line(name, this.#out.paint("red", text));
  }

  /** Everything else is over: what is asked now is whether the nodes found each other. */
  linking(): void {
    this.#out.progress("Waiting for the mesh to link");
  }

  sum(up: readonly string[], ms: number): void {
    this.#out.progress(undefined);
    if (this.#isQuiet) return;
    const all = this.#names.length;
    const failed = this.#names.filter((name) => !up.includes(name));
    const which = up.length === 0 ? "" : `: ${foldNodeset(up)}`;
    const lost = failed.length === 0 ? "" : `; not up: ${foldNodeset(failed)}`;
    const hosts = all === 1 ? "host is" : "hosts are";
    this.#out.print(
      `${up.length} of ${all} ${hosts} up after ${formatDuration(ms)}${which}${lost}`,
    );
  }

  #words(outcome: HostOutcome): string {
    switch (outcome.state) {
      case "up":
        return `${this.#out.paint("green", "up")} in ${seconds(outcome.ms)}` +
          (outcome.text === undefined ? "" : `: ${outcome.text}`);
      case "already":
        return `${this.#out.paint("green", "up")} already`;
      case "failed":
        return this.#out.paint("red", outcome.error.text);
    }
  }

  #line(name: string, words: string): void {
    if (!this.#isQuiet) this.#out.print(`${padText(name, this.#width)}  ${words}`);
  }

  #progress(): void {
    const counts = STEPS.flatMap((step) => {
      const count = [...this.#steps.values()].filter((each) => each === step).length;
      return count === 0 ? [] : [`${count} ${step}`];
    });
    const doing = counts.length === 0 ? "" : `: ${counts.join(", ")}`;
    this.#out.progress(`${this.#done} of ${plural(this.#names.length, "host")} done${doing}`);
  }
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`;
}
