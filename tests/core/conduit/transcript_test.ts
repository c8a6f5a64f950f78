/**
 * What two daemons of protocol 1 said to each other once, byte for byte (tests/vectors/protocol): a
 * handshake, a call, a stream, an error and a goodbye, with keys, ephemeral keys and clock of the test.
 * As long as both ends say the same today, they understand a program of that time, and it them. Who
 * changes a byte here makes another protocol: see docs/protocol.md, "Versions".
 */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import type { Conduit } from "../../../core/conduit/conduit.ts";
import { TcpFront } from "../../../core/conduit/tcp.ts";
import { Calls } from "../../../core/daemon/calls.ts";
import { CallError, type Network, type PipeListener } from "../../../core/mod.ts";
import { ManualClock } from "../../support/manual_clock.ts";
import { MeshKeys, testPrimitives } from "../../support/mesh_keys.ts";
import { memoryPipes } from "../../support/memory_pipe.ts";

const RECORD = new URL("../../vectors/protocol/1.json", import.meta.url);

interface Transcript {
  /** Hex, all that this end wrote. */
  readonly dialler: string;
  readonly acceptor: string;
}

/** Always the same bytes for a name. */
function repeatable(name: string): { bytes(length: number): Uint8Array<ArrayBuffer> } {
  let count = 0;
  return {
    bytes(length) {
      const out = new Uint8Array(length);
      for (let at = 0; at < length; at += 32) {
        const block = createHash("sha256").update(`${name} ${count++}`).digest();
        out.set(block.subarray(0, Math.min(32, length - at)), at);
      }
      return out;
    },
  };
}

/** One wire, and what goes over it. */
class Wire {
  readonly said = { dialler: "", acceptor: "" };
  readonly #pipes = memoryPipes({
    tamper: (bytes) => this.#note("dialler", bytes),
    tamperBack: (bytes) => this.#note("acceptor", bytes),
  });

  get network(): Pick<Network, "dial" | "listen"> {
    const [near, far] = this.#pipes;
    const waiting = [far];
    return {
      dial: () => Promise.resolve(near),
      listen: (address) => {
        const over = Promise.withResolvers<never>();
        over.promise.catch(() => {});
        let closed = false;
        const listener: PipeListener = {
          address,
          get closed() {
            return closed;
          },
          accept: () => {
            const pipe = waiting.pop();
            return pipe === undefined ? over.promise : Promise.resolve(pipe);
          },
          close() {
            closed = true;
            over.reject(new Error("closed"));
          },
        };
        return Promise.resolve(listener);
      },
    };
  }

  #note(who: keyof Transcript, bytes: Uint8Array): Uint8Array {
    this.said[who] += bytes.toHex();
    return bytes;
  }
}

/** The same talk every time. */
async function talk(): Promise<Transcript> {
  const clock = new ManualClock();
  const primitives = await testPrimitives();
  const keys = new MeshKeys(primitives, { random: repeatable("mesh"), now: () => clock.now() });
  const wire = new Wire();
  const front = (name: string) => {
    const self = keys.person({ name });
    return new TcpFront({
      network: wire.network as Network,
      log: () => {},
      context: () => ({
        clock,
        random: repeatable(name),
        primitives,
        self,
        trust: keys.trust(),
        // What came later is an extension of the hello, which whoever does not know it ignores.
        revision: 0,
      }),
    });
  };
  const accepted = Promise.withResolvers<Conduit>();
  const listener = await front("n1").listen("tcp:10.0.0.1:7117", accepted.resolve);
  const dialled = await front("n2").dial("tcp:10.0.0.1:7117", { expect: { name: "n1" } });
  const serving = new Calls({
    conduit: await accepted.promise,
    clock,
    dialled: false,
    serve: async function* ({ verb }) {
      if (verb === "test.fail") throw new CallError("refused", "Not today");
      if (verb === "test.count") { for (const item of [1, "two", { three: 3 }]) yield item; }
      await Promise.resolve();
      return { verb };
    } as NonNullable<ConstructorParameters<typeof Calls>[0]["serve"]>,
  });
  const calls = new Calls({ conduit: dialled, clock, dialled: true });
  assert.deepEqual(await calls.request("test.ask", { of: "you" }, { deadlineMs: 1_000 }), {
    verb: "test.ask",
  });
  const items: unknown[] = [];
  const stream = calls.stream("test.count", undefined, { deadlineMs: 1_000 });
  for await (const item of stream) items.push(item);
  assert.deepEqual(items, [1, "two", { three: 3 }]);
  await stream.reply;
  await assert.rejects(calls.request("test.fail", null, { deadlineMs: 1_000 }), /Not today/);
  await calls.close("that is all");
  await serving.done;
  await listener.close();
  return wire.said;
}

if (Deno.args[0] === "--record") {
  await Deno.writeTextFile(RECORD, `${JSON.stringify(await talk(), null, 2)}\n`);
}

Deno.test("transcript: both ends say today what they said in protocol 1", async () => {
  const said = await talk();
  assert.deepEqual(await talk(), said, "the talk is not repeatable");
  const recorded = JSON.parse(await Deno.readTextFile(RECORD)) as Transcript;
  assert.deepEqual(said, recorded);
});
