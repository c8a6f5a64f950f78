/**
 * Commands as data become a stricli application: it routes, scans options, checks them and proposes
 * completions. Its texts are replaced by ours, its errors are collected and thrown as UsageError, and
 * tables that it looks names up in have no prototype (`minime constructor` is an unknown command).
 */

import {
  type Application,
  buildApplication,
  buildCommand,
  buildRouteMap,
  type Command as StricliCommand,
  type CommandContext as StricliContext,
  proposeCompletions,
  run,
  text_en,
} from "@stricli/core";
import { UsageError } from "../../core/mod.ts";
import type { Command, Completion } from "../shared/command.ts";
import type { Option } from "../shared/option.ts";
import { arrange } from "./arrange.ts";
import { complaintText, UnknownCommand } from "./complaint.ts";
import { type Entry, followWords, optionsOf } from "./entries.ts";
import { entryHelp, programHelp } from "./help.ts";

/** What happens with a command line that was understood. */
export interface Execution {
  run(command: Command, options: Readonly<Record<string, unknown>>, args: string[]): Promise<void>;
  help(text: string): void;
}

export interface Proposal {
  readonly value: string;
  /** Of a command or an option; "" for a value, which speaks for itself. */
  readonly brief: string;
}

/** Values for completion: those that start with `partial`, or any. */
export type Propose = (completion: Completion, partial: string) => Promise<readonly string[]>;

/** @throws UsageError for a line that makes no sense, and whatever `execution.run` throws */
export async function runLine(
  entries: readonly Entry[],
  words: readonly string[],
  execution: Execution,
): Promise<void> {
  const line = arrange(entries, words);
  const { entry, path } = followWords(entries, line);
  const thrown: unknown[] = [];
  const complaints: unknown[] = [];
  const app = application(entries, {
    propose: () => Promise.resolve([]),
    complain: (error) => complaints.push(error),
    help: (prefix) => execution.help(helpText(entries, prefix)),
    async run(command, options, args) {
      try {
        await execution.run(command, options, args);
      } catch (error) {
        thrown.push(error);
      }
    },
  });
  const silent = { write: () => {} };
  await run(app, line, { process: { stdout: silent, stderr: silent } });
  if (thrown.length > 0) throw thrown[0];
  if (complaints.length === 0) return;
  const level = entry?.kind === "group" ? entry.commands : entries;
  const options = entry?.kind === "command" ? optionsOf(entry) : {};
  const texts = complaints.map((each) => complaintText(each, { level, options }));
  throw new UsageError(texts.join("\n"), {
    hint: `See "${["minime", ...path].join(" ")} --help"`,
  });
}

/** What might stand in place of the last word. */
export async function proposeWords(
  entries: readonly Entry[],
  words: readonly string[],
  propose: Propose,
): Promise<readonly Proposal[]> {
  const partial = words.at(-1) ?? "";
  const before = arrange(entries, words.slice(0, -1));
  const app = application(entries, {
    propose,
    complain: () => {},
    help: () => {},
    run: () => Promise.resolve(),
  });
  const silent = { write: () => {} };
  const found = await proposeCompletions(app, [...before, partial], {
    process: { stdout: silent, stderr: silent },
  });
  const wanted = found.filter((each) =>
    (each.kind === "argument:flag") === partial.startsWith("-") && each.completion !== "--"
  );
  return wanted.map(({ completion, brief, kind }) => ({
    value: completion,
    brief: kind === "argument:value" ? "" : brief,
  }));
}

interface Hooks {
  readonly propose: Propose;
  complain(error: unknown): void;
  help(prefix: readonly string[]): void;
  run(command: Command, options: Readonly<Record<string, unknown>>, args: string[]): Promise<void>;
}

