/**
 * The rules of the source tree that a compiler does not enforce: layers, what may touch the world
 * outside, shape of files. tests/rules_test.ts applies them to the tree and shows for each that it
 * catches a bad sample. A rule here has no exceptions in the code it judges: whoever needs one
 * changes the rule.
 */

import type { SourceFacts } from "./source_facts.ts";

export interface Finding {
  path: string;
  /** 0 when it concerns the whole file. */
  line: number;
  rule: string;
  text: string;
}

/** What a rule may know besides the one file. */
export interface Project {
  /** Keys of deno.json's import map. */
  packages: ReadonlySet<string>;
  /** Whether the core's files are reached through its door only. */
  behindDoor: boolean;
}

type Rule = (facts: SourceFacts, project: Project) => Omit<Finding, "path" | "rule">[];

const FILE_LINES_MAX = 400;
const CORE_DOOR = "core/mod.ts";
/** The door loads the whole core, and these two run before it. */
const BESIDE_DOOR: Readonly<Record<string, RegExp>> = {
  "main.ts": /^core\/environment\/real[^/]*\.ts$/,
  "modules/cli/version.ts": /^core\/(version|wire\/message)\.ts$/,
};

const REAL_ENVIRONMENT = /^core\/environment\/real[^/]*\.ts$/;
const PRIMITIVES = /^core\/crypto\/primitives[^/]*\.ts$/;
/** What lists all modules, and all modules' commands. */
const LISTS = /^modules\/(mod|commands)\.ts$/;
const PROGRAM = /^(core\/|modules\/|main\.ts$)/;

/** Names that reach time, chance, the machine or the network past the environment. */
const BANNED_NAMES = new Set([
  "Deno",
  "Date",
  "Temporal",
  "performance",
  "crypto",
  "console",
  "fetch",
  "process",
  "globalThis",
  "setTimeout",
  "setInterval",
  "setImmediate",
  "Worker",
  "WebSocket",
  "EventSource",
  "BroadcastChannel",
  "navigator",
  "localStorage",
  "sessionStorage",
  "alert",
  "confirm",
  "prompt",
]);
/** Of AbortSignal.any see core/first_signal.ts. */
const BANNED_MEMBERS = new Set(["Math.random", "AbortSignal.timeout", "AbortSignal.any"]);
/** Too dangerous to be hidden by a local variable of the same name. */
const NEVER_SHADOWED = new Set(["Deno", "Date", "Temporal", "performance", "globalThis"]);
/** The version must be printed before anything else is imported. */
const MAIN_MAY_USE = new Set([
  "Deno.args",
  "Deno.build",
  "Deno.exit",
  "Deno.stdout",
  "Deno.version",
]);
/** The foreign function interface, and the one way to a builtin that costs nothing until used. */
const PRIMITIVES_MAY_USE = new Set(["Deno", "globalThis"]);

/** Each is applied to every TypeScript file. */
export const FILE_RULES: Readonly<Record<string, Rule>> = {
  layers(facts, { behindDoor }) {
    return facts.imports.flatMap(({ specifier, line }) => {
      const target = resolveImport(facts.path, specifier);
      if (target === undefined) return [];
      const why = forbidden(facts.path, target, behindDoor);
      return why === undefined ? [] : [{ line, text: `imports "${target}": ${why}` }];
    });
  },

  "banned-globals"({ path, uses, declared }) {
    if (!PROGRAM.test(path) || REAL_ENVIRONMENT.test(path)) return [];
    return uses.flatMap(({ name, member, line }) => {
      const dotted = member === undefined ? name : `${name}.${member}`;
      if (!BANNED_NAMES.has(name) && !BANNED_MEMBERS.has(dotted)) return [];
      if (declared.has(name) && !NEVER_SHADOWED.has(name)) return [];
      if (path === "main.ts" && MAIN_MAY_USE.has(dotted)) return [];
      if (PRIMITIVES.test(path) && PRIMITIVES_MAY_USE.has(name)) return [];
      return [{ line, text: `uses "${dotted}", which only the environment may` }];
    });
  },

  "node-builtins"({ path, imports }) {
    if (!PROGRAM.test(path) || REAL_ENVIRONMENT.test(path)) return [];
    return imports.flatMap(({ specifier, line }) => {
      if (!specifier.startsWith("node:")) return [];
      if (specifier === "node:crypto" && PRIMITIVES.test(path)) return [];
      return [{ line, text: `imports "${specifier}", which only the environment may` }];
    });
  },

  "packages-by-import-map"({ imports }, { packages }) {
    return imports.flatMap(({ specifier, line }) => {
      if (/^(\.\.?\/|node:)/.test(specifier) || packages.has(specifier)) return [];
      return [{ line, text: `imports "${specifier}", which is not in deno.json's import map` }];
    });
  },

  "file-length"({ lines }) {
    if (lines <= FILE_LINES_MAX) return [];
    return [{ line: lines, text: `has ${lines} lines, the limit is ${FILE_LINES_MAX}` }];
  },

  "no-default-export"({ defaultExports }) {
    return defaultExports.map(({ line }) => ({ line, text: "has a default export" }));
  },

  "no-enum"({ enums }) {
    return enums.map(({ line }) => ({ line, text: "declares an enum" }));
  },

  "no-any"({ anys }) {
    return anys.map(({ line }) => ({ line, text: "uses the type any" }));
  },

  /** A test file mirrors the file that it tests, and is opened by that one's comment. */
  "opens-with-comment"({ path, opensWithComment }) {
    return opensWithComment || path.endsWith("_test.ts")
      ? []
      : [{ line: 1, text: "does not open with a comment on what it is" }];
  },

  "exports-documented"({ path, undocumented }) {
    if (!PROGRAM.test(path)) return [];
    return undocumented.map(({ name, line }) => ({
      line,
      text: `exports "${name}" without a doc comment`,
    }));
  },

  "names-survive-minifying"({ path, classNames }) {
    if (!PROGRAM.test(path)) return [];
    return classNames.map(({ line }) => ({
      line,
      text: "reads a class's name, which the bundle shortens",
    }));
  },
};

