import assert from "node:assert/strict";
import { UsageError } from "../../../core/errors.ts";
import { proposeWords, runLine } from "../../../modules/cli/app.ts";
import { command, FOLD, group, JSON_OUTPUT, NODES } from "../../../modules/shared/command.ts";
import { choice, duration, list, text, value, whole } from "../../../modules/shared/option.ts";

const load = () => Promise.resolve(() => Promise.resolve());
const entries = [
  command({
    name: "uptime",
    brief: "Show uptimes",
    examples: [["minime uptime", "all"]],
    options: {
      ...NODES,
      ...FOLD,
      ...JSON_OUTPUT,
      startTimeout: duration("How long to wait", { default: "5s" }),
      fanOut: whole("At once", { minimum: 1, maximum: 64 }, { letter: "f" }),
      order: choice("Order", ["name", "load"]),
      title: text("Title"),
      tag: list("Tags"),
    },
    load,
  }),
  command({
    name: "exec",
    brief: "Run",
    examples: [["minime exec ls", "list"]],
    options: { ...NODES },
    args: { placeholder: "CMD", brief: "What to run", minimum: 1, verbatim: true },
    load,
  }),
  command({
    name: "ping",
    brief: "Ping a node",
    examples: [["minime ping n1", "one"]],
    options: {},
    args: { placeholder: "NODE", brief: "Whom", minimum: 1, maximum: 1, completion: "nodes" },
    load,
  }),
  group({
    name: "mesh",
    brief: "Meshes",
    examples: [["minime mesh list", "all"]],
    commands: [command({
      name: "list",
      brief: "List meshes",
      examples: [["minime mesh list", "all"]],
      options: {},
      load,
    })],
  }),
];

interface Outcome {
  command?: string;
  options: Record<string, unknown>;
  args?: string[];
  help?: string;
}

async function read(...words: string[]): Promise<Outcome> {
  const outcome: Outcome = { options: {} };
  await runLine(entries, words, {
    help: (text) => outcome.help = text,
    run(command, options, args) {
      Object.assign(outcome, { command: command.name, options, args });
      return Promise.resolve();
    },
  });
  return outcome;
}

async function complaint(...words: string[]): Promise<[message: string, hint: string | undefined]> {
  try {
    await read(...words);
  } catch (error) {
    if (error instanceof UsageError) return [error.message, error.hint];
    throw error;
  }
  throw new Error(`Taken: ${words.join(" ")}`);
}

Deno.test("command line: options without a value have their defaults, lists are empty", async () => {
  const { command, options, args } = await read("uptime");
  assert.equal(command, "uptime");
  assert.deepEqual(args, []);
  assert.deepEqual({ ...options }, {
    nodes: [],
    exclude: [],
    group: [],
    all: false,
    fold: false,
    json: false,
    startTimeout: 5_000,
    fanOut: undefined,
    order: undefined,
    title: undefined,
    tag: [],
    mesh: undefined,
    color: "auto",
    quiet: false,
    verbose: false,
  });
});

Deno.test("command line: every way to write an option gives the same", async () => {
  for (
    const words of [
      ["-w", "n[1-4]", "-b", "-f", "8"],
      ["-wn[1-4]", "-bf8"],
      ["-bw", "n[1-4]", "-f=8"],
      ["--nodes=n[1-4]", "--fold", "--fan-out=8"],
      ["--nodes", "n[1-4]", "--fan-out", "8", "--fold"],
    ]
  ) {
    const { options } = await read("uptime", ...words);
    assert.deepEqual([options["nodes"], options["fold"], options["fanOut"]], [["n[1-4]"], true, 8]);
  }
});

Deno.test("command line: repeated sets are kept in order, - is a value, empty and odd values too", async () => {
  const { options } = await read(
    "uptime",
    "-w",
    "a",
    "-w-",
    "-w",
    "-",
    "--tag=",
    "--tag=--x",
    "--tag",
    "a\nb",
  );
  assert.deepEqual(options["nodes"], ["a", "-", "-"]);
  assert.deepEqual(options["tag"], ["", "--x", "a\nb"]);
});

Deno.test("command line: global options may stand before the command", async () => {
  const { command, options } = await read("--mesh", "lab", "-q", "uptime", "--color=never");
  assert.equal(command, "uptime");
  assert.deepEqual([options["mesh"], options["quiet"], options["color"]], ["lab", true, "never"]);
});

Deno.test("command line: a verbatim command keeps the options of the program that it runs", async () => {
  for (const dashes of [[], ["--"]]) {
    const { options, args } = await read(
      "exec",
      "-w",
      "n1",
      ...dashes,
      "ls",
      "-l",
      "--help",
      "-w",
      "--",
    );
    assert.deepEqual(options["nodes"], ["n1"]);
    assert.deepEqual(args, ["ls", "-l", "--help", "-w", "--"]);
  }
});

