/** Terminals: how a program gets one, what a user's keys do, and that their own comes back. */

import assert from "node:assert/strict";
import fc from "fast-check";
import { withEscape } from "../../../modules/exec/escape.ts";
import { inTerminal, TerminalOutput } from "../../../modules/exec/terminal.ts";
import { runs } from "../../support/fuzz.ts";
import { LocalMesh } from "../../support/local_mesh.ts";
import { until } from "../../support/wait.ts";
import { makeScene } from "./scene.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const size = { rows: 33, columns: 101, kind: "xterm" };

Deno.test("terminal: the words of a command pass its shell untouched", async () => {
  const word = fc.string({ unit: "grapheme", maxLength: 20 }).filter((text) =>
    !text.includes("\0") && decoder.decode(encoder.encode(text)) === text
  );
  await fc.assert(
    fc.asyncProperty(fc.array(word, { minLength: 1, maxLength: 4 }), async (words) => {
      const { argv } = inTerminal(["/usr/bin/printf", "%s\\0", ...words], { size, variables: {} });
      const line = (argv[2] as string).split("; exec ").slice(1).join("; exec ");
      const { stdout } = await new Deno.Command("/bin/sh", { args: ["-c", line] }).output();
      assert.equal(decoder.decode(stdout), words.map((each) => `${each}\0`).join(""));
    }),
    { ...runs(25), examples: [[["it's", "'", '"$HOME"`x`', "; exec ", "\n"]]] },
  );
});

Deno.test("terminal: a program runs on one, with its size and kind, and its status comes back", async () => {
  await using scene = await makeScene();
  const { stdout, end } = await scene.sh('tty; stty size; echo "$TERM $SHELL"; exit 4', {
    terminal: size,
  });
  const [tty, window, kind] = stdout.split("\r\n");
  assert.match(tty as string, /^\/dev\/pts\/\d+$/);
  assert.equal(window, "33 101");
  assert.match(kind as string, /^xterm \/\S+$/);
  assert.deepEqual(end, { code: 4 });
  const { end: nowhere } = await scene.sh("true", { terminal: size, folder: "/nope" });
  const error = 'Could not start "/bin/sh": there is no folder "/nope"';
  assert.deepEqual(nowhere, { code: 126, error });
});

Deno.test("terminal: keys reach the program, and so does a new size of the window", async () => {
  await using scene = await makeScene();
  const begun = Promise.withResolvers<void>();
  const resized = Promise.withResolvers<void>();
  const input = async function* () {
    await begun.promise;
    yield { rows: 40, columns: 120 };
    await resized.promise;
    yield encoder.encode("word\r");
  };
  const line = 'echo begun; until [ "$(stty size)" = "40 120" ]; do sleep 0.02; done; ' +
    "echo resized; read x; echo got $x";
  const output = scene.stream(["/bin/sh", "-c", line], {
    terminal: size,
    stdin: "bound",
    bound: true,
    input: input(),
  });
  let text = "";
  for (;;) {
    const { done, value } = await output.next();
    if (done) break;
    text += decoder.decode(value[1]);
    if (text.includes("begun\r\n")) begun.resolve();
    if (text.includes("resized\r\n")) resized.resolve();
  }
  assert.equal(text, "begun\r\nresized\r\nword\r\ngot word\r\n");
});

Deno.test("terminal: keys that are there before the program wait until the terminal is", async () => {
  await using scene = await makeScene();
  // Once they were echoed before the terminal's name, which then was taken for output.
  const input = async function* () {
    yield encoder.encode("early\r");
    yield await Promise.resolve({ rows: 41, columns: 121 });
  };
  const line = 'read x; until [ "$(stty size)" = "41 121" ]; do sleep 0.02; done; echo "got $x"';
  const { stdout, end } = await scene.sh(line, {
    terminal: size,
    stdin: "bound",
    bound: true,
    input: input(),
  });
  assert.deepEqual([stdout, end], ["early\r\ngot early\r\n", { code: 0 }]);
});

