/**
 * Sessions of a user through an enemy: true daemons, and a gateway with a certificate of the mesh that
 * sees all packets of the way from "a" to "b" and does with them what it likes.
 */

import { createRealEnvironment } from "../../../core/environment/real.ts";
import { Calls, EndToEnd, fromHex, type Module, type Verb } from "../../../core/mod.ts";
import { createRouter } from "../../../modules/router/mod.ts";
import type { Entry } from "../../../modules/router/routed/roaming_carrier.ts";
import { openSession } from "../../../modules/router/routed/session.ts";
import type { CommandContext, MeshClient } from "../../../modules/shared/command.ts";
import { Dice, SEED } from "../../support/fuzz.ts";
import { clientOver, reach } from "../group/command_line.ts";
import { line, startMesh, type TestMesh } from "../group/daemons.ts";
import { userName } from "../exec/scene.ts";

const WAY = ["a", "evil", "g", "b"];
const GATEWAYS = ["evil", "g"];
const encoder = new TextEncoder();

type Packet = Uint8Array<ArrayBuffer>;
type Forward = (packet: Packet) => void;

/** The router of a node that looks at what it carries. */
export class Enemy {
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
export function troubled(dice = new Dice(SEED)): Enemy["does"] {
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

/** The mesh, and a user who reaches only its first node. */
export class EvilWay implements AsyncDisposable {
  readonly enemy: Enemy;
  readonly #mesh: TestMesh;
  readonly #user;

  private constructor(mesh: TestMesh, enemy: Enemy) {
    this.#mesh = mesh;
    this.enemy = enemy;
    this.#user = mesh.keys.person({ name: "carol", type: "user", unixUser: userName() });
  }

  /** `modules`: of each daemon, besides the usual ones. */
  static async start(modules: () => readonly Module[]): Promise<EvilWay> {
    const enemy = new Enemy();
    const mesh = await startMesh(WAY, line(WAY), {
      groups: Object.fromEntries(GATEWAYS.map((name) => [name, ["gateway"]])),
      segmentOf: (name) => name === "a" || name === "evil" ? "left" : "right",
      modules: (name) => [name === "evil" ? enemy.module() : createRouter(), ...modules()],
    });
    return new EvilWay(mesh, enemy);
  }

  get targetKey(): Uint8Array {
    return fromHex(this.#mesh.get("b").host.self.keyId);
  }

  /** What a command gets of it, as far as sessions go. */
  get context(): Pick<CommandContext, "env" | "signal" | "session"> {
    return {
      env: createRealEnvironment(),
      signal: new AbortController().signal,
      session: (node, { timeoutMs } = {}) => this.#session(node, timeoutMs),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#mesh[Symbol.asyncDispose]();
  }

  async #session(node: string, timeoutMs: number | undefined): Promise<MeshClient> {
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
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
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
