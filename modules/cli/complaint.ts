/**
 * What the scanner found wrong with a command line, in our words. Class names do not survive
 * minification, hence instanceof and never a name.
 */

import {
  AliasNotFoundError,
  ArgumentParseError,
  FlagNotFoundError,
  UnexpectedFlagError,
  UnexpectedPositionalError,
  UnsatisfiedFlagError,
  UnsatisfiedPositionalError,
} from "@stricli/core";
import { UsageError } from "../../core/mod.ts";
import type { Option } from "../shared/option.ts";
import { didYouMean } from "../shared/suggest.ts";
import { unknownOption } from "./arrange.ts";
import { dashed, type Entry } from "./entries.ts";

/** Stands for what stricli reports through a text hook and not as an error. */
export class UnknownCommand {
  readonly input: string;
  constructor(input: string) {
    this.input = input;
  }
}

/** @throws the error itself when it is no mistake of the person who typed the line */
export function complaintText(
  error: unknown,
  known: { level: readonly Entry[]; options: Readonly<Record<string, Option>> },
): string {
  if (error instanceof UnknownCommand) {
    const names = known.level.filter((entry) => !entry.hidden).map((entry) => entry.name);
    const what = error.input.startsWith("-") ? "option" : "command";
    return `Unknown ${what} "${error.input}"${didYouMean(error.input, names)}`;
  }
  if (error instanceof FlagNotFoundError) {
    return unknownOption(`--${error.input}`, known.options).message;
  }
  if (error instanceof AliasNotFoundError) {
    return unknownOption(`-${error.input}`, known.options).message;
  }
  if (error instanceof ArgumentParseError && error.exception instanceof UsageError) {
    const { message, hint } = error.exception;
    const advice = hint === undefined ? "" : `\n${hint}`;
    return `--${error.externalFlagNameOrPlaceholder}: ${message}${advice}`;
  }
  if (error instanceof UnsatisfiedFlagError) {
    return `Option "--${error.externalFlagName}" needs a value`;
  }
  if (error instanceof UnexpectedFlagError) {
    const { externalFlagName, previousInput, input } = error;
    return `Option "--${externalFlagName}" was given twice: "${previousInput}" and "${input}"`;
  }
  if (error instanceof UnexpectedPositionalError) {
    return `Unexpected argument "${error.input}"${placeFor(error.input, known.options)}`;
  }
  if (error instanceof UnsatisfiedPositionalError) {
    return `${neededOf(error.placeholder)} is missing`;
  }
  throw error instanceof ArgumentParseError ? error.exception : error;
}

/** Without what is in brackets. */
function neededOf(placeholder: string): string {
  return placeholder.split(" ").filter((word) => !word.startsWith("[")).join(" ");
}

/** The option that was meant, where only one can have been: a mesh file, a path, a name, or nodes. */
function placeFor(input: string, options: Readonly<Record<string, Option>>): string {
  const isMeshFile = input.endsWith(".toml");
  const wanted = isMeshFile || input.includes("/") ? "files" : "nodes";
  const fitting = Object.entries(options).filter(([, option]) =>
    option.kind !== "flag" && option.completion === wanted
  ).map(([name]) => name);
  const usual = isMeshFile ? ["config", "hosts"] : wanted === "nodes" ? ["nodes", "name"] : [];
  const name = usual.find((each) => options[each] !== undefined) ??
    (wanted === "nodes" || fitting.length === 1 ? fitting[0] : undefined);
  if (name === undefined) return "";
  const letter = options[name]?.letter;
  return `: did you mean ${letter === undefined ? `--${dashed(name)}` : `-${letter}`} ${input}?`;
}
