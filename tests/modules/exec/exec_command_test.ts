/** `minime exec` as a user types it, on four daemons of this machine. */

import assert from "node:assert/strict";
import { Dice, SEED } from "../../support/fuzz.ts";
import { LocalMesh, type Result } from "../../support/local_mesh.ts";
import { until } from "../group/daemons.ts";
import { running, sizeOf, still } from "./looks.ts";

const N4 = "n[1-4]";
const MIB = 1024 * 1024;

/** A time to sleep that no other run of these tests has. */
function seconds(whole: number): string {
  return `${whole}.${Deno.pid}`;
}

async function withInput(mesh: LocalMesh, input: Uint8Array, ...args: string[]): Promise<Result> {
  const [program, ...words] = mesh.commandOf(...args);
  const child = new Deno.Command(program as string, {
    args: words,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
    env: mesh.environment,
  }).spawn();
  const output = child.output();
  const writer = child.stdin.getWriter();
  // It may end without reading all of it.
  await writer.write(input).then(() => writer.close()).catch(() => {});
  const { code, stdout, stderr } = await output;
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

Deno.test("exec: on four nodes, as a user types it", async (t) => {
  await using mesh = await LocalMesh.start({
    nodes: N4,
    more: '[groups]\nio = "n[2-3]"\n',
  });
  const exec = (...args: string[]) => mesh.run("exec", ...args);
  const step = (name: string, run: () => Promise<void>) => t.step(name, run);

  await step("labels whole lines, and keeps the order of each node", async () => {
    const { code, stdout } = await exec("-w", N4, "-s", "echo one; echo two; printf end");
    assert.equal(code, 0);
    const lines = stdout.split("\n").slice(0, -1);
    for (const node of ["n1", "n2", "n3", "n4"]) {
      const own = lines.filter((line) => line.startsWith(`${node}: `));
      assert.deepEqual(own, [`${node}: one`, `${node}: two`, `${node}: end`]);
    }
    assert.equal(lines.length, 12);
  });

  await step("needs no -- before the command, and touches no argument", async () => {
    const long = "ä".repeat(50_000);
    const words = ["-n", "", " a  b ", "'\"$HOME", "ä€𝄞", "--help", "*", long];
    const { stdout } = await exec("-N", "-w", "n2", "printf", "[%s]", ...words);
    assert.equal(stdout, words.map((word) => `[${word}]`).join(""));
  });

  await step("options that would do nothing are refused", async () => {
    for (
      const [args, text] of [
        [["-t", "-n"], "--terminal and --no-input exclude each other"],
        [["-t", "-f", "2"], "--terminal and --fanout exclude each other"],
        [["-b", "--json"], "--fold and --json exclude each other"],
        [["--name", "x"], "--name needs --bg"],
        [["-b", "--errdir", "x"], "--fold and --errdir exclude each other"],
        [["--outdir", ""], "The name of the folder is empty"],
        [["--timeout", "8d"], '"8d" is too long: 7 d is the most'],
        [["--connect-timeout", "2h"], '"2h" is too long: 1 h is the most'],
        [
          Array.from({ length: 1_025 }, (_, index) => ["--env", `A${index}=`]).flat(),
          "1025 variables are too many: 1024 is the most",
        ],
        [["-w", "n[1-100000]"], "nodes are too many"],
        [["--chdir", ""], "--chdir: The name of the folder is empty"],
        [["-l", "65534"], '--user: "65534" is a number'],
      ] as const
    ) {
      const { code, stderr } = await exec(...args, "-w", "n1", "true");
      assert.deepEqual([code, stderr.includes(text)], [2, true], stderr);
    }
  });

  await step("folds equal output and status", async () => {
    const line = "echo same; test $MINIME_RANK != 2 || { echo bad >&2; exit 7; }";
    const { code, stdout, stderr } = await exec("-b", "-w", N4, "-s", line);
    const rule = "-".repeat(15);
    assert.equal(
      stdout,
      `${rule}\nn[1-2,4] (3)\n${rule}\nsame\n${rule}\nn3: exit 7\n${rule}\nsame\n`,
    );
    assert.equal(stderr, "n3: bad\nminime: n3: exit 7\n");
    assert.equal(code, 7);
  });

  await step("shows differences from what most nodes print", async () => {
    const line = "seq 5; test $MINIME_RANK != 1 || echo more";
    const { stdout } = await exec("--diff", "-w", N4, "-s", line);
    assert.equal(stdout, "--- n[1,3-4] (3)\n+++ n2\n@@ -3,3 +3,4 @@\n 3\n 4\n 5\n+more\n");
  });

  await step("binary output survives -N and --outdir bit for bit", async () => {
    const bytes = new Dice(SEED).bytes(50_000);
    await Deno.writeFile(`${mesh.folder}/bytes`, bytes);
    const child = mesh.spawn("exec", "-N", "-w", "n3", "cat", `${mesh.folder}/bytes`);
    assert.deepEqual((await child.output()).stdout, bytes);
    const out = `${mesh.folder}/out`;
    const err = `${mesh.folder}/err`;
    const line = `cat ${mesh.folder}/bytes; cat ${mesh.folder}/bytes >&2`;
    const result = await exec("--outdir", out, "--errdir", err, "-w", N4, "-s", line);
    assert.deepEqual(result, { code: 0, stdout: "", stderr: "" });
    for (const node of ["n1", "n4"]) {
      assert.deepEqual(await Deno.readFile(`${out}/${node}`), bytes);
      assert.deepEqual(await Deno.readFile(`${err}/${node}`), bytes);
    }
  });

  await step("JSON has one object for each node, or events", async () => {
    const line = "echo out; printf '\\377' >&2; exit $MINIME_RANK";
    const { stdout, code } = await exec("--json", "-w", "n[1-2]", "-s", line);
    assert.deepEqual(JSON.parse(stdout), {
      nodes: [
        { node: "n1", code: 0, stdout: "out\n", stderrBase64: "/w==" },
        { node: "n2", code: 1, stdout: "out\n", stderrBase64: "/w==" },
      ],
      exitCode: 1,
    });
    assert.equal(code, 1);
    const events = await exec("--json", "--stream", "-w", "n2", "-s", "echo out; kill -9 $$");
    assert.deepEqual(events.stdout.trim().split("\n").map((each) => JSON.parse(each)), [
      { event: "output", node: "n2", stdout: "out\n" },
      { event: "end", node: "n2", code: 137, signal: "SIGKILL" },
    ]);
  });

  await step("stdin goes to all, with its end; -n and -w - leave it alone", async () => {
    const input = new TextEncoder().encode("line\n".repeat(100_000));
    const { stdout } = await withInput(mesh, input, "exec", "-b", "-w", N4, "wc", "-c");
    assert.match(stdout, /\nn\[1-4\] \(4\)\n-+\n500000\n$/);
    const none = await withInput(mesh, input, "exec", "-n", "-b", "-w", N4, "wc", "-c");
    assert.match(none.stdout, /\n0\n$/);
    const named = new TextEncoder().encode("n1\nn3\n");
    const names = await withInput(mesh, named, "exec", "-b", "-w", "-", "wc", "-c");
    assert.match(names.stdout, /\nn\[1,3\] \(2\)\n-+\n0\n$/, "it is read for the nodes");
    const much = new Uint8Array(1_500_000).fill(0x61);
    for (const more of [[], ["--private"]]) {
      const turns = await withInput(mesh, much, "exec", "-f1", ...more, "-bw", N4, "wc", "-c");
      assert.match(turns.stdout, /\nn\[1-4\] \(4\)\n-+\n1500000\n$/);
    }
  });

  await step("nobody waits for the end of a stdin that no program reads", async () => {
    for (const more of [[], ["-f2"], ["-f2", "--private"]]) {
      const [program = "", ...args] = mesh.commandOf("exec", ...more, "-w", N4, "true");
      const options = { stdin: "piped", stdout: "piped", stderr: "piped" } as const;
      const env = mesh.environment;
      const child = new Deno.Command(program, { args, ...options, env }).spawn();
      const { code, stderr } = await child.output();
      assert.deepEqual([code, new TextDecoder().decode(stderr)], [0, ""]);
      await child.stdin.close();
    }
  });

  await step("runs no more at once than --fanout says", async () => {
    const lock = `${mesh.folder}/lock`;
    const line = `mkdir ${lock} && sleep 0.05 && rmdir ${lock}`;
    const { code, stderr } = await exec("-f", "1", "-w", N4, "-s", line);
    assert.deepEqual([code, stderr], [0, ""]);
  });

  await step("variables, folder, umask and place; a group without one of its nodes", async () => {
    const { stdout } = await mesh.run(
      ...["exec", "-N", "-g", "io", "-x", "n2", "--env", "A=b c", "--pass-env", "XDG_C*"],
      ...["--chdir", "/usr", "--umask", "0137", "-s"],
      ...['umask; echo "$A|$XDG_CONFIG_HOME|$XDG_STATE_HOME|$PWD|$1|$MINIME_NODE"', "last"],
    );
    assert.equal(stdout, `0137\nb c|${mesh.folder}/config||/usr|last|n3\n`);
    const odd = ["sh", "-c", 'XDG_CB=$(printf "\\377") exec "$@"', "sh"];
    const argv = mesh.commandOf("exec", "-w", "n2", "--pass-env", "XDG_C*", "true");
    const { stderr } = await mesh.spawnProgram([...odd, ...argv], {}).output();
    const warning = "Warning: XDG_CB is not passed: its value is not UTF-8\n";
    assert.equal(new TextDecoder().decode(stderr), warning);
    const wrong = await exec("-g", "oi", "true");
    assert.deepEqual([wrong.code, wrong.stdout], [2, ""], wrong.stderr);
    assert.equal((await exec("--umask", "0888", "-w", "n1", "true")).code, 2);
  });

  await step("one that only the home names counts, gets no file, and keeps no signal", async () => {
    const path = `${mesh.home}/nodes.json`;
    const stored = await Deno.readTextFile(path);
    const [first, ...others] = JSON.parse(stored) as { name: string; keyId: string }[];
    const away = { ...first, name: "n1a", keyId: "ab".repeat(32) };
    await Deno.writeTextFile(path, JSON.stringify([first, ...others, away]));
    const missing = /^minime: n1a: unreachable: Not seen since /m;
    for (
      const [...nodes] of [["-w", `${N4},n1a`], ["-a"], ["-f2", "-a"], ["-f2", "-w", `${N4},n1a`]]
    ) {
      const line = "echo $MINIME_RANK of $MINIME_SIZE";
      const { stdout, stderr } = await exec(...nodes, "-s", line);
      const places = ["n1: 0 of 5", "n2: 2 of 5", "n3: 3 of 5", "n4: 4 of 5"];
      assert.deepEqual(stdout.trim().split("\n").sort(), places, nodes.join(" "));
      assert.match(stderr, missing);
    }
    const bare = await exec("-N", "-w", "n1,n1a", "head", "-c", "70000", "/dev/zero");
    assert.equal(bare.stdout, "\0".repeat(70_000));
    const folder = `${mesh.folder}/away`;
    await exec("--outdir", folder, "-w", "n1,n1a", "true");
    assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name), ["n1"]);
    const wrong = await exec("-f1", "-w", "n1,n9", "touch", `${folder}/ran`);
    assert.equal(wrong.code, 2);
    await assert.rejects(Deno.stat(`${folder}/ran`), Deno.errors.NotFound);
    const child = mesh.spawn(
      "exec",
      "-b",
      "-w",
      `${N4},n1a`,
      "-s",
      `sleep ${seconds(1011)} & wait`,
    );
    await until(() => running(seconds(1011)).length === 4);
    child.kill("SIGINT");
    await until(() => running(seconds(1011)).length === 0);
    const { code, stderr } = await child.output();
    assert.equal(code, 130);
    assert.match(new TextDecoder().decode(stderr), missing);
    await Deno.writeTextFile(path, stored);
  });

  await step("exit codes, and who failed and why", async () => {
    const code = async (...args: string[]) => (await exec(...args)).code;
    assert.equal(await code("-w", N4, "-s", "exit $MINIME_RANK"), 3);
    assert.equal(await code("-w", "n1", "no-such-program"), 127);
    assert.equal(await code("-w", "n1", "/etc/passwd"), 126);
    assert.equal(await code("-w", "n1", "--timeout", "50ms", "sleep", "60"), 124);
    assert.equal(await code("-w", "n1", "-s", "kill -TERM $$"), 143);
    // Told by the number alone: nobody has sent a signal to us.
    const child = mesh.spawn("exec", "-w", "n1", "-s", "kill -TERM $$");
    await Promise.all([child.stdout.cancel(), child.stderr.cancel()]);
    assert.deepEqual({ ...await child.status }, { success: false, code: 143, signal: null });
    const deaf = ["-s", 'trap "" TERM; while :; do sleep 0.01; done'];
    const killed = await exec("-w", "n1", "--timeout", "50ms", "--kill-after", "50ms", ...deaf);
    const killedText = "minime: n1: out of time, ended by SIGKILL\n";
    assert.deepEqual([killed.code, killed.stderr], [124, killedText]);
    assert.equal(await code("true"), 2);
    assert.equal(await code("-w", "n9", "true"), 2);
    assert.equal(await code("-b", "-N", "-w", "n1", "true"), 2);
    const refused = await exec("-w", "n1", "--user", "nobody", "true");
    assert.equal(refused.code, 5);
    assert.match(refused.stderr, /^minime: n1: refused: Policy has no rule .* unix user "nobody"/);
  });

  await step("the audit has the decision and the exit status", async () => {
    await exec("-w", "n4", "-s", "exit 9");
    const text = await Deno.readTextFile(`${mesh.stateFolder("n4")}/audit/audit-00000001.jsonl`);
    const lines = text.trim().split("\n").map((line) => JSON.parse(line));
    const [decision, outcome] = lines.slice(-2);
    assert.deepEqual([decision.event, decision.verb, decision.allowed], [
      "decision",
      "exec.run",
      true,
    ]);
    assert.deepEqual([outcome.event, outcome.request, outcome.outcome], [
      "outcome",
      decision.request,
      "exit 9",
    ]);
  });

  await step("^C and SIGHUP ask the programs, and what they still say is printed", async () => {
    for (const signal of ["SIGINT", "SIGHUP"] as const) {
      const traps = 'trap "echo int; exit 4" INT; trap "echo hup; exit 4" HUP';
      const line = `${traps}; echo ready; sleep ${seconds(1001)} & wait`;
      const child = mesh.spawn("exec", "-w", N4, "-s", line);
      await until(() => running(seconds(1001)).length === 4);
      child.kill(signal);
      const { code, stdout } = await child.output();
      const text = new TextDecoder().decode(stdout);
      assert.equal(code, 4);
      const said = signal === "SIGINT" ? /^n\d: int$/gm : /^n\d: hup$/gm;
      assert.equal(text.match(said)?.length, 4, text);
      await until(() => running(seconds(1001)).length === 0);
    }
  });

  await step("^C twice kills what does not listen", async () => {
    const line = `trap "" INT; sleep ${seconds(1002)}; echo no`;
    const child = mesh.spawn("exec", "-w", N4, "-s", line);
    await until(() => running(seconds(1002)).length === 4);
    child.kill("SIGINT");
    let told = "";
    for await (const text of child.stderr.pipeThrough(new TextDecoderStream())) {
      // Two signals that nobody has taken yet would be one.
      const isFirst = !told.includes("again to kill them");
      told += text;
      if (!isFirst || !told.includes("again to kill them")) continue;
      assert.equal(running(seconds(1002)).length, 4);
      child.kill("SIGINT");
    }
    await child.stdout.cancel();
    assert.equal((await child.status).code, 130);
    assert.match(told, /n\[1-4\]: killed by SIGKILL/);
    await until(() => running(seconds(1002)).length === 0);
  });

  await step("--private does the same in sessions that end in the nodes", async () => {
    const line = "wc -c; echo $MINIME_RANK of $MINIME_SIZE; exit $MINIME_RANK";
    const input = new TextEncoder().encode("12345");
    const args = ["exec", "--private", "-w", "n[1-3]", "-s", line];
    const { code, stdout } = await withInput(mesh, input, ...args);
    const sorted = stdout.split("\n").sort().filter((each) => each !== "");
    assert.deepEqual([code, sorted], [2, [
      "n1: 0 of 3",
      "n1: 5",
      "n2: 1 of 3",
      "n2: 5",
      "n3: 2 of 3",
      "n3: 5",
    ]]);
    const much = new Uint8Array(1_200_000).fill(0x61);
    const copies = await withInput(mesh, much, "exec", "--private", "-bw", N4, "wc", "-c");
    assert.match(copies.stdout, /^-+\nn\[1-4\] \(4\)\n-+\n1200000\n$/);
    const folded = await exec("--private", "-b", "-w", N4, "echo", "same");
    assert.match(folded.stdout, /\nn\[1-4\] \(4\)\n-+\nsame\n$/);
    const refused = await exec("--private", "-w", "n3", "--user", "nobody", "true");
    assert.deepEqual([refused.code, refused.stderr.startsWith("minime: n3: refused: ")], [5, true]);
    const child = mesh.spawn("exec", "--private", "-w", N4, "-s", `sleep ${seconds(1010)} & wait`);
    await until(() => running(seconds(1010)).length === 4);
    child.kill("SIGINT");
    assert.equal((await child.output()).code, 130);
    await until(() => running(seconds(1010)).length === 0);
  });

  await step("when the client dies, the programs end", async () => {
    const child = mesh.spawn("exec", "-w", N4, "-s", `sleep ${seconds(1003)} & wait`);
    await until(() => running(seconds(1003)).length === 4);
    child.kill("SIGKILL");
    await child.output();
    await until(() => running(seconds(1003)).length === 0);
  });

  await step("when nobody reads the output any more, the programs end", async () => {
    const child = mesh.spawn("exec", "-w", N4, "-s", `yes ${seconds(1004)}`);
    const reader = child.stdout.getReader();
    await reader.read();
    await reader.cancel();
    await child.stderr.cancel();
    assert.equal((await child.status).code, 141);
    await until(() => running(seconds(1004)).length === 0);
  });

  await step("a slow reader slows the programs, and what is under way does not grow", async () => {
    const each = 24;
    // It counts what it has got rid of.
    const line = `for i in $(seq ${each}); do head -c ${MIB} /dev/zero; ` +
      `printf . >> ${mesh.folder}/written-$MINIME_NODE; done`;
    const child = mesh.spawn("exec", "-N", "-w", N4, "-s", line);
    const written = () =>
      ["n1", "n2", "n3", "n4"].map((node) => sizeOf(`${mesh.folder}/written-${node}`))
        .reduce((sum, size) => sum + size);
    // Nobody reads: what is written and not here is in pipes and in the memory of all others.
    await until(() => written() > 0);
    await still(written);
    assert.ok(written() < 2 * each, `${written()} of ${4 * each} MiB`);
    let bytes = 0;
    for await (const chunk of child.stdout) bytes += chunk.length;
    await child.stderr.cancel();
    assert.deepEqual([bytes, (await child.status).code], [4 * each * MIB, 0]);
    assert.equal(written(), 4 * each);
  });

  await step(
    "when a daemon is killed, its programs end, and the node is told as lost",
    async () => {
      const child = mesh.spawn("exec", "-w", N4, "-s", `sleep ${seconds(1005)} & wait`);
      await until(() => running(seconds(1005)).length === 4);
      await mesh.signal("n4", "SIGKILL");
      await until(() => running(seconds(1005)).length === 3);
      child.kill("SIGTERM");
      const { code, stderr } = await child.output();
      assert.equal(code, 143);
      assert.match(new TextDecoder().decode(stderr), /minime: n4: unreachable: .*may have run/);
    },
  );

  await step("an orderly halt ends what runs", async () => {
    const child = mesh.spawn("exec", "-w", "n[2-3]", "-s", `sleep ${seconds(1006)} & wait`);
    await until(() => running(seconds(1006)).length === 2);
    await mesh.run("halt");
    await child.output();
    await until(() => running(seconds(1006)).length === 0);
  });
});
