import assert from "node:assert/strict";
import { StreamOutput } from "../../../modules/cli/output.ts";
import { brokenPipe, MemoryTerminal } from "./memory_terminal.ts";

const QUIET = { color: "auto", quiet: true, verbose: false } as const;
const VERBOSE = { color: "auto", quiet: false, verbose: true } as const;

function outputOver(terminal: MemoryTerminal, options: { plain?: boolean } = {}) {
  let broken = 0;
  const out = new StreamOutput(terminal, {
    plain: options.plain ?? false,
    onBroken: () => broken++,
  });
  return { out, brokenCount: () => broken };
}

Deno.test("output: data goes to stdout and words for people to stderr, in the order of printing", async () => {
  const terminal = new MemoryTerminal();
  const { out } = outputOver(terminal);
  out.print("a");
  out.note("b");
  out.warn("c");
  out.print("d\n");
  assert.equal(await out.finish(), undefined);
  assert.deepEqual(terminal.writes, [
    ["stdout", "a\n"],
    ["stderr", "b\nWarning: c\n"],
    ["stdout", "d\n"],
  ]);
});

Deno.test("output: written means that the terminal has it", async () => {
  const terminal = new MemoryTerminal({ terminal: true });
  const { out } = outputOver(terminal);
  await out.written();
  out.write("a");
  out.writeError("b");
  await out.written();
  assert.deepEqual(terminal.writes, [["stdout", "a"], ["stderr", "b"]]);
  await out.finish();
});

Deno.test("output: what another machine said in a detail or a warning moves no cursor", async () => {
  const terminal = new MemoryTerminal({ terminal: true });
  const { out } = outputOver(terminal, { plain: true });
  out.configure(VERBOSE);
  out.detail("it said \x1b]0;title\x07");
  out.warn("it said \x1b[2J");
  await out.finish();
  assert.equal(
    terminal.stderr,
    "it said \uFFFD]0;title\uFFFD\nWarning: it said \uFFFD[2J\n",
  );
});

Deno.test("output: --quiet silences notes but not warnings, details need --verbose", async () => {
  const terminal = new MemoryTerminal({ terminal: true });
  const { out } = outputOver(terminal, { plain: true });
  out.detail("never");
  out.configure(QUIET);
  out.note("never");
  out.progress("never");
  out.warn("w");
  out.configure(VERBOSE);
  out.detail("d");
  await out.finish();
  assert.equal(terminal.stderr, "Warning: w\nd\n");
});

Deno.test("output: colours only on a terminal, never with NO_COLOR, always when asked", () => {
  const onPipe = outputOver(new MemoryTerminal()).out;
  const onTerminal = outputOver(new MemoryTerminal({ terminal: true })).out;
  const plain = outputOver(new MemoryTerminal({ terminal: true }), { plain: true }).out;
  assert.equal(onPipe.paint("red", "x"), "x");
  assert.equal(onTerminal.paint("red", "x"), "\x1b[31mx\x1b[39m");
  assert.equal(plain.paint("red", "x"), "x");
  onPipe.configure({ color: "always", quiet: false, verbose: false });
  assert.equal(onPipe.paint("bold", "x"), "\x1b[1mx\x1b[22m");
  onTerminal.configure({ color: "never", quiet: false, verbose: false });
  assert.equal(onTerminal.paint("bold", "x"), "x");
});

Deno.test("output: the progress line is cut, cleared before text, drawn again and gone at the end", async () => {
  const terminal = new MemoryTerminal({ terminal: true });
  const { out } = outputOver(terminal);
  out.progress("3 of 64 hosts are up now");
  await idle();
  out.print("n1 up");
  await idle();
  await out.finish();
  const shown = "\r\x1b[2K3 of 64 hosts are …";
  assert.deepEqual(terminal.writes, [
    ["stderr", shown],
    ["stderr", "\r\x1b[2K"],
    ["stdout", "n1 up\n"],
    ["stderr", shown],
    ["stderr", "\r\x1b[2K"],
  ]);
});

