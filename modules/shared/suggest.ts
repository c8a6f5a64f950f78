/**
 * "Did you mean": the known words closest to a misspelt one, by Damerau-Levenshtein distance
 * (optimal string alignment: insert, delete, replace, swap of neighbours). Lengths and counts are
 * bounded because the word may come from another machine.
 */
import { SUGGEST_CANDIDATES_MAX, SUGGEST_CHARACTERS_MAX } from "./limits.ts";

/** Edits that turn one word into the other; case counts. Costs the product of the lengths. */
export function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1;
      let best = Math.min(
        (last[j] ?? 0) + 1,
        (row[j - 1] ?? 0) + 1,
        (last[j - 1] ?? 0) + cost,
      );
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        best = Math.min(best, (beforeLast[j - 2] ?? 0) + 1);
      }
      row.push(best);
    }
    beforeLast = last;
    last = row;
  }
  return last[b.length] ?? 0;
}

/**
 * Candidates near enough to be meant, nearest first and then in the order given. Near enough is one
 * edit for each three characters, at least one. Capitals are forgiven.
 */
export function closestWords(
  word: string,
  candidates: Iterable<string>,
  options: { max?: number } = {},
): string[] {
  if (word.length === 0 || word.length > SUGGEST_CHARACTERS_MAX) return [];
  const wanted = word.toLowerCase();
  const allowed = Math.max(1, Math.floor(wanted.length / 3));
  const near: { candidate: string; distance: number }[] = [];
  let compared = 0;
  for (const candidate of candidates) {
    if (++compared > SUGGEST_CANDIDATES_MAX) break;
    if (Math.abs(candidate.length - wanted.length) > allowed) continue;
    const distance = editDistance(wanted, candidate.toLowerCase());
    // Words that share nothing are no suggestion: "a" is one edit away from every other letter.
    if (distance > allowed || distance >= candidate.length) continue;
    near.push({ candidate, distance });
  }
  near.sort((a, b) => a.distance - b.distance);
  return near.slice(0, options.max ?? 3).map((entry) => entry.candidate);
}

/** `, did you mean "user"?` for the end of an error text, or nothing when no word is near. */
export function didYouMean(word: string, candidates: Iterable<string>): string {
  const near = closestWords(word, candidates, { max: 2 }).map((entry) => JSON.stringify(entry));
  return near.length === 0 ? "" : `, did you mean ${near.join(" or ")}?`;
}
