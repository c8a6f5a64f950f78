/** docs/mailbox.py, the example of docs/protocol.md, against real daemons. */

import assert from "node:assert/strict";
import { LocalMesh } from "../support/local_mesh.ts";

const EXAMPLE = new URL("../../docs/mailbox.py", import.meta.url).pathname;
const LINES_MAX = 80;

/** Programs on n1 may send; the user may everything, as booted. */
const POLICY = `
[[policy.allow]]
who = ["group:ops"]
verbs = ["*"]
on = ["*"]
as = ["root", "$user"]
[[policy.allow]]
who = ["node:n1"]
verbs = ["mailbox.put"]
on = ["*"]
`;

interface Result {
  readonly code: number;
  readonly stdout: Uint8Array;
  readonly stderr: string;
}

async function run(program: string, args: readonly string[], options: {
  readonly env?: Record<string, string>;
  readonly input?: Uint8Array;
} = {}): Promise<Result> {
  const child = new Deno.Command(program, {
    args: [...args],
    env: options.env ?? {},
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  // A program that refuses at once does not read.
  await writer.write(options.input ?? new Uint8Array(0)).catch(() => {});
  await writer.close().catch(() => {});
  const { code, stdout, stderr } = await child.output();
  return { code, stdout, stderr: new TextDecoder().decode(stderr) };
}

function hasPython(): boolean {
  try {
    return new Deno.Command("python3", { args: ["--version"], stdout: "null" }).outputSync()
      .success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

Deno.test({
  name: "protocol: a program of another language sends and receives by the socket",
  // The machine of a user need not have Python; ours, where this must not be left out, do.
  ignore: !hasPython() && Deno.env.get("MINIME_TEST_NO_SKIP") !== "1",
  async fn(test) {
    await using mesh = await LocalMesh.start({ nodes: "n[1-3]", more: POLICY });
    const socket = (node: string) => `${mesh.stateFolder(node)}/sock`;
    const example = (args: readonly string[], input?: Uint8Array) =>
      run("python3", [EXAMPLE, ...args], input === undefined ? {} : { input });
    const bytes = new Uint8Array(1_500_000).map((_, i) => i * 7 + (i >> 8));

    await test.step("it is short, and needs the standard library alone", async () => {
      const lines = (await Deno.readTextFile(EXAMPLE)).trimEnd().split("\n");
      assert.ok(lines.length <= LINES_MAX, `${lines.length} lines`);
      const imports = lines.filter((line) => /^\s*(import|from)\b/.test(line));
      assert.deepEqual(imports, ["import io, socket, struct, sys"]);
    });

    await test.step("from a program to a program, bytes as they are", async () => {
      for (const message of [bytes, new Uint8Array(0), Uint8Array.of(0, 255, 10)]) {
        const sent = await example([socket("n1"), "send", "n2", "results"], message);
        assert.deepEqual([sent.code, sent.stderr], [0, ""]);
      }
      for (const message of [bytes, new Uint8Array(0), Uint8Array.of(0, 255, 10)]) {
        const received = await example([socket("n2"), "recv", "results"]);
        assert.deepEqual([received.code, received.stderr], [0, ""]);
        assert.deepEqual(received.stdout, message);
      }
    });

    await test.step("from a program to the command, and back", async () => {
      await example([socket("n1"), "send", "n3", "up"], bytes);
      const received = await mesh.run("recv", "-w", "n3", "--from", "node:n1", "--json", "up");
      const { bytes: length, from } = JSON.parse(received.stdout);
      assert.deepEqual([length, from.kind, from.name], [bytes.length, "node", "n1"]);
      const waiting = example([socket("n3"), "recv", "down"]);
      const [program = "", ...words] = mesh.commandOf("send", "n3", "down");
      const sent = await run(program, words, { env: mesh.environment, input: bytes });
      assert.deepEqual([sent.code, sent.stderr], [0, ""]);
      assert.deepEqual((await waiting).stdout, bytes);
    });

    await test.step("a node that no rule names sends nothing", async () => {
      const { code, stderr } = await example([socket("n2"), "send", "n3", "t"], bytes);
      assert.equal(code, 1);
      assert.match(stderr, /^refused: Node "n3" refused: Policy has no rule for node "n2"/);
    });

    await test.step("a message that is too large for one request is not cut", async () => {
      const most = new Uint8Array(4_000_000);
      assert.equal((await example([socket("n1"), "send", "n2", "large"], most)).code, 0);
      assert.equal((await example([socket("n2"), "recv", "large"])).stdout.length, most.length);
      const more = new Uint8Array(most.length + 1);
      const { code, stderr } = await example([socket("n1"), "send", "n2", "large"], more);
      assert.deepEqual([code, stderr], [1, "invalid: Message has more than 4000000 bytes\n"]);
    });

    await test.step("what makes no sense is told as that", async () => {
      const { code, stderr } = await example([socket("n1"), "recv", "No Tag"]);
      assert.equal(code, 1);
      assert.match(stderr, /^invalid: Arguments of "mailbox.receive" are wrong at "tag": /);
    });
  },
});
