/**
 * Sessions of a user through an enemy: true daemons and programs, and a gateway with a certificate of
 * the mesh that sees all packets of the way and does with them what it likes.
 */

import assert from "node:assert/strict";
import { createRealEnvironment } from "../../../core/environment/real.ts";
import { Calls, EndToEnd, fromHex, type Module, type Verb } from "../../../core/mod.ts";
import { createExec } from "../../../modules/exec/mod.ts";
import type { RunEnd } from "../../../modules/exec/order.ts";
import { runInSession, type SessionRunOptions } from "../../../modules/exec/session_run.ts";
import { createRouter } from "../../../modules/router/mod.ts";
import type { Entry } from "../../../modules/router/routed/roaming_carrier.ts";
import { openSession } from "../../../modules/router/routed/session.ts";
import type { MeshClient } from "../../../modules/shared/command.ts";
import { Dice, SEED } from "../../support/fuzz.ts";
import { clientOver, reach } from "../group/command_line.ts";
import { line, startMesh, type TestMesh } from "../group/daemons.ts";
import { userName } from "./scene.ts";

const WAY = ["a", "evil", "g", "b"];
const GATEWAYS = ["evil", "g"];
const CONNECT_MS = 30_000;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

type Packet = Uint8Array<ArrayBuffer>;
type Forward = (packet: Packet) => void;

/** The router of a node that looks at what it carries. */
class Enemy {
  readonly seen: Packet[] = [];
  /** What goes on instead of a packet. */
  does: (packet: Packet, forward: Forward) => void = (packet, forward) => forward(packet);
  #forward: Forward = () => {};

  module(): Module {
    const router = createRouter();
    const forward = router.verbs.forward as Verb;
    const handle: Verb["handle"] = (packet, context) => {
      const pass: Forward = (each) => {
        try {
          void forward.handle(each, context);
        } catch {
          // Its own node does not take what is no packet any more: it is a bad enemy here.
        }
      };
      this.#forward = pass;
      this.seen.push((packet as Packet).slice());
      this.does((packet as Packet).slice(), pass);
      return undefined;
    };
    return { ...router, verbs: { ...router.verbs, forward: { ...forward, handle } } };
  }

  /** As if it had just come again. */
  replay(packet: Packet): void {
    this.#forward(packet.slice());
  }

  sawText(text: string): boolean {
    return this.saw(encoder.encode(text));
  }

  saw(wanted: Uint8Array): boolean {
    return this.seen.some((packet) => indexOf(packet, wanted) >= 0);
  }
}

function indexOf(bytes: Uint8Array, wanted: Uint8Array): number {
  for (let at = bytes.indexOf(wanted[0] as number); at >= 0;) {
    if (wanted.every((byte, i) => bytes[at + i] === byte)) return at;
    at = bytes.indexOf(wanted[0] as number, at + 1);
  }
  return -1;
}

/** Alters, doubles, turns around, cuts, drops and repeats; most still arrives. */
function troubled(dice: Dice): Enemy["does"] {
  const kept: Packet[] = [];
  let withheld: Packet[] = [];
  return (packet, forward) => {
    kept[kept.length < 200 ? kept.length : dice.below(200)] = packet;
    const bad = dice.pick(kept).slice();
    const kind = dice.below(5);
    if (kind === 0) bad[dice.below(bad.length)]! ^= 1 << dice.below(8);
    if (kind === 1) forward(bad.slice(0, dice.below(bad.length)) as Packet);
    else if (kind === 2) forward(Uint8Array.of(...bad, ...dice.bytes(20)));
    else forward(bad);
    const fate = dice.below(12);
    if (fate === 0) return;
    if (fate === 1) withheld.push(packet);
    else forward(packet);
    if (dice.below(4) > 0) return;
    for (const late of withheld.reverse()) forward(late);
    withheld = [];
  };
}

class Scene implements AsyncDisposable {
  readonly enemy: Enemy;
  readonly folder: string;
  readonly #mesh: TestMesh;
  readonly #user;

  private constructor(mesh: TestMesh, enemy: Enemy, folder: string) {
    this.#mesh = mesh;
    this.enemy = enemy;
    this.folder = folder;
    this.#user = mesh.keys.person({ name: "carol", type: "user", unixUser: userName() });
  }

  static async start(): Promise<Scene> {
    const enemy = new Enemy();
    const mesh = await startMesh(WAY, line(WAY), {
      groups: Object.fromEntries(GATEWAYS.map((name) => [name, ["gateway"]])),
      segmentOf: (name) => name === "a" || name === "evil" ? "left" : "right",
      modules: (name) => [name === "evil" ? enemy.module() : createRouter(), createExec()],
    });
    return new Scene(mesh, enemy, await Deno.makeTempDir());
  }

  get targetKey(): Uint8Array {
    return fromHex(this.#mesh.get("b").host.self.keyId);
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
    const end = await runInSession({
      env: createRealEnvironment(),
      session: (node, { timeoutMs = 0 } = {}) => this.#session(node, timeoutMs),
    }, {
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
    await this.#mesh[Symbol.asyncDispose]();
    await Deno.remove(this.folder, { recursive: true });
  }

  async #session(node: string, timeoutMs: number): Promise<MeshClient> {
    const { clock, random } = createRealEnvironment();
    const { keys } = this.#mesh;
    const user = this.#user;
    const { keyId } = this.#mesh.get(node).host.self;
    const context = { clock, random, primitives: keys.primitives, trust: keys.trust(), self: user };
    const entry = async (): Promise<Entry> => {
      const { calls } = await reach(this.#mesh, "a", { local: false, user });
      return { name: "a", caller: calls, gone: calls.done, close: () => calls.close("done") };
    };
    const { conduit, done } = await openSession(await entry(), { keyId, name: node }, {
      enter: entry,
      endToEnd: new EndToEnd({ context: () => context }),
      clock,
      timeoutMs,
    });
    const session = conduit.peer.kind === "node" ? conduit.peer.session : undefined;
    const calls = new Calls({ conduit, clock, dialled: true });
    const client = clientOver(this.#mesh, calls, { name: node, endpoint: "", user, session });
    const close = async () => {
      await client.close();
      await done;
    };
    return { ...client, close, [Symbol.asyncDispose]: close };
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
      enemy.does = troubled(new Dice(SEED));
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
