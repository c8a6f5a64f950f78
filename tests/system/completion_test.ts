/** Completion in real shells: bash and zsh on a real pseudo-terminal, fish by asking it. */

import assert from "node:assert/strict";
import { ensureBinary } from "../../tools/binary.ts";
import { makePlace } from "../support/cli_place.ts";

const built = await ensureBinary();
const decoder = new TextDecoder();

/** What is typed before and after a tab, and what the command then prints; "~" is the tab key. */
const TYPED: readonly [typed: string, printed: string][] = [
  ["minime nodese~expand -w we~", "web1"],
  ["minime nodeset fo~n1 n2", "n[1-2]"],
  ["minime nodeset expand @i~", "n1 n2 web1"],
  ["minime nodeset expand n1,w~", "n1 web1"],
  ["minime nodeset expand --mesh=l~ n7", "n7"],
  ["minime nodeset expand --hosts HOSTS/ho~ @x", "h1"],
];

for (
  const [shell, args, setUp] of [
    ["bash", ["--norc", "-i"], "source <(minime completion bash)"],
    ["zsh", ["-f", "-i"], "autoload -U compinit; compinit -u -D; source <(minime completion zsh)"],
  ] as const
) {
  testWith([shell, "script"], `completion: the tab key works in ${shell}`, async () => {
    using place = makePlace();
    place.addMesh("lab", 1, ["n1", "n2", "web1"]);
    place.addProgram(built);
    Deno.mkdirSync(`${place.folder}/f`);
    Deno.writeTextFileSync(
      `${place.folder}/f/hosts.toml`,
      'name = "x"\n[[hosts]]\nnames = "h1"\n[groups]\nx = "h1"\n',
    );
    const lines = TYPED.map(([typed], i) => {
      const keys = typed.replaceAll("~", "\t").replace("HOSTS", `${place.folder}/f`);
      return `${keys} > ${place.folder}/out${i}\n`;
    });
    const child = new Deno.Command("script", {
      args: ["-qec", [shell, ...args].join(" "), "/dev/null"],
      env: place.shellEnvironment,
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode([setUp, ...lines, "exit", ""].join("\n")));
    // Closing stdin would make "script" hang up before the shell has read everything.
    const { stdout } = await child.output();
    await writer.close().catch(() => {});
    const screen = decoder.decode(stdout);
    TYPED.forEach(([typed, printed], i) => {
      const text = Deno.readTextFileSync(`${place.folder}/out${i}`);
      assert.equal(text, `${printed}\n`, `${typed}\n${screen}`);
    });
  });
}

testWith(["fish"], "completion: fish proposes the same", async () => {
  using place = makePlace();
  place.addMesh("lab", 1, ["n1", "n2", "web1"]);
  place.addProgram(built);
  const asked: [line: string, expected: RegExp][] = [
    ["minime nodese", /^nodeset\tExpand/],
    ["minime nodeset expand -w we", /^web1$/],
    ["minime nodeset expand @i", /^@io$/],
    ["minime nodeset expand n1,w", /^n1,web1$/],
    ["minime nodeset expand --mesh=l", /^--mesh=lab$/],
    ["minime nodeset expand --exc", /^--exclude\t/],
    ["minime nodeset expand --hosts /etc/hostn", /^\/etc\/hostname/],
  ];
  const script = [
    "minime completion fish | source",
    ...asked.map(([line]) => `complete -C "${line}"; echo =`),
  ];
  const { stdout, stderr } = await new Deno.Command("fish", {
    args: ["--no-config", "-c", script.join("\n")],
    env: place.shellEnvironment,
  }).output();
  assert.equal(decoder.decode(stderr), "");
  const answers = decoder.decode(stdout).split("=\n");
  asked.forEach(([line, expected], i) => assert.match(answers[i]?.trim() ?? "", expected, line));
});

/** Registers a test that needs programs; in CI a missing one is a failure. */
function testWith(programs: readonly string[], name: string, body: () => Promise<void>): void {
  const folders = (Deno.env.get("PATH") ?? "").split(":");
  const missing = programs.filter((program) =>
    !folders.some((folder) => isFile(`${folder}/${program}`))
  );
  const strict = Deno.env.get("MINIME_TEST_NO_SKIP") === "1";
  if (missing.length > 0 && !strict) {
    Deno.stderr.writeSync(
      new TextEncoder().encode(`Skipping '${name}': no ${missing.join(", ")}\n`),
    );
  }
  Deno.test({ name, fn: body, ignore: missing.length > 0 && !strict });
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