function application(entries: readonly Entry[], hooks: Hooks): Application<StricliContext> {
  const root = buildRouteMap({
    routes: bare(entries.map((entry) => [
      entry.name,
      entry.kind === "command" ? stricliCommand(entry, hooks) : buildRouteMap({
        routes: bare(entry.commands.map((each) => [each.name, stricliCommand(each, hooks)])),
        aliases: bare([]),
        docs: { brief: entry.brief },
      }),
    ])),
    aliases: bare([]),
    docs: {
      brief: "",
      hideRoute: bare(entries.map((entry) => [entry.name, entry.hidden === true])),
    },
  });
  const complain = (error: unknown) => {
    hooks.complain(error);
    return "";
  };
  return buildApplication(root, {
    name: "minime",
    scanner: { caseStyle: "allow-kebab-for-camel", allowArgumentEscapeSequence: true },
    localization: {
      text: {
        ...text_en,
        noCommandRegisteredForInput: ({ input }) => complain(new UnknownCommand(input)),
        exceptionWhileParsingArguments: complain,
        exceptionWhileLoadingCommandFunction: complain,
      },
    },
  }, {
    help: {
      flag: {
        brief: "Print help",
        global: true,
        complete: true,
        aliases: ["h"],
        defaultForRouteMap: true,
        run(_app, { result }) {
          hooks.help(result.prefix.slice(1));
          return Promise.resolve();
        },
      },
    },
  });
}

function stricliCommand(command: Command, hooks: Hooks): StricliCommand<StricliContext> {
  const options = Object.entries(optionsOf(command));
  const args = command.args;
  const positional = args === undefined ? { kind: "tuple", parameters: [] } as const : {
    kind: "array",
    parameter: parameter(args.placeholder, args.brief, (given) => given, args.completion, hooks),
    minimum: args.minimum ?? 0,
    ...(args.maximum === undefined ? {} : { maximum: args.maximum }),
  } as const;
  return buildCommand<Record<string, unknown>, string[], StricliContext>({
    loader: () =>
      Promise.resolve((given: Record<string, unknown>, ...rest: string[]) =>
        hooks.run(command, withLists(options, given), rest)
      ),
    parameters: {
      flags: bare(options.map(([name, option]) => [name, stricliFlag(option, hooks)])) as never,
      aliases: bare(
        options.flatMap(([name, option]) =>
          option.letter === undefined ? [] : [[option.letter, name]]
        ),
      ) as never,
      positional: positional as never,
    },
    docs: { brief: command.brief },
  });
}

/** A repeatable option that was not given is an empty list. */
function withLists(
  options: readonly (readonly [string, Option])[],
  given: Record<string, unknown>,
): Record<string, unknown> {
  const lists = options.filter(([, option]) => option.kind === "list");
  return { ...given, ...Object.fromEntries(lists.map(([name]) => [name, given[name] ?? []])) };
}

function stricliFlag(option: Option, hooks: Hooks): unknown {
  if (option.kind === "flag") {
    return { kind: "boolean", brief: option.brief, default: false, withNegated: false };
  }
  const completion = option.kind === "value" && option.choices !== undefined
    ? option.choices
    : option.completion;
  return {
    kind: "parsed",
    ...parameter(option.placeholder, option.brief, option.parse, completion, hooks),
    ...(option.kind === "list" ? { variadic: true, optional: true } : {}),
    ...(option.kind !== "value"
      ? {}
      : option.default === undefined
      ? { optional: true }
      : { default: option.default }),
  };
}

function parameter(
  placeholder: string,
  brief: string,
  parse: (text: string) => unknown,
  completion: Completion | readonly string[] | undefined,
  hooks: Hooks,
): Record<string, unknown> {
  const proposeCompletions = async (partial: string): Promise<readonly string[]> => {
    if (completion === undefined) return [];
    return typeof completion === "string" ? await hooks.propose(completion, partial) : completion;
  };
  return { placeholder, brief, parse, proposeCompletions };
}

function bare<T>(pairs: readonly (readonly [string, T])[]): Record<string, T> {
  return Object.assign(Object.create(null), Object.fromEntries(pairs)) as Record<string, T>;
}

function helpText(entries: readonly Entry[], prefix: readonly string[]): string {
  const { entry, path } = followWords(entries, prefix);
  return entry === undefined ? programHelp(entries) : entryHelp(entry, path);
}
