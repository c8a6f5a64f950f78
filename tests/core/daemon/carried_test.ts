/** What a module that carries group operations gets to and from the verbs that it brings. */

import assert from "node:assert/strict";
import * as v from "valibot";
import type { Peer } from "../../../core/conduit/conduit.ts";
import { type Context, verb } from "../../../core/daemon/module.ts";
import { CallError } from "../../../core/errors.ts";
import { type Court, court, SIGNED } from "./court.ts";

const GROUP: Peer = { kind: "internal", module: "group" };

async function* echo(_args: unknown, { input }: Context): AsyncGenerator<unknown, number, void> {
  let count = 0;
  for await (const item of input) {
    yield item;
    count++;
  }
  return count;
}

/** Declares an echo, and a core.execute that hands on what it is given. */
function declare(bench: Court, options: { readonly checksInput: boolean }): void {
  bench.dispatcher.add("exec", {
    run: verb({
      action: "guarded",
      args: v.optional(v.unknown()),
      reply: v.number(),
      outcome: (count) => `read ${count}`,
      handle: echo,
      ...options,
    }),
  });
  bench.declare("read.echo", "read", echo);
  bench.declare("core.execute", "internal", (args, context) => {
    const { steps, stream } = args as { steps: Uint8Array; stream: boolean };
    const { dispatcher } = bench;
    return stream
      ? dispatcher.executeStreaming(steps, context)
      : dispatcher.execute(steps, context);
  });
}

Deno.test("carried: what a step streams is passed on, if somebody asks for it", async () => {
  await court(async (bench) => {
    declare(bench, { checksInput: true });
    bench.input = ["a", "b"];
    for (const steps of [bench.sign("exec.run"), [{ verb: "read.echo", args: undefined }]]) {
      bench.items.length = 0;
      const expected = [{ ok: true, value: 2 }];
      assert.deepEqual(
        await bench.ask("core.execute", { steps, stream: true }, { peer: GROUP }),
        expected,
      );
      assert.deepEqual(bench.items, ["a", "b"]);
    }
    bench.items.length = 0;
    const steps = bench.sign("exec.run");
    await bench.ask("core.execute", { steps, stream: false }, { peer: GROUP });
    assert.deepEqual(bench.items, []);
  });
});

Deno.test("carried: input reaches a guarded verb only if that verb checks it by itself", async () => {
  await court(async (bench) => {
    declare(bench, { checksInput: false });
    bench.input = ["evil"];
    const steps = bench.sign("exec.run");
    const reply = await bench.ask("core.execute", { steps, stream: true }, { peer: GROUP });
    assert.deepEqual(reply, [{ ok: true, value: 0 }]);
  });
  await court(async (bench) => {
    declare(bench, { checksInput: true });
    bench.input = ["evil"];
    const { identity } = bench.user;
    const peer = { kind: "user", identity, session: "00".repeat(32), clockOffsetMs: 0 } as const;
    assert.equal(await bench.ask("exec.run", bench.sign("exec.run"), { ...SIGNED, peer }), 0);
  });
});

Deno.test("carried: what became of it is in the audit, beside the decision", async () => {
  await court(async (bench) => {
    declare(bench, { checksInput: false });
    await bench.ask("exec.run", bench.sign("exec.run"), SIGNED);
    const [{ requestId, verb, principal, outcome }] = bench.outcomes as [typeof bench.outcomes[0]];
    assert.deepEqual([requestId, verb, principal, outcome], [
      bench.audited[0]?.requestId,
      "exec.run",
      "alice",
      "read 0",
    ]);
  });
});

Deno.test("carried: what failed after it was allowed is in the audit too", async () => {
  await court(async (bench) => {
    bench.dispatcher.add("exec", {
      run: verb({
        action: "guarded",
        args: v.optional(v.unknown()),
        reply: v.number(),
        outcome: String,
        handle: () => {
          throw new CallError("refused", "Too many run here");
        },
      }),
    });
    await assert.rejects(bench.ask("exec.run", bench.sign("exec.run"), SIGNED), /Too many/);
    assert.equal(bench.outcomes[0]?.outcome, "refused: Too many run here");
    // Also of a verb that says nothing of what becomes of it; its other failures are its own.
    for (const kind of ["refused", "failed"] as const) {
      bench.declare(`a.${kind}`, "guarded", () => {
        throw new CallError(kind, "Not so");
      });
      await assert.rejects(bench.ask(`a.${kind}`, bench.sign(`a.${kind}`), SIGNED), /Not so/);
    }
    assert.deepEqual(bench.outcomes.slice(1).map(({ outcome }) => outcome), ["refused: Not so"]);
  });
});

Deno.test("carried: the handler learns what its rule limits", async () => {
  const rule = {
    who: ["user:alice"],
    verbs: ["*"],
    on: ["*"],
    as: [],
    commands: ["hostname"],
    maxProcesses: 3,
    destinations: undefined,
  };
  await court(async (bench) => {
    let seen: unknown;
    bench.declare("a.verb", "guarded", (_args, { principal }) => seen = principal);
    const args = { argv: ["hostname"] };
    await bench.ask("a.verb", bench.sign("a.verb", { args }), SIGNED);
    const { maxProcesses, commandsOnly } = seen as Record<string, unknown>;
    assert.deepEqual([maxProcesses, commandsOnly], [3, true]);
  }, { trust: (keys) => ({ policy: { ...keys.trust().policy, rules: [rule] } }) });
});
