/** `minime help`: the same texts as --help, and topics that belong to no command. */

import { UsageError } from "../../core/mod.ts";
import type { CommandContext } from "../shared/command.ts";
import { didYouMean } from "../shared/suggest.ts";
import { type Entry, followWords } from "./entries.ts";
import { entryHelp, HELP_TOPICS, programHelp, topicHelp } from "./help.ts";

export function help(
  entries: readonly Entry[],
): (context: CommandContext, options: unknown, words: readonly string[]) => Promise<void> {
  return (context, _options, words) => {
    context.out.write(helpFor(entries, words));
    return Promise.resolve();
  };
}

function helpFor(entries: readonly Entry[], words: readonly string[]): string {
  if (words.length === 0) return programHelp(entries);
  const topic = HELP_TOPICS.find((each) => each === words[0]);
  if (topic !== undefined && words.length === 1) return topicHelp(topic);
  const { entry, path } = followWords(entries, words);
  const unknown = words[path.length];
  if (entry !== undefined && unknown === undefined) return entryHelp(entry, path);
  const level = entry === undefined ? entries : entry.kind === "group" ? entry.commands : [];
  const names = level.filter((each) => !each.hidden).map((each) => each.name);
  const topics = entry === undefined ? HELP_TOPICS : [];
  throw new UsageError(
    `No help about "${words.join(" ")}"${didYouMean(unknown ?? "", [...names, ...topics])}`,
    { hint: 'See "minime help"' },
  );
}