/** Words that belong into no file at all; the sources are bracketed to not match themselves. */
const BANNED_TEXT: readonly [rule: string, pattern: RegExp][] = [
  ["no-unfinished-work", /\b(TOD[O]|FIXM[E]|XX[X]|HAC[K])\b/],
  ["no-registry-hosts", /registry[.]npmjs|pypi[.]org|python[h]osted|\bjsr[.]io|dl[.]deno[.]land/],
  ["no-workplace", /\/work[/]|\b(brie[f]\.md|issues sho[w])\b|claud[e]|anthropi[c]/i],
  ["no-workplace", /\b(DESIGN|STYLE|HOSTS|ANCHORS|DENO)[.]md\b/],
];

/** Applies the rules on one file's syntax. */
export function checkFile(facts: SourceFacts, project: Project): Finding[] {
  return Object.entries(FILE_RULES).flatMap(([rule, check]) =>
    check(facts, project).map((finding) => ({ path: facts.path, rule, ...finding }))
  );
}

/** Applies the rules on words to any text file. */
export function checkText(path: string, text: string): Finding[] {
  return text.split("\n").flatMap((content, index) =>
    BANNED_TEXT.flatMap(([rule, pattern]) => {
      const found = pattern.exec(content)?.[0];
      return found === undefined
        ? []
        : [{ path, line: index + 1, rule, text: `contains "${found}"` }];
    })
  );
}

/** Files of core/ and modules/ that nothing brings into the program. */
export function checkReachable(files: readonly SourceFacts[]): Finding[] {
  const byPath = new Map(files.map((facts) => [facts.path, facts]));
  const reached = new Set<string>();
  const waiting = ["main.ts"];
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    if (reached.has(path)) continue;
    reached.add(path);
    for (const { specifier } of byPath.get(path)?.imports ?? []) {
      const target = resolveImport(path, specifier);
      if (target !== undefined) waiting.push(target);
    }
  }
  return files
    .filter(({ path }) => /^(core|modules)\//.test(path) && !reached.has(path))
    .map(({ path }) => ({
      path,
      line: 0,
      rule: "no-dead-files",
      text: "is not reached from main.ts",
    }));
}

/** `core/wire/frame.ts:12: layers: imports ...` */
export function formatFinding({ path, line, rule, text }: Finding): string {
  return `${line === 0 ? path : `${path}:${line}`}: ${rule}: ${text}`;
}

/** The path from the root that a relative import means; undefined for packages. */
export function resolveImport(from: string, specifier: string): string | undefined {
  if (!/^\.\.?\//.test(specifier)) return undefined;
  // A root below the URL's own would hide an import that leaves the repository.
  const base = new URL(from, "file:///outside/of/the/repository/");
  const { pathname } = new URL(specifier, base);
  const root = "/outside/of/the/repository/";
  return pathname.startsWith(root) ? pathname.slice(root.length) : `..${pathname}`;
}

/** Why a file at `from` may not import `target`. */
function forbidden(from: string, target: string, behindDoor: boolean): string | undefined {
  if (target.startsWith("..")) return "it lies outside of the repository";
  if (!PROGRAM.test(from)) return undefined;
  if (!PROGRAM.test(target)) return "the program may not depend on tests, tools or benches";
  if (target === "main.ts") return "nothing imports main.ts";
  if (from.startsWith("core/")) {
    return target.startsWith("core/") ? undefined : "the core knows no module";
  }
  if (target.startsWith("core/")) {
    return behindDoor && target !== CORE_DOOR && !BESIDE_DOOR[from]?.test(target)
      ? `the only door of the core is ${CORE_DOOR}`
      : undefined;
  }
  if (from === "main.ts" || LISTS.test(from) || from.startsWith("modules/cli/")) {
    return undefined;
  }
  const own = /^modules\/[^/]+\//.exec(from)?.[0];
  if (target.startsWith("modules/shared/")) return undefined;
  if (own !== undefined && target.startsWith(own)) return undefined;
  return "modules reach each other through internal endpoints only";
}
