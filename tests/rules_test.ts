/**
 * The rules of tools/rules.ts, applied to the tree, and each shown to catch a bad sample (a rule
 * that cannot fail guards nothing).
 */

import assert from "node:assert/strict";
import {
  checkFile,
  checkReachable,
  checkText,
  FILE_RULES,
  type Finding,
  formatFinding,
  type Project,
} from "../tools/rules.ts";
import { readFacts, type SourceFacts } from "../tools/source_facts.ts";

const ROOT = new URL("..", import.meta.url);
const FOLDERS = ["core", "modules", "tests", "tools", "bench", "docs", ".ci"];
/** Data of others, kept as it came. */
const DATA = /(^|\/)vectors\//;
const TEXT = /\.(ts|md|json|toml|sh|lock)$|(^|\/)(run|LICENSE)$/;

const paths = [...listFiles()];
const sources = new Map(paths.map((path) => [path, Deno.readTextFileSync(new URL(path, ROOT))]));
/** While parts are built one by one, nothing is reached through the list of modules yet. */
const isAssembled = sources.has("modules/mod.ts");
const project: Project = { packages: readImportMap(), behindDoor: isAssembled };
const facts = [...sources].filter(([path]) => path.endsWith(".ts"))
  .map(([path, source]) => readFacts(path, source));

/** Parts get their last polish when they are put together. */
const WHEN_ASSEMBLED = new Set(["exports-documented"]);

for (const rule of Object.keys(FILE_RULES)) {
  if (!isAssembled && WHEN_ASSEMBLED.has(rule)) continue;
  Deno.test(`tree: every file keeps the rule ${rule}`, () => {
    report(facts.flatMap((file) => checkFile(file, project)).filter((f) => f.rule === rule));
  });
}

Deno.test("tree: no file contains words of unfinished work, of registries or of our workplace", () => {
  report([...sources].flatMap(([path, text]) => checkText(path, text)));
});

Deno.test("tree: every file of core and modules is reached from main.ts", () => {
  if (isAssembled) report(checkReachable(facts));
});

