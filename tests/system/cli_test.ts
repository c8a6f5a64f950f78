/**
 * The command line as real processes, from source and as the compiled file: what is printed where,
 * exit codes, signals, broken pipes and full disks.
 */

import assert from "node:assert/strict";
import { type Binary, commandOf, ensureBinary } from "../../tools/binary.ts";
import { makePlace } from "../support/cli_place.ts";

const built = await ensureBinary();
const FORMS: readonly Binary[] = built.kind === "compiled"
  ? [built, { kind: "source", why: "tested as well" }]
  : [built];

const decoder = new TextDecoder();

interface Result {
  code: number;
  stdout: string;
  stderr: string;
}

interface Invocation {
  env?: Record<string, string>;
  input?: string;
}

for (const form of FORMS) {
  const [program, ...first] = commandOf(form);

  const start = (args: readonly string[], options: Invocation = {}) =>
    new Deno.Command(program, {
      args: [...first, ...args],
      env: { NO_COLOR: "", MINIME_MESH: "", ...options.env },
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();

  const run = async (args: readonly string[], options: Invocation = {}): Promise<Result> => {
    const child = start(args, options);
    const writer = child.stdin.getWriter();
    // The program need not read what it was given.
    await writer.write(new TextEncoder().encode(options.input ?? "")).catch(() => {});
    await writer.close().catch(() => {});
    const { code, stdout, stderr } = await child.output();
    return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
  };

  const test = (name: string, body: () => Promise<void>) =>
    Deno.test(`cli (${form.kind}): ${name}`, body);

  test("version says the runtime and its form, for people and programs", async () => {
    for (const word of ["version", "--version", "-V"]) {
      const { code, stdout, stderr } = await run([word]);
      assert.deepEqual([code, stderr], [0, ""]);
      assert.match(stdout, /^minime \d+\.\d+\.\d+\nDeno 2\.\d+\.\d+, V8 \S+; /);
      assert.match(stdout, form.kind === "compiled" ? /; compiled file\n/ : /; from source\n/);
    }
    const facts = JSON.parse((await run(["version", "--json"])).stdout);
    const slow = JSON.parse((await run(["-v", "version", "--json"])).stdout);
    assert.deepEqual(facts, slow);
    assert.deepEqual(Object.keys(facts), ["version", "protocol", "speaks", "target", "runtime"]);
  });

  test("help goes to stdout, mistakes to stderr with exit code 2", async () => {
    for (const words of [[], ["help"], ["--help"], ["-h"]]) {
      const { code, stdout, stderr } = await run(words);
      assert.deepEqual([code, stderr], [0, ""]);
      assert.match(stdout, /^Usage: minime COMMAND/);
    }
    assert.match((await run(["help", "exit-codes"])).stdout, /^ {2}130 +Interrupted/m);
    assert.deepEqual(await run(["help", "compltion"]), {
      code: 2,
      stdout: "",
      stderr: 'minime: No help about "compltion", did you mean "completion"?\nSee "minime help"\n',
    });
    const misplaced = await run(["upgrade", "./new"]);
    assert.equal(misplaced.code, 2);
    assert.match(
      misplaced.stderr,
      /Unexpected argument "\.\/new": did you mean --binary \.\/new\?/,
    );
    assert.deepEqual(await run(["nodeset", "flod"]), {
      code: 2,
      stdout: "",
      stderr: 'minime: Unknown command "flod", did you mean "fold"?\nSee "minime nodeset --help"\n',
    });
  });

  test("nodeset: expands, folds, counts and combines", async () => {
    using place = makePlace();
    const hosts = `${place.folder}/hosts.toml`;
    Deno.writeTextFileSync(
      hosts,
      'name = "lab"\n[[hosts]]\nnames = "n[1-4]"\n[groups]\nio = "n[1-2]"\n',
    );
    Deno.writeTextFileSync(`${place.folder}/list`, "n1\nn2 # spare\n");
    const cases: [words: string, stdout: string, input?: string][] = [
      ["expand n[1-4]", "n1 n2 n3 n4\n"],
      ["expand n[1-4] -x n2 --separator \\n", "n1\nn3\nn4\n"],
      ["expand --json n[9-10]", '["n9","n10"]\n'],
      ["expand n1!n1", ""],
      ["fold n1 n2 n4", "n[1-2,4]\n"],
      ["fold --json n1 n2", '{"nodeset":"n[1-2]","count":2}\n'],
      ["fold", "n[1-2]\n", "n1\nn2\n"],
      ["fold - n3", "n[1-3]\n", "n1\nn2\n"],
      ["fold -w ^LIST -w n7", "n[1-2,7]\n"],
      ["count n[001-100]", "100\n"],
      ["count --json n1!n1", '{"count":0}\n'],
      ["union n[1-3] n[2-5]", "n[1-5]\n"],
      ["difference n[1-5] n2 n4", "n[1,3,5]\n"],
      ["intersection n[1-3] n[2-5] n[3-9]", "n3\n"],
      ["symmetric-difference n[1-3] n[2-5]", "n[1,4-5]\n"],
      ["expand --hosts HOSTS @io", "n1 n2\n"],
      ["expand --hosts HOSTS * -x @io", "n3 n4\n"],
    ];
    for (const [words, stdout, input] of cases) {
      const args = words.split(" ").map((word) =>
        word.replace("LIST", `${place.folder}/list`).replace("HOSTS", hosts)
      );
      assert.deepEqual(
        await run(["nodeset", ...args], { input: input ?? "" }),
        { code: 0, stdout, stderr: "" },
        words,
      );
    }
  });

  test("nodeset: what cannot be read is told with its place", async () => {
    const failing = async (words: readonly string[], input = "") => {
      const { code, stdout, stderr } = await run(["nodeset", ...words], { input });
      assert.deepEqual([code, stdout], [2, ""]);
      return stderr;
    };
    assert.equal(
      await failing(["union", "-", "-"], "n1"),
      "minime: Stdin can be read only once: use - in one place\n",
    );
    assert.match(await failing(["fold"], "n1\nn[2-\n"), /^minime: stdin:2: Cannot read nodeset/);
    assert.equal(
      await failing(["fold", "^/nowhere"]),
      'minime: Cannot read nodes from file "/nowhere"\n' +
        '  because: Could not read "/nowhere": it does not exist\n',
    );
    assert.equal(
      await failing(["count", "@io", "--hosts", "/nowhere"]),
      'minime: Cannot read mesh file "/nowhere"\n' +
        '  because: Could not read "/nowhere": it does not exist\n',
    );
  });

  test("nodeset: takes groups from the chosen mesh's home, and says which mesh it chose", async () => {
    using place = makePlace();
    const env = { XDG_CONFIG_HOME: place.folder };
    const missing = await run(["nodeset", "expand", "@io"], { env });
    assert.deepEqual([missing.code, missing.stderr], [
      4,
      `minime: No mesh in "${place.folder}/minime": boot one with "minime boot --hosts FILE", ` +
      'or make the keys of one by "minime mesh init --config FILE"\n',
    ]);
    place.addMesh("lab", 1, ["n1", "n2"]);
    place.addMesh("prod", 2, ["p1"]);
    assert.deepEqual(await run(["nodeset", "expand", "@io"], { env }), {
      code: 0,
      stdout: "p1\n",
      stderr: 'Mesh "prod": made or booted last of 2; another one: --mesh NAME\n',
    });
    assert.equal((await run(["-q", "nodeset", "expand", "@io"], { env })).stderr, "");
    const named = { code: 0, stdout: "n1 n2\n", stderr: "" };
    assert.deepEqual(await run(["--mesh", "lab", "nodeset", "expand", "@io"], { env }), named);
    assert.deepEqual(
      await run(["nodeset", "expand", "*"], { env: { ...env, MINIME_MESH: "lab" } }),
      named,
    );
    Deno.chmodSync(`${place.folder}/minime/lab/nodes.json`, 0o644);
    const open = await run(["--mesh", "lab", "nodeset", "expand", "@io"], { env });
    assert.equal(open.code, 1);
    assert.match(open.stderr, /is open to others \(mode 0644\): run: chmod 600 /);
  });

  test("output: large output arrives whole, and a reader that goes away is no error", async () => {
    const many = await run(["nodeset", "expand", "--separator", "\\n", "n[1-200000]"]);
    assert.equal(many.stdout.split("\n").length, 200_001);
    const words = [program, ...first].map((word) => `'${word}'`).join(" ");
    const script = `${words} nodeset expand --separator '\\n' 'n[1-200000]' | head -n 1; ` +
      'echo "${PIPESTATUS[0]}"';
    const { stdout, stderr } = await new Deno.Command("bash", { args: ["-c", script] }).output();
    assert.deepEqual([decoder.decode(stdout), decoder.decode(stderr)], ["n1\n141\n", ""]);
  });

  test("output: a full disk is told", async () => {
    const words = [program, ...first].map((word) => `'${word}'`).join(" ");
    const { code, stderr } = await new Deno.Command("bash", {
      args: ["-c", `${words} nodeset expand n1 > /dev/full`],
    }).output();
    assert.deepEqual([code, decoder.decode(stderr)], [
      1,
      "minime: Could not write to stdout: no space left on the disk\n",
    ]);
  });

  test("colours: none in a pipe, some when asked for", async () => {
    assert.equal((await run(["nodeset", "fold", "["])).stderr.includes("\x1b"), false);
    const asked = await run(["nodeset", "fold", "[", "--color", "always"]);
    assert.ok(asked.stderr.startsWith("\x1b[31mminime:\x1b[39m "), asked.stderr);
  });

  for (const [signal, code] of [["SIGINT", 130], ["SIGTERM", 143], ["SIGHUP", 129]] as const) {
    test(`signals: ${signal} ends a command that waits for stdin, quietly`, async () => {
      await using child = start(["-v", "nodeset", "count", "-"]);
      // The first byte that it takes shows that it listens; it ignores nothing that came before.
      const writer = child.stdin.getWriter();
      await writer.write(new TextEncoder().encode("n1\n"));
      await waitUntilCatches(child.pid, signal);
      child.kill(signal);
      const status = await child.status;
      assert.equal(status.code, code);
      // By the signal itself: after a mere exit code, a shell would go on with its loop.
      assert.equal(status.signal, signal);
      assert.equal(await new Response(child.stdout).text(), "");
      assert.equal(await new Response(child.stderr).text(), "");
      await writer.close().catch(() => {});
    });
  }

  test("MINIME_DEBUG=1 shows the stack of a mistake, otherwise there is none", async () => {
    assert.equal((await run(["nods"])).stderr.includes("    at "), false);
    assert.match((await run(["nods"], { env: { MINIME_DEBUG: "1" } })).stderr, / {4}at /);
  });

  test("__complete: proposes words, nodes and meshes, and is silent about what is wrong", async () => {
    using place = makePlace();
    place.addMesh("lab", 1, ["n1", "n2", "web1"]);
    const env = { XDG_CONFIG_HOME: place.folder };
    const cases: [words: string[], stdout: string][] = [
      [["nodeset", "fo"], "fold\tPrint all names as one short set\n"],
      [["nodeset", "expand", "-w", "w"], "web1\n"],
      [["nodeset", "expand", "n1,"], "n1,n2\nn1,web1\nn1,@io\n"],
      [["nodeset", "expand", "n[1-"], ""],
      [["nodeset", "expand", "--mesh="], "--mesh=lab\n"],
      [["--mesh", "lab", "nodeset", "expand", "@"], "@io\n"],
      [["nodeset", "expand", "--hosts", "/e"], ":files\n"],
      [["nodeset", "expand", "--mesh", "none", "-w", "n"], ""],
      [["nodeset", "expand", "--b", "n"], ""],
      [["--nothing", "n"], ""],
      [["completion", ""], "bash\nzsh\nfish\n"],
    ];
    for (const [words, stdout] of cases) {
      assert.deepEqual(
        await run(["__complete", "--", ...words], { env }),
        { code: 0, stdout, stderr: "" },
        words.join(" "),
      );
    }
  });
}

/** Waits until the process has a handler for the signal, as the kernel tells it. */
async function waitUntilCatches(
  pid: number,
  signal: "SIGINT" | "SIGTERM" | "SIGHUP",
): Promise<void> {
  const bit = { SIGHUP: 1n, SIGINT: 2n, SIGTERM: 15n }[signal] - 1n;
  while (true) {
    const status = Deno.readTextFileSync(`/proc/${pid}/status`);
    const caught = BigInt(`0x${/^SigCgt:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? "0"}`);
    if ((caught >> bit) & 1n) return;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