Deno.test("output: the progress line never overwrites half a line", async () => {
  const terminal = new MemoryTerminal({ terminal: true });
  const { out } = outputOver(terminal);
  out.write("half");
  out.progress("p");
  await idle();
  assert.deepEqual(terminal.writes, [["stdout", "half"]]);
  out.write(" a line\n");
  await idle();
  assert.deepEqual(terminal.writes.at(-1), ["stderr", "\r\x1b[2Kp"]);
  await out.finish();
});

Deno.test("output: without a terminal there is no progress line", async () => {
  const terminal = new MemoryTerminal();
  const { out } = outputOver(terminal);
  out.progress("p");
  await out.finish();
  assert.deepEqual(terminal.writes, []);
});

Deno.test("output: a reader that went away is told once, and later text is dropped", async () => {
  const terminal = new MemoryTerminal();
  const { out, brokenCount } = outputOver(terminal);
  terminal.failure = brokenPipe();
  out.print("a");
  await idle();
  terminal.failure = undefined;
  out.print("b");
  out.note("still heard");
  assert.equal(await out.finish(), "broken");
  assert.equal(brokenCount(), 1);
  assert.deepEqual(terminal.writes, [["stderr", "still heard\n"]]);
});

Deno.test("output: a full disk is an error and no broken pipe", async () => {
  const terminal = new MemoryTerminal();
  terminal.failure = new Error("No space left");
  const { out } = outputOver(terminal);
  out.print("a");
  assert.deepEqual(await out.finish(), { error: terminal.failure });
});

Deno.test("output: ready waits while the reader is slow, and the text stays whole", async () => {
  const terminal = new MemoryTerminal();
  const gate = Promise.withResolvers<void>();
  terminal.gate = gate.promise;
  const { out } = outputOver(terminal);
  const chunk = "x".repeat(1024 * 1024);
  for (let i = 0; i < 5; i++) out.write(chunk);
  let isReady = false;
  const ready = out.ready().then(() => isReady = true);
  await idle();
  assert.equal(isReady, false);
  gate.resolve();
  await ready;
  await out.finish();
  assert.equal(terminal.stdout.length, 5 * chunk.length);
});

Deno.test("output: a table fits the terminal, and is whole and plain in a pipe", async () => {
  const columns = [{ header: "NODE" }, { header: "STATE" }];
  const rows = [["a-node-with-a-long-name", "down"], ["n2", "up"]];
  const pipe = new MemoryTerminal();
  const plain = outputOver(pipe).out;
  plain.table(columns, rows, () => "red");
  await plain.finish();
  assert.equal(
    pipe.stdout,
    "NODE                     STATE\na-node-with-a-long-name  down\nn2                       up\n",
  );
  const terminal = new MemoryTerminal({ terminal: true });
  const colored = outputOver(terminal).out;
  colored.table(columns, rows, (row, column) => row === 0 && column === 1 ? "red" : undefined);
  await colored.finish();
  assert.equal(
    terminal.stdout,
    "\x1b[1mNODE         \x1b[22m  \x1b[1mSTATE\x1b[22m\n" +
      "a-node-with-…  \x1b[31mdown\x1b[39m\n" +
      "n2             up\n",
  );
});

Deno.test("output: JSON holds bytes, large integers and maps", async () => {
  const terminal = new MemoryTerminal();
  const { out } = outputOver(terminal);
  out.json({
    key: new Uint8Array([251, 255, 1]),
    big: 2n ** 64n,
    small: 7n,
    map: new Map([["a", 1]]),
  });
  await out.finish();
  assert.equal(
    terminal.stdout,
    '{"key":"-_8B","big":"18446744073709551616","small":7,"map":{"a":1}}\n',
  );
});

/** Lets the queue be written. */
function idle(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}