/** Files that break one rule each: rule, path, source, line and text of the finding. */
const BAD: readonly [rule: string, path: string, source: string, text: string][] = [
  ["layers", "core/a.ts", `import { b } from "../modules/b/mod.ts";`, "the core knows no module"],
  ["layers", "core/a.ts", `export * from "../modules/shared/b.ts";`, "the core knows no module"],
  ["layers", "core/a.ts", `type T = import("../tests/b.ts").T;`, "may not depend on tests"],
  ["layers", "modules/a/mod.ts", `await import("../b/mod.ts");`, "internal endpoints only"],
  ["layers", "modules/a/commands.ts", `import "../cli/b.ts";`, "internal endpoints only"],
  ["layers", "modules/shared/a.ts", `import "../b/mod.ts";`, "internal endpoints only"],
  ["layers", "modules/a/mod.ts", `import "../../core/errors.ts";`, "only door of the core"],
  ["layers", "main.ts", `import type { T } from "./core/errors.ts";`, "only door of the core"],
  ["layers", "modules/cli/a.ts", `import "../../main.ts";`, "nothing imports main.ts"],
  ["layers", "tests/a.ts", `import "../../b.ts";`, "outside of the repository"],
  ["banned-globals", "core/a.ts", `Deno.exit(1);`, `uses "Deno.exit"`],
  ["banned-globals", "core/a.ts", `let connection: Deno.Conn;`, `uses "Deno.Conn"`],
  ["banned-globals", "core/a.ts", `const Deno = 1; f(Deno);`, `uses "Deno"`],
  ["banned-globals", "modules/a/mod.ts", `f(new Date());`, `uses "Date"`],
  ["banned-globals", "modules/a/mod.ts", `f({ performance });`, `uses "performance"`],
  ["banned-globals", "modules/a/mod.ts", "`${Date.now()}`;", `uses "Date.now"`],
  ["banned-globals", "modules/a/mod.ts", `Math.random();`, `uses "Math.random"`],
  ["banned-globals", "modules/a/mod.ts", `Math["random"]();`, `uses "Math.random"`],
  ["banned-globals", "modules/a/mod.ts", `AbortSignal.timeout(1);`, `uses "AbortSignal.timeout"`],
  ["banned-globals", "modules/a/mod.ts", `AbortSignal.any([s]);`, `uses "AbortSignal.any"`],
  ["banned-globals", "modules/a/mod.ts", `const f = () => setTimeout;`, `uses "setTimeout"`],
  ["banned-globals", "core/crypto/primitives.ts", `crypto.subtle;`, `uses "crypto.subtle"`],
  ["banned-globals", "main.ts", `Deno.env.get("A");`, `uses "Deno.env"`],
  ["banned-globals", "main.ts", `console.log(1);`, `uses "console.log"`],
  ["node-builtins", "core/a.ts", `import { hash } from "node:crypto";`, `"node:crypto"`],
  ["node-builtins", "core/crypto/primitives_a.ts", `import "node:fs";`, `"node:fs"`],
  ["node-builtins", "modules/a/mod.ts", `await import("node:os");`, `"node:os"`],
  ["packages-by-import-map", "tests/a.ts", `import "npm:valibot";`, `"npm:valibot"`],
  ["packages-by-import-map", "core/a.ts", `import * as v from "left-pad";`, `"left-pad"`],
  ["packages-by-import-map", "core/a.ts", "import(`./${x}.ts`);", `imports ""`],
  ["file-length", "tests/a.ts", "f();\n".repeat(401), "has 402 lines, the limit is 400"],
  ["no-default-export", "tools/a.ts", `export default 1;`, "default export"],
  ["no-default-export", "core/a.ts", `const a = 1; export { a as default };`, "default export"],
  ["no-enum", "core/a.ts", `const enum A { B }`, "enum"],
  ["no-any", "tests/a.ts", `let a: any[];`, "any"],
  ["no-any", "core/a.ts", `f(a as any);`, "any"],
  ["exports-documented", "core/a.ts", `export class A {}\nexport function f() {}`, `"f"`],
  [
    "exports-documented",
    "core/a.ts",
    `export const a = 1;\n/** Doc. */\nexport class A {}\n/* No doc */ export class B {}`,
    `"B"`,
  ],
  ["names-survive-minifying", "core/a.ts", `f(x.constructor.name);`, "shortens"],
  ["names-survive-minifying", "core/a.ts", `class A { a = new.target.name; }`, "shortens"],
];

for (const [rule, path, source, text] of BAD) {
  Deno.test(`rule ${rule}: catches ${JSON.stringify(source.slice(0, 50))} in ${path}`, () => {
    const found = checkSample(path, `// A sample.\n${source}`);
    assert.deepEqual(found.map((finding) => finding.rule), [rule]);
    assert.ok(found[0]?.text.includes(text), found[0]?.text);
  });
}

Deno.test("rule opens-with-comment: catches a file that starts with code", () => {
  assert.deepEqual(checkSample("tests/rig.ts", `f();\n// Late.\n`).map(formatFinding), [
    "tests/rig.ts:1: opens-with-comment: does not open with a comment on what it is",
  ]);
});

Deno.test("rules: have a bad sample each", () => {
  const shown = new Set([...BAD.map(([rule]) => rule), "opens-with-comment"]);
  assert.deepEqual(Object.keys(FILE_RULES).filter((rule) => !shown.has(rule)), []);
});

