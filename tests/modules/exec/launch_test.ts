/** Real processes: what a program finds when it starts, and why one does not start. */

import assert from "node:assert/strict";
import fc from "fast-check";
import { runs } from "../../support/fuzz.ts";
import { makeScene, userName } from "./scene.ts";

const IS_ROOT = Deno.uid() === 0;

Deno.test("launch: argv is passed untouched", async () => {
  await using scene = await makeScene();
  const word = fc.string({ unit: "grapheme", maxLength: 40 }).filter((text) =>
    !text.includes("\0") && new TextDecoder().decode(new TextEncoder().encode(text)) === text
  );
  await fc.assert(
    fc.asyncProperty(fc.array(word, { maxLength: 6 }), async (words) => {
      const { stdout, end } = await scene.run(["/usr/bin/printf", "%s\\0", ...words]);
      const expected = words.length === 0 ? [""] : words;
      assert.deepEqual(stdout, expected.map((w) => `${w}\0`).join(""));
      assert.deepEqual(end, { code: 0 });
    }),
    { ...runs(40), examples: [[["", " ", "'\"$HOME`x`\\", "\n", "ä€𝄞", "-n", "*"]]] },
  );
  const many = Array.from({ length: 10 }, () => "x".repeat(100_000));
  const { stdout } = await scene.run(["/bin/sh", "-c", "echo $# ${#9}", "sh", ...many]);
  assert.equal(stdout, "10 100000\n");
});

Deno.test("launch: what cannot be started has the code of a shell, and says why", async () => {
  await using scene = await makeScene();
  assert.deepEqual((await scene.run(["no-such-program"])).end, {
    code: 127,
    error: 'Could not start "no-such-program": there is no such program',
  });
  assert.deepEqual((await scene.run(["/etc/passwd"])).end, {
    code: 126,
    error: 'Could not start "/etc/passwd": permission denied',
  });
  const long = await scene.run(["true", "x".repeat(131_072)]);
  assert.deepEqual(long.end, {
    code: 126,
    error: 'Could not start "true": the kernel takes 131071 bytes in one argument or variable, ' +
      "and 2 MiB in all",
  });
  const words = ["true", ...Array<string>(2).fill("x".repeat(70_000))];
  assert.equal((await scene.run(words)).end.code, 0);
  const terminal = { rows: 24, columns: 80, kind: "xterm" };
  assert.deepEqual((await scene.run(words, { terminal })).end, {
    code: 126,
    error: 'Could not start "true" on a terminal: the kernel takes 131071 bytes in all its ' +
      "arguments there",
  });
  const nowhere = await scene.run(["true"], { folder: "/no/such" });
  assert.deepEqual(nowhere.end, {
    code: 126,
    error: 'Could not start "true": there is no folder "/no/such"',
  });
});

Deno.test("launch: the first of that name in PATH runs, wherever another one is", async () => {
  await using scene = await makeScene();
  const folder = await Deno.makeTempDir();
  await using cleanUp = new AsyncDisposableStack();
  cleanUp.defer(() => Deno.remove(folder, { recursive: true }));
  const script = "#!/bin/sh\necho ours\n";
  await Deno.writeTextFile(`${folder}/true`, script, { mode: 0o755 });
  await Deno.writeTextFile(`${folder}/only-here`, script, { mode: 0o755 });
  await Deno.writeTextFile(`${folder}/no-program`, script, { mode: 0o644 });
  const run = (program: string, path: string) =>
    scene.run([program], { variables: [["PATH", path]] });
  assert.equal((await run("true", `${folder}:/usr/bin`)).stdout, "ours\n");
  assert.equal((await run("true", `/usr/bin:${folder}`)).stdout, "");
  assert.equal((await run("only-here", `/usr/bin:${folder}`)).stdout, "ours\n");
  assert.deepEqual((await run("no-program", `/usr/bin:${folder}`)).end, {
    code: 126,
    error: 'Could not start "no-program": permission denied',
  });
});

Deno.test("launch: the environment is clean, and the place in the mesh is known", async () => {
  await using scene = await makeScene();
  const { stdout } = await scene.sh("env | sort", {
    nodeset: "n[1-3]",
    variables: [["COLOUR", "blue = green"], ["MINIME_RANK", "99"], ["LANG", "C"]],
  });
  const names = stdout.split("\n").map((line) => line.split("=")[0]);
  assert.deepEqual(names.filter((name) => name !== "PWD" && name !== "OLDPWD"), [
    "COLOUR",
    "HOME",
    "LANG",
    "LOGNAME",
    "MINIME_NODE",
    "MINIME_NODESET",
    "MINIME_RANK",
    "MINIME_SIZE",
    "PATH",
    "SHELL",
    "USER",
    "",
  ]);
  assert.match(stdout, /^COLOUR=blue = green$/m);
  assert.match(stdout, /^LANG=C$/m);
  assert.match(stdout, /MINIME_NODE=n2\nMINIME_NODESET=n\[1-3\]\nMINIME_RANK=1\nMINIME_SIZE=3\n/);
});

