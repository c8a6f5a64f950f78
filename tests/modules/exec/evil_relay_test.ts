/** Programs and terminals in sessions of a user that an enemy carries. */

import assert from "node:assert/strict";
import { createExec } from "../../../modules/exec/mod.ts";
import type { RunEnd } from "../../../modules/exec/order.ts";
import { runInSession, type SessionRunOptions } from "../../../modules/exec/session_run.ts";
import { type Enemy, EvilWay, troubled } from "../router/evil_way.ts";

const CONNECT_MS = 30_000;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

class Scene implements AsyncDisposable {
  readonly folder: string;
  readonly #way: EvilWay;

  private constructor(way: EvilWay, folder: string) {
    this.#way = way;
    this.folder = folder;
  }

  static async start(): Promise<Scene> {
    return new Scene(await EvilWay.start(() => [createExec()]), await Deno.makeTempDir());
  }

  get enemy(): Enemy {
    return this.#way.enemy;
  }

  get targetKey(): Uint8Array {
    return this.#way.targetKey;
  }

  /** Runs a line on the far node as a command would in a session. */
  async run(
    text: string,
    options: Partial<Omit<SessionRunOptions, "order">> & {
      readonly order?: Partial<SessionRunOptions["order"]>;
      readonly onText?: (text: string) => void;
    } = {},
  ): Promise<{ readonly end: RunEnd; readonly text: string }> {
    let output = "";
    const { onText = () => {}, order, ...more } = options;
    const end = await runInSession(this.#way.context, {
      node: "b",
      as: "$user",
      connectMs: CONNECT_MS,
      signal: new AbortController().signal,
      onOutput: ([, bytes]) => {
        output += decoder.decode(bytes);
        onText(output);
      },
      ...more,
      order: { argv: ["/bin/sh", "-c", text], ...order },
    });
    return { end, text: output };
  }

  /** How often a program was started that says so there. */
  async started(): Promise<number> {
    try {
      return (await Deno.readTextFile(`${this.folder}/started`)).length;
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return 0;
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#way[Symbol.asyncDispose]();
    await Deno.remove(this.folder, { recursive: true });
  }
}

Deno.test("session: an enemy that carries it reads nothing and gets nothing accepted", async (t) => {
  await using scene = await Scene.start();
  const { enemy } = scene;
  const note = `printf x >> ${scene.folder}/started; `;
  const rot13 = (text: string) =>
    text.replace(/[a-z]/g, (c) => String.fromCharCode((c.charCodeAt(0) - 84) % 26 + 97));

  await t.step("what is run, read, written and typed is in none of its packets", async () => {
    const input = async function* () {
      for (let i = 0; i < 30; i++) {
        yield await Promise.resolve(encoder.encode("this-is-read\n".repeat(1_000)));
      }
    };
    const run = await scene.run(`${note}: this-is-run; tr a-z n-za-m`, {
      input: input(),
      order: { variables: [["V", "this-is-set"]] },
    });
    assert.deepEqual(run.end, { code: 0 });
    assert.equal(run.text, `${rot13("this-is-read")}\n`.repeat(30_000));
    const keys = async function* () {
      yield await Promise.resolve(encoder.encode("this-is-typed\r"));
    };
    const terminal = await scene.run("read x; echo $x | tr a-z n-za-m", {
      input: keys(),
      order: { terminal: { rows: 24, columns: 80, kind: "xterm" } },
    });
    assert.match(terminal.text, new RegExp(`${rot13("this-is-typed")}\r\n$`));
    assert.ok(enemy.seen.length > 20, "it carried them");
    assert.ok(enemy.saw(scene.targetKey), "whither they go is no secret");
    for (const text of ["run", "read", "set", "typed"].map((word) => `this-is-${word}`)) {
      assert.ok(!enemy.sawText(text) && !enemy.sawText(rot13(text)), text);
    }
    assert.ok(!enemy.sawText("exec.run"));
    assert.equal(await scene.started(), 1);
  });

  await t.step("what it brings again runs nothing again", async () => {
    for (const packet of enemy.seen.slice()) enemy.replay(packet);
    const { text } = await scene.run("echo well");
    assert.equal(text, "well\n");
    assert.equal(await scene.started(), 1);
  });

  await t.step(
    "what it alters, cuts, drops, doubles and turns around changes nothing",
    async () => {
      enemy.does = troubled();
      const lines = 20_000;
      const input = async function* () {
        for (let i = 0; i < lines; i += 100) {
          const some = Array.from({ length: 100 }, (_, j) => `${i + j}\n`);
          yield await Promise.resolve(encoder.encode(some.join("")));
        }
      };
      const { end, text } = await scene.run(`${note}cat`, { input: input() });
      assert.deepEqual(end, { code: 0 });
      assert.ok(text === Array.from({ length: lines }, (_, i) => `${i}\n`).join(""));
      assert.equal(await scene.started(), 2);
    },
  );

  await t.step("^C overtakes input that nobody reads", async () => {
    enemy.does = (packet, forward) => forward(packet);
    let sent = 0;
    const input = async function* () {
      for (;; sent++) yield await Promise.resolve(new Uint8Array(64 * 1024));
    };
    let interrupt: () => void = () => {};
    const { end, text } = await scene.run(
      'trap "echo got it; exit 9" INT; echo ready; while :; do sleep 0.02; done',
      {
        input: input(),
        onStart: (send) => interrupt = () => void send("SIGINT"),
        onText: (text) => text === "ready\n" && interrupt(),
      },
    );
    assert.deepEqual([end, text], [{ code: 9 }, "ready\ngot it\n"]);
    assert.ok(sent < 200, `${sent} pieces were taken`);
  });

  await t.step("one that alters everything keeps others from it, and no more", async () => {
    enemy.does = (packet, forward) => {
      packet[packet.length - 1]! ^= 1;
      forward(packet);
    };
    await assert.rejects(scene.run(`${note}true`, { connectMs: 300 }), /did not answer within/);
    assert.equal(await scene.started(), 2);
  });
});