/** What the rules must let pass: path and source. */
const GOOD: readonly [path: string, source: string][] = [
  ["core/a.ts", `// Deno.exit, any, enum\nf("console.log(Date.now())");`],
  ["core/a.ts", `clock.setTimeout(1); a.Date; const b: Date = { Date: 1, process: 2 };`],
  [
    "core/a.ts",
    `class A { fetch() {} crypto = 1; }\ninterface B { prompt: string; process(): void }`,
  ],
  ["core/a.ts", `const { process } = a; process.kill(); for (const fetch of b) fetch();`],
  ["core/a.ts", `import "./b.ts"; import * as v from "valibot"; import "../core/wire/c.ts";`],
  ["core/environment/real_clock.ts", `import "node:fs"; Date.now(); Deno.pid; setTimeout(f, 1);`],
  ["core/crypto/primitives_ffi.ts", `import "node:crypto"; Deno.dlopen("a", {});`],
  ["modules/a/mod.ts", `import "../../core/mod.ts"; import "../shared/b.ts"; import "./c/d.ts";`],
  ["modules/cli/a.ts", `import "../a/mod.ts"; await import("../b/commands.ts");`],
  ["modules/cli/version.ts", `import "../../core/version.ts";`],
  ["modules/mod.ts", `import "./a/mod.ts"; import "../core/mod.ts";`],
  ["main.ts", `import "./core/mod.ts"; import "./modules/mod.ts"; Deno.exit(Deno.args.length);`],
  ["main.ts", `await import("./core/environment/real.ts"); f(Deno.version.deno);`],
  ["tests/a.ts", `import "../core/errors.ts"; import "node:fs"; Deno.pid; export function f() {}`],
  ["core/a.ts", `/** Doc. */\nexport function f(): void;\nexport function f(a?: number): void {}`],
  ["core/a.ts", `if (value instanceof Date) f();`],
  ["core/a.ts", "f();\n".repeat(398)],
];

for (const [path, source] of GOOD) {
  Deno.test(`rules: let ${JSON.stringify(source.slice(0, 60))} pass in ${path}`, () => {
    assert.deepEqual(checkSample(path, `// A sample.\n${source}`).map(formatFinding), []);
  });
}

Deno.test("rules on words: catch each kind, with its line", () => {
  const bad = [
    ["TO", "DO: later"],
    ["FIX", "ME"],
    ["see registry", ".npmjs.example"],
    ["https://jsr", ".io/@std"],
    ["cd /wo", "rk/tree"],
    ["as DESIGN", ".md says"],
  ].map((parts) => parts.join(""));
  assert.deepEqual(
    checkText("README.md", ["fine", ...bad].join("\n")).map(({ line, rule }) => [line, rule]),
    [
      [2, "no-unfinished-work"],
      [3, "no-unfinished-work"],
      [4, "no-registry-hosts"],
      [5, "no-registry-hosts"],
      [6, "no-workplace"],
      [7, "no-workplace"],
    ],
  );
  assert.deepEqual(checkText("README.md", "the mastodon registry works; work/life"), []);
});

Deno.test("rule no-dead-files: catches a file that only a test imports", () => {
  const tree: SourceFacts[] = [
    readFacts("main.ts", `import("./core/mod.ts");`),
    readFacts("core/mod.ts", `export type { A } from "./a.ts";`),
    readFacts("core/a.ts", `f();`),
    readFacts("core/dead.ts", `f();`),
    readFacts("tests/dead_test.ts", `import "../core/dead.ts";`),
  ];
  assert.deepEqual(checkReachable(tree).map(formatFinding), [
    "core/dead.ts: no-dead-files: is not reached from main.ts",
  ]);
});

function checkSample(path: string, source: string): Finding[] {
  return checkFile(readFacts(path, source), { packages: new Set(["valibot"]), behindDoor: true });
}

function report(findings: readonly Finding[]): void {
  assert.equal(findings.map(formatFinding).join("\n"), "");
}

function readImportMap(): Set<string> {
  const config: unknown = JSON.parse(Deno.readTextFileSync(new URL("deno.json", ROOT)));
  const { imports } = config as { imports: Record<string, string> };
  return new Set(Object.keys(imports));
}

function* listFiles(folder = ""): Generator<string> {
  for (const entry of Deno.readDirSync(new URL(folder === "" ? "." : `${folder}/`, ROOT))) {
    const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
    if (entry.isDirectory && (folder !== "" || FOLDERS.includes(path))) yield* listFiles(path);
    else if (entry.isFile && TEXT.test(path) && !DATA.test(path)) yield path;
  }
}