Deno.test("launch: they run in the home, in a folder below it, or where one says", async () => {
  await using scene = await makeScene();
  const home = (await scene.sh('echo "$HOME"; pwd')).stdout.split("\n");
  assert.equal(home[0], home[1]);
  assert.equal((await scene.run(["pwd"], { folder: "/usr/bin" })).stdout, "/usr/bin\n");
  assert.equal((await scene.run(["pwd"], { folder: "." })).stdout, `${home[0]}\n`);
});

Deno.test("launch: a umask is set, and the argv passes the shell that sets it untouched", async () => {
  await using scene = await makeScene();
  const line = 'umask; printf "%s|" "$@"';
  const { stdout } = await scene.run(["/bin/sh", "-c", line, "sh", "a b", "", "$HOME"], {
    umask: 0o027,
    variables: [["minime_pair", "x"], ["minime", "'"]],
  });
  assert.equal(stdout, "0027\na b||$HOME|");
  assert.deepEqual((await scene.run(["no-such-program"], { umask: 0 })).end, {
    code: 127,
    error: 'Could not start "no-such-program": there is no such program',
  });
  assert.deepEqual((await scene.run(["true"], { umask: 0, folder: "/no such" })).end, {
    code: 126,
    error: 'Could not start "true": there is no folder "/no such"',
  });
});

// Whoever enters a folder on a disk that does not answer stands still, which must not be the daemon.
Deno.test("launch: a folder that somebody names is entered by the program's own process", async () => {
  await using plain = await makeScene();
  const { processes } = plain.env;
  const entered: (string | undefined)[] = [];
  const spawn: typeof processes.spawn = (program, options) => {
    if (options?.args?.at(-1) === "pwd") entered.push(options.folder);
    return processes.spawn(program, options);
  };
  const watched = Object.create(processes, { spawn: { value: spawn } }) as typeof processes;
  await using scene = await makeScene({ processes: watched });
  assert.equal((await scene.run(["pwd"], { folder: "/usr" })).stdout, "/usr\n");
  assert.deepEqual(entered, ["/"]);
});

Deno.test({
  name: "launch: another user has his own ids, groups and home, and no way back to root",
  ignore: !IS_ROOT,
  async fn() {
    await using scene = await makeScene();
    const principal = { as: "nobody" };
    const { stdout } = await scene.sh(
      'id -un; id -Gn; grep NoNewPrivs /proc/self/status; echo "$USER $EVIL"; pwd',
      { principal, variables: [["EVIL", "a'b\"$(id)\n"]] },
    );
    assert.equal(stdout, "nobody\nnogroup\nNoNewPrivs:\t1\nnobody a'b\"$(id)\n\n/\n");
    const denied = await scene.run(["cat", "/etc/shadow"], { principal });
    assert.equal(denied.end.code, 1);
  },
});

Deno.test({
  name: "launch: the caller's variables do nothing before the user has changed",
  ignore: !IS_ROOT,
  async fn() {
    await using scene = await makeScene();
    const folder = await Deno.makeTempDir();
    await Deno.chmod(folder, 0o777);
    const evil = '#!/bin/sh\nid -un > "${0%/*}/ran"\nexit 9\n';
    await Deno.writeTextFile(`${folder}/setpriv`, evil, { mode: 0o755 });
    await Deno.writeTextFile(`${folder}/sh`, evil, { mode: 0o755 });
    const { end, stderr } = await scene.run(["/bin/true"], {
      principal: { as: "nobody" },
      // A library that is none: the loader says so, of the program alone and not of setpriv.
      variables: [["PATH", folder], ["LD_PRELOAD", `${folder}/sh`]],
    });
    assert.equal(end.code, 0);
    assert.equal(stderr.match(/cannot be preloaded/g)?.length, 1);
    await assert.rejects(Deno.stat(`${folder}/ran`), Deno.errors.NotFound);
    await Deno.remove(folder, { recursive: true });
  },
});

Deno.test("launch: a user that is unknown, and one that the daemon cannot become", async () => {
  await using scene = await makeScene();
  await assert.rejects(scene.run(["true"], { principal: { as: "no-such-user" } }), {
    message: 'This host has no user "no-such-user"',
  });
  await assert.rejects(scene.run(["true"], { principal: { as: "" } }), {
    class: "refused",
    message: "Rule allow[0] does not say as which unix user to run programs",
  });
  const { processes } = scene.env;
  const plain = Object.create(processes, { uid: { value: 4_711 } }) as typeof processes;
  await using other = await makeScene({ processes: plain });
  await assert.rejects(other.run(["true"], { principal: { as: userName() } }), {
    class: "refused",
    message: `This daemon runs as user id 4711 and cannot run a program as "${userName()}"`,
  });
});
