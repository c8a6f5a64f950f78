import assert from "node:assert/strict";
import {
  AuthenticationError,
  CallError,
  ConnectionError,
  MinimeError,
  NotFoundError,
  UsageError,
} from "../../../core/errors.ts";
import { exitCodeFor, failureText } from "../../../modules/cli/failure.ts";
import { EXIT, EXIT_CODE_MEANINGS, exitCodeOf } from "../../../modules/shared/exit_code.ts";

const text = (error: unknown) => failureText(error, { debug: false });

Deno.test("failure: each kind of error has its exit code", () => {
  const cases: [error: unknown, code: number][] = [
    [new UsageError("x"), 2],
    [new ConnectionError("refused", "x"), 4],
    [new CallError("unreachable", "x"), 4],
    [new AuthenticationError("policy", "x"), 5],
    [new CallError("refused", "x"), 5],
    [new CallError("timeout", "x"), 1],
    [new NotFoundError("x"), 1],
    [new MinimeError("x"), 1],
    [new TypeError("x"), 70],
    ["x", 70],
  ];
  for (const [error, code] of cases) assert.equal(exitCodeFor(error), code, String(error));
});

Deno.test("failure: a mistake is told with its hint and without a stack", () => {
  assert.equal(text(new UsageError("Wrong", { hint: "Right" })), "Wrong\nRight");
});

Deno.test("failure: causes stand one a line, and those that say nothing new are left out", () => {
  const deep = new MinimeError("Disk is full");
  const middle = new MinimeError("Could not store key", { cause: deep });
  assert.equal(
    text(new MinimeError("Could not boot", { cause: middle })),
    "Could not boot\n  because: Could not store key\n  because: Disk is full",
  );
  assert.equal(
    text(new MinimeError("Broken: Disk is full", { cause: deep })),
    "Broken: Disk is full",
  );
  const system = new NotFoundError('Could not read "a"', { cause: new Error("os error 2") });
  assert.equal(text(system), 'Could not read "a"');
  assert.equal(
    text(new MinimeError("Bad JSON", { cause: new SyntaxError("at 3\nmore") })),
    "Bad JSON\n  because: at 3",
  );
});

Deno.test("failure: a bug asks to be reported, and shows its stack for MINIME_DEBUG", () => {
  const bug = new TypeError("x is undefined");
  assert.match(text(bug), /^This is a bug: x is undefined\nPlease report it: .*MINIME_DEBUG=1/);
  const debug = failureText(bug, { debug: true });
  assert.match(debug, /^This is a bug: x is undefined\nTypeError: x is undefined\n +at /);
});

Deno.test("failure: text of another machine cannot move the cursor", () => {
  assert.equal(text(new CallError("failed", "a\x1b[2Jb\rc")), "a\uFFFD[2Jb c");
});

Deno.test("exit codes: some, all and none of the targets", () => {
  assert.deepEqual([exitCodeOf(4, 0), exitCodeOf(4, 1), exitCodeOf(4, 4), exitCodeOf(0, 0)], [
    0,
    1,
    3,
    0,
  ]);
});

Deno.test("exit codes: every code is explained", () => {
  const explained = EXIT_CODE_MEANINGS.flat().join(" ");
  for (const code of Object.values(EXIT)) assert.match(explained, new RegExp(`\\b${code}\\b`));
});