Deno.test("terminal: output that does not begin with a terminal's name is left as it is", () => {
  const take = (...texts: string[]) => {
    const output = new TerminalOutput({ spawn: () => Promise.reject(new Error("unused")) });
    return texts.map((text) => output.take([1, encoder.encode(text)])).map((chunk) =>
      chunk === undefined ? undefined : decoder.decode(chunk[1])
    );
  };
  assert.deepEqual(take("/dev/pt", "s/3\r\nhello", "more"), [undefined, "hello", "more"]);
  assert.deepEqual(take("/dev/pts/3\r\n"), [undefined]);
  assert.deepEqual(take("script: no terminal\n", "x"), ["script: no terminal\n", "x"]);
  assert.deepEqual(take("y".repeat(100)), ["y".repeat(100)]);
});

Deno.test("escape: Enter ~ . leaves, ~~ is one ~, and nothing else changes", async () => {
  const pass = async (...chunks: string[]) => {
    let left = false;
    const keys = async function* () {
      for (const chunk of chunks) yield await Promise.resolve(encoder.encode(chunk));
    };
    let text = "";
    for await (const bytes of withEscape(keys(), () => left = true)) text += decoder.decode(bytes);
    return [text, left];
  };
  assert.deepEqual(await pass("ls ~.\r", "~", "/bin\r~~.x"), ["ls ~.\r~/bin\r~.x", false]);
  assert.deepEqual(await pass("~.never"), ["", true]);
  assert.deepEqual(await pass("a\r~", ".b"), ["a\r", true]);
});

/** A user at a terminal of 30 lines and 90 columns, whose shell runs lines in the environment of a mesh. */
class Desk {
  readonly #mesh: LocalMesh;

  constructor(mesh: LocalMesh) {
    this.#mesh = mesh;
  }

  /** For a shell; in it `$F` is the mesh's folder. */
  line(...args: string[]): string {
    return this.#mesh.commandOf(...args).map((word) => `'${word.replaceAll("'", "'\\''")}'`)
      .join(" ");
  }

  /** The same, with its pid in `$F/pid`. */
  lineWithPid(...args: string[]): string {
    return `sh -c 'echo $$ > "$F/pid"; exec "$@"' sh ${this.line(...args)}`;
  }

  pid(): number {
    return Number(Deno.readTextFileSync(`${this.#mesh.folder}/pid`));
  }

