/** Rules that every command keeps, whichever module it comes from. */

import assert from "node:assert/strict";
import { cliCommands } from "../../modules/cli/commands.ts";
import { type Entry, GLOBAL_OPTIONS, optionsOf } from "../../modules/cli/entries.ts";
import { ownCommands } from "../../modules/cli/typed_commands.ts";
import { commands } from "../../modules/commands.ts";
import type { Command } from "../../modules/shared/command.ts";

const runtime = { deno: "", v8: "", target: "", compiled: false };
const listed = [...commands, ...ownCommands(() => Promise.resolve([]), runtime)];
const entries: readonly Entry[] = await Promise.all(listed.map((each) => each.load()));
const all: readonly Command[] = entries.flatMap((entry) =>
  entry.kind === "group" ? entry.commands : [entry]
);

Deno.test("commands: every name is there once, and is a word", () => {
  const names = entries.map((entry) => entry.name);
  assert.deepEqual([...new Set(names)], names);
  assert.deepEqual(listed.map((each) => each.name), names);
  const own = cliCommands(() => Promise.resolve([]), runtime).map((each) => each.name);
  assert.deepEqual(names.slice(-own.length), own);
  for (const { name, hidden } of [...entries, ...all]) {
    assert.match(name, hidden ? /^__[a-z]+$/ : /^[a-z]+(-[a-z]+)*$/);
  }
});

Deno.test("commands: briefs start upper case, have no period at the end and fit a line", () => {
  const briefs = [...entries, ...all].map((entry) => entry.brief);
  const options = all.flatMap((command) => Object.values(optionsOf(command)));
  const args = all.flatMap((command) => command.args === undefined ? [] : [command.args]);
  for (const brief of [...briefs, ...[...options, ...args].map((each) => each.brief)]) {
    assert.match(brief, /^[A-Z0-9$].{1,90}[^.]$/);
  }
});

Deno.test("commands: examples start with the program or pipe into it", () => {
  for (const entry of [...entries, ...all]) {
    for (const [line, meaning] of entry.examples) {
      assert.match(line, /\bminime\b/, entry.name);
      assert.notEqual(meaning, "", line);
    }
  }
});

Deno.test("commands: letters are unique, and nobody takes the global options or -h", () => {
  for (const command of all) {
    const options = Object.entries(optionsOf(command));
    const letters = ["h", ...options.flatMap(([, option]) => option.letter ?? [])];
    assert.deepEqual([...new Set(letters)], letters, command.name);
    for (const name of Object.keys(command.options)) {
      assert.ok(!(name in GLOBAL_OPTIONS) && name !== "help", `${command.name} --${name}`);
      assert.match(name, /^[a-z][A-Za-z]+$/, "an option's name has two letters or more");
    }
  }
});

Deno.test("commands: defaults are values that the option takes", () => {
  for (const command of all) {
    for (const option of Object.values(optionsOf(command))) {
      if (option.kind === "value" && option.default !== undefined) option.parse(option.default);
    }
  }
});

Deno.test("commands: every implementation can be loaded", async () => {
  for (const command of all) assert.equal(typeof await command.load(), "function", command.name);
});
