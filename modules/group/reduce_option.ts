/** `--reduce KIND[:FIELD[:NUMBER]]` as a person types it. Checked in full when the command runs. */

import { UsageError } from "../../core/mod.ts";
import { PLAIN_REDUCERS, type ReduceInput } from "../shared/group_request.ts";
import { didYouMean } from "../shared/suggest.ts";

const KINDS: readonly ReduceInput["kind"][] = [...PLAIN_REDUCERS, "histogram", "top"];

/** Throws UsageError. */
export function parseReduce(text: string): ReduceInput {
  const [word = "", field = "", number, ...rest] = text.split(":");
  const kind = KINDS.find((each) => each === word);
  if (kind === undefined) {
    throw new UsageError(`There is no way to reduce "${word}"${didYouMean(word, KINDS)}`, {
      hint: `Ways to reduce: ${KINDS.join(", ")}`,
    });
  }
  const numbered = kind === "histogram" || kind === "top";
  if (rest.length > 0 || (number !== undefined && !numbered)) {
    throw new UsageError(`"${text}" has more parts than "${kind}" takes`);
  }
  const given = field === "" ? {} : { field };
  if (kind !== "histogram" && kind !== "top") return { kind, ...given };
  if (number === undefined) return { kind, ...given };
  const amount = Number(number);
  if (!(amount > 0) || !Number.isFinite(amount)) {
    throw new UsageError(`"${number}" in "${text}" is no number above 0`);
  }
  return kind === "top" ? { kind, ...given, count: amount } : { kind, ...given, width: amount };
}