  /** `onText`: told all of the text so far, after each piece of it. The terminal must be left as it was. */
  async run(
    line: string,
    onText: (text: string, type: (keys: string) => Promise<void>) => Promise<void> | void,
  ): Promise<{ readonly code: number; readonly text: string }> {
    const whole = `stty rows 30 cols 90; stty -a > $F/before; ${line}; ` +
      "code=$?; stty -a > $F/after; exit $code";
    const child = new Deno.Command("/usr/bin/script", {
      args: ["-qefc", whole, "/dev/null"],
      stdin: "piped",
      stdout: "piped",
      env: { ...this.#mesh.environment, F: this.#mesh.folder, SHELL: "/bin/sh", TERM: "xterm" },
    }).spawn();
    const keys = child.stdin.getWriter();
    let text = "";
    for await (const chunk of child.stdout) {
      text += decoder.decode(chunk);
      await onText(text, (keyed) => keys.write(encoder.encode(keyed)));
    }
    await keys.close();
    const { code } = await child.status;
    const [before, after] = await Promise.all(
      ["before", "after"].map((name) => Deno.readTextFile(`${this.#mesh.folder}/${name}`)),
    );
    assert.equal(after, before, text);
    return { code, text };
  }
}

/** Pids of the programs that the steps below run on a node. */
function sleepers(): number[] {
  const word = `1041.${Deno.pid}`;
  return [...Deno.readDirSync("/proc")].map(({ name }) => Number(name)).filter((pid) => {
    try {
      return pid > 0 && Deno.readTextFileSync(`/proc/${pid}/cmdline`) === `sleep\0${word}\0`;
    } catch {
      // It has ended meanwhile.
      return false;
    }
  });
}

Deno.test("terminal: a user's own, with the mesh's commands on it", async (t) => {
  await using mesh = await LocalMesh.start({ nodes: "n[1-2]" });
  const desk = new Desk(mesh);
  const step = (name: string, run: () => Promise<void>) => t.step(name, run);

  await step("shell: a program on a node, with this terminal's size and keys", async () => {
    const line = desk.line(
      "shell",
      "n2",
      "--",
      "sh",
      "-c",
      "stty size; read x; echo got $x; exit 5",
    );
    let isTyped = false;
    const { code, text } = await desk.run(line, async (text, type) => {
      if (isTyped || !text.includes("30 90")) return;
      isTyped = true;
      await type("hello\r");
    });
    assert.equal(code, 5, text);
    assert.match(text, /30 90\r\nhello\r\ngot hello\r\n$/);
    const limited = await desk.run(
      desk.line("exec", "-t", "-w", "n2", "--timeout", "1s", "sleep", "60"),
      () => {},
    );
    assert.equal(limited.code, 124, limited.text);
    assert.match(limited.text, /\r\nminime: n2: out of time\r\n$/);
    const without = await mesh.run("shell", "n2");
    assert.deepEqual([without.code, without.stdout], [2, ""]);
  });

  await step("exec: keys that it does not read are there for the next one", async () => {
    const waits = "echo ready; until [ -e $1 ]; do sleep 0.02; done";
    const gate = `${mesh.folder}/gate`;
    const line = `${desk.line("exec", "-w", "n2", "-s", waits, gate)}; read x; echo got $x`;
    let isTyped = false;
    const { code, text } = await desk.run(line, async (text, type) => {
      if (isTyped || !text.includes("n2: ready")) return;
      isTyped = true;
      await type("word\r");
      await Deno.writeTextFile(gate, "");
    });
    assert.equal(code, 0, text);
    assert.match(text, /got word\r\n$/);
  });

  await step("cp: shows how much, how fast, and at the end how much it was", async () => {
    const file = `${mesh.folder}/file`;
    await Deno.writeFile(file, new Uint8Array(3_000_000));
    const { code, text } = await desk.run(desk.line("cp", file, `n[1-2]:${file}.`), () => {});
    assert.equal(code, 0, text);
    assert.match(text, /\[2K\[#* *\] \d+% \S+ \S+ of 3\.0 MB, \S+ \S+\/s/);
    assert.match(text, /\[2K\S.* on 2 of 2 nodes, \S+ \S+, \S+ \S+\/s\r\n$/);
  });

  await step(
    "shell: whatever ends it, the terminal is as it was and the program is gone",
    async () => {
      const program = ["sh", "-c", `echo ready; exec sleep 1041.${Deno.pid}`];
      const line = desk.lineWithPid("shell", "n2", ...program);
      type Way = (type: (keys: string) => Promise<void>) => Promise<void> | void;
      const ways: [Way, code: number, text: RegExp][] = [
        [(type) => type("\r~."), 1, /minime: Left by ~\.\r\n$/],
        [() => Deno.kill(desk.pid(), "SIGTERM"), 143, /ready/],
        [() => Deno.kill(desk.pid(), "SIGHUP"), 129, /ready/],
        [() => mesh.signal("n2", "SIGKILL"), 4, /minime: Connection is gone: .*\r\n$/],
      ];
      for (const [way, expected, last] of ways) {
        let isUnderWay = false;
        const { code, text } = await desk.run(line, async (text, type) => {
          if (isUnderWay || !text.includes("ready\r\n")) return;
          isUnderWay = true;
          await way(type);
        });
        assert.equal(code, expected, text);
        assert.match(text, last);
        await until(() => sleepers().length === 0, "the program has ended");
      }
    },
  );

  await step("shell: a second SIGTERM leaves the terminal as it was too", async () => {
    await mesh.must("boot", "--hosts", mesh.file);
    const line = desk.lineWithPid("shell", "n2", "sh", "-c", "echo ready; exec sleep 1041");
    let isFrozen = false;
    let isSecond = false;
    const { code, text } = await desk.run(line, async (text) => {
      if (!isFrozen && text.includes("ready\r\n")) {
        isFrozen = true;
        // Now there is something to wait for when it is asked to end.
        await mesh.signal("n2", "SIGSTOP");
        Deno.kill(desk.pid(), "SIGTERM");
      }
      if (isSecond || !text.includes("once more to stop at once")) return;
      isSecond = true;
      Deno.kill(desk.pid(), "SIGTERM");
    });
    await mesh.signal("n2", "SIGCONT");
    // On a slow machine it may have ended before that: it must be as it was all the same.
    assert.equal(code, 143, text);
  });
});