Deno.test("command line: mistakes are named, with a suggestion and where to read on", async () => {
  const cases: [words: string[], message: string, hint: string][] = [
    [["uptme"], 'Unknown command "uptme", did you mean "uptime"?', 'See "minime --help"'],
    [["constructor"], 'Unknown command "constructor"', 'See "minime --help"'],
    [["toString", "x"], 'Unknown command "toString"', 'See "minime --help"'],
    [["mesh", "lst"], 'Unknown command "lst", did you mean "list"?', 'See "minime mesh --help"'],
    [
      ["uptime", "--fodl"],
      'Unknown option "--fodl", did you mean "--fold"?',
      'See "minime uptime --help"',
    ],
    [
      ["uptime", "--start-timout", "1s"],
      'Unknown option "--start-timout", did you mean "--start-timeout"?',
      'See "minime uptime --help"',
    ],
    [["uptime", "--constructor"], 'Unknown option "--constructor"', 'See "minime uptime --help"'],
    [["uptime", "-z"], 'Unknown option "-z"', 'See "minime uptime --help"'],
    [
      ["uptime", "extra"],
      'Unexpected argument "extra": did you mean -w extra?',
      'See "minime uptime --help"',
    ],
    [["uptime", "./extra"], 'Unexpected argument "./extra"', 'See "minime uptime --help"'],
    [["uptime", "-w"], 'Option "--nodes" needs a value', 'See "minime uptime --help"'],
    [["uptime", "--order", "-b"], 'Option "--order" needs a value', 'See "minime uptime --help"'],
    [
      ["uptime", "--title", "a", "--title", "b"],
      'Option "--title" was given twice: "a" and "b"',
      'See "minime uptime --help"',
    ],
    [
      ["uptime", "--order", "nme"],
      '--order: "nme" is none of name, load',
      'See "minime uptime --help"',
    ],
    [
      ["uptime", "-f", "65"],
      '--fan-out: "65" is not a whole number from 1 to 64',
      'See "minime uptime --help"',
    ],
    [["ping"], "NODE is missing", 'See "minime ping --help"'],
  ];
  for (const [words, message, hint] of cases) {
    assert.deepEqual(await complaint(...words), [message, hint], words.join(" "));
  }
});

Deno.test("command line: mistakes that are found before scanning", async () => {
  assert.deepEqual(await complaint("--quite", "uptime"), [
    'Unknown option "--quite", did you mean "--quiet"?',
    undefined,
  ]);
  assert.deepEqual(await complaint("--mesh", "lab"), [
    "No command was given",
    'See "minime --help"',
  ]);
  assert.deepEqual(await complaint("-q", "--mesh"), [
    'Option "--mesh" needs a value',
    'See "minime --help"',
  ]);
  assert.deepEqual(await complaint("uptime", "--b"), ['Unknown option "--b"', undefined]);
  assert.deepEqual(await complaint("uptime", "--fold=yes"), [
    'Option "--fold" takes no value',
    undefined,
  ]);
  assert.deepEqual(await complaint("uptime", "-b=3"), ['Option "-b" takes no value', undefined]);
});

Deno.test("command line: a parser that fails for another reason is a bug and not a mistake", async () => {
  const broken = command({
    name: "broken",
    brief: "Broken",
    examples: [["minime broken", ""]],
    options: {
      odd: value("x", () => {
        throw new TypeError("oops");
      }, {}),
    },
    load,
  });
  const execution = { help: () => {}, run: () => Promise.resolve() };
  await assert.rejects(
    runLine([broken], ["broken", "--odd", "1"], execution),
    new TypeError("oops"),
  );
});

Deno.test("command line: what a command throws arrives unchanged", async () => {
  const thrown = new Error("from the command");
  await assert.rejects(
    runLine(entries, ["uptime"], { help: () => {}, run: () => Promise.reject(thrown) }),
    (error) => error === thrown,
  );
});

Deno.test("help: every level prints a usage line and an example", async () => {
  for (
    const [words, usage, example] of [
      [[], "Usage: minime COMMAND", "minime nodes"],
      [["--help"], "Usage: minime COMMAND", "minime nodes"],
      [["uptime", "-h"], "Usage: minime uptime [OPTIONS]", "minime uptime  all"],
      [["uptime", "-w", "n1", "--help"], "Usage: minime uptime [OPTIONS]", "minime uptime  all"],
      [["exec", "--help"], "Usage: minime exec [OPTIONS] CMD...", "minime exec ls  list"],
      [["ping", "-h"], "Usage: minime ping NODE", "minime ping n1  one"],
      [["mesh"], "Usage: minime mesh COMMAND", "minime mesh list  all"],
      [["mesh", "list", "-h"], "Usage: minime mesh list\n", "minime mesh list  all"],
    ] as const
  ) {
    const { help = "", command } = await read(...words);
    assert.equal(command, undefined);
    assert.ok(help.startsWith(usage), help);
    assert.match(help, /^Examples:$/m);
    assert.ok(help.includes(example), help);
  }
});

Deno.test("completion: commands, options, values; options only after a dash", async () => {
  const propose = async (...words: string[]) => {
    const found = await proposeWords(entries, words, (kind) => Promise.resolve([`${kind}!`]));
    return found.map((each) => each.value);
  };
  assert.deepEqual(await propose("up"), ["uptime"]);
  assert.deepEqual(await propose("mesh", ""), ["list"]);
  assert.deepEqual(await propose("uptime", ""), []);
  assert.deepEqual(await propose("uptime", "--st"), ["--start-timeout"]);
  assert.deepEqual(await propose("uptime", "--fold", "--fo"), []);
  assert.deepEqual(await propose("uptime", "--order", "l"), ["load"]);
  assert.deepEqual(await propose("uptime", "-b", "-w", "n"), ["nodes!"]);
  assert.deepEqual(await propose("ping", ""), ["nodes!"]);
  assert.deepEqual(await propose("ping", "n1", ""), []);
  assert.deepEqual(await propose("nothing", ""), []);
  assert.deepEqual(await propose("exec", "ls", "--no"), []);
});
