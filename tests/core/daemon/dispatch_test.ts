import assert from "node:assert/strict";
import * as v from "valibot";
import type { Peer } from "../../../core/conduit/conduit.ts";
import { type ActionClass, verb } from "../../../core/daemon/module.ts";
import { CallError, FileError } from "../../../core/errors.ts";
import { NO_PEER_FIELDS } from "./peers.ts";
import { type Court, court } from "./court.ts";

const ACTIONS: readonly ActionClass[] = [
  ...["internal", "link", "read", "local", "join", "guarded", "root"] as const,
];

/** Everybody who can be at the other end. */
function peers({ keys }: Court): Record<string, Peer> {
  return {
    internal: { kind: "internal", module: "mesh" },
    node: { kind: "node", identity: keys.person({ name: "n2" }).identity, ...NO_PEER_FIELDS },
    user: {
      kind: "user",
      identity: keys.person({ name: "bob", type: "user" }).identity,
      session: "00".repeat(32),
      clockOffsetMs: 0,
    },
    local: { kind: "local" },
    nobody: { kind: "nobody" },
    joiner: {
      kind: "joiner",
      request: keys.person({ name: "n9" }).identity.certificate,
      token: "00".repeat(8),
    },
  };
}

/** Without a signature: who may execute what (SECURITY.md 3). */
const UNSIGNED: Readonly<Record<ActionClass, readonly string[]>> = {
  internal: ["internal"],
  link: ["internal", "node"],
  read: ["internal", "node", "user", "local"],
  local: ["internal", "local"],
  join: ["internal", "joiner"],
  guarded: [],
  root: ["internal", "node", "user", "local"],
};

Deno.test("authority: every class of verb x every kind of peer x every kind of signature", async () => {
  await court(async (bench) => {
    for (const action of ACTIONS) bench.declare(`${action}.verb`, action);
    const { keys } = bench;
    const signatures = {
      none: undefined,
      allowed: bench.user,
      "without a rule": keys.person({ name: "eve", type: "user", groups: ["users"] }),
      "a node's": keys.person({ name: "n2" }),
    };
    let ran = 0;
    for (const action of ACTIONS) {
      for (const [who, peer] of Object.entries(peers(bench))) {
        for (const [how, signer] of Object.entries(signatures)) {
          const name = `${action}.verb`;
          const signed = signer !== undefined;
          const body = signed ? bench.sign(name, { signer }) : undefined;
          const verdict = await bench.verdict(name, body, { peer, signed });
          const allowed = action === "guarded"
            ? how === "allowed"
            : !signed && UNSIGNED[action].includes(who);
          const what = `${name} by ${who}, signature ${how}`;
          assert.equal(verdict === "ok", allowed, `${what}: ${verdict}`);
          if (!allowed) assert.ok(verdict.startsWith("refused: "), `${what}: ${verdict}`);
          assert.equal(bench.ran.length, ran += allowed ? 1 : 0, what);
        }
      }
    }
    assert.deepEqual(bench.dispatcher.counts, { served: ran, refused: 168 - ran, failed: 0 });
  });
});

Deno.test("authority: a refusal says what was wanted and who asked", async () => {
  await court(async (bench) => {
    for (const action of ACTIONS) bench.declare(`${action}.verb`, action);
    const { node, user, local, nobody } = peers(bench);
    const ask = (name: string, peer: Peer | undefined) => bench.verdict(name, {}, { peer: peer! });
    assert.deepEqual(
      [
        await ask("internal.verb", node),
        await ask("link.verb", user),
        await ask("link.verb", local),
        await ask("read.verb", nobody),
        await ask("local.verb", user),
        await ask("root.verb", nobody),
        await ask("guarded.verb", local),
      ],
      [
        'refused: "internal.verb" is of class internal; node "n2" may not',
        'refused: "link.verb" is of class link; user "bob" may not',
        'refused: "link.verb" is of class link; the owner of the socket may not',
        'refused: "read.verb" is of class read; somebody on the public socket may not',
        'refused: "local.verb" is of class local; user "bob" may not',
        'refused: "root.verb" is of class root; somebody on the public socket may not',
        'refused: "guarded.verb" needs a request signed by a user',
      ],
    );
    const signed = bench.sign("read.verb");
    assert.equal(
      await bench.verdict("read.verb", signed, { signed: true }),
      'refused: "read.verb" takes no signed request',
    );
    const text = { signed: true };
    assert.equal(
      await bench.verdict("guarded.verb", "no bytes", text),
      'refused: "guarded.verb" needs a request signed by a user',
    );
  });
});

Deno.test("authority: a verb that is not in the table does not exist, for anybody", async () => {
  await court(async (bench) => {
    bench.declare("a.verb", "read");
    for (const peer of Object.values(peers(bench))) {
      for (
        const name of ["a.other", "a", "", "a.verb.x", "__proto__", "a.__proto__", "constructor"]
      ) {
        assert.equal(
          await bench.verdict(name, {}, { peer }),
          `unknown-verb: Nothing here executes "${name}"`,
        );
        const body = new Uint8Array(3);
        const verdict = await bench.verdict(name, body, { peer, signed: true });
        assert.ok(verdict.startsWith("unknown-verb: "), verdict);
      }
    }
    assert.deepEqual(bench.ran, []);
  });
});

Deno.test("dispatcher: arguments that are wrong a million times are complained about once", async () => {
  await court(async (bench) => {
    let checks = 0;
    const args = v.array(v.custom((value) => (checks++, value === 1), "Expected 1"));
    const reply = v.unknown();
    const listed = verb({ action: "read", args, reply, handle: () => "ran" });
    bench.dispatcher.add("a", { listed });
    assert.equal(
      await bench.verdict("a.listed", [1, ...Array<number>(1_000_000).fill(0)]),
      'invalid: Arguments of "a.listed" are wrong at "1": Expected 1',
    );
    assert.equal(checks, 2);
  });
});

Deno.test("dispatcher: a verb is declared once", async () => {
  await court((bench) => {
    bench.declare("a.verb", "read");
    assert.throws(() => bench.declare("a.verb", "internal"), {
      message: 'Verb "a.verb" is declared twice',
    });
    assert.deepEqual(bench.dispatcher.actions(), [["a.verb", "read"]]);
    return Promise.resolve();
  });
});

Deno.test("dispatcher: wrong arguments are refused before the handler, and the field is named", async () => {
  await court(async (bench) => {
    let handled = 0;
    bench.dispatcher.add("a", {
      verb: verb({
        action: "read",
        args: v.strictObject({ to: v.object({ name: v.string() }), n: v.optional(v.number()) }),
        reply: v.number(),
        handle: () => ++handled,
      }),
    });
    assert.equal(await bench.ask("a.verb", { to: { name: "x" } }), 1);
    const wrong: [unknown, string][] = [
      [undefined, ": Invalid type: Expected Object but received undefined"],
      [{ to: { name: 3 } }, ' at "to.name": Invalid type: Expected string but received 3'],
      [{ to: {} }, ' at "to.name": Invalid key: Expected "name" but received undefined'],
      [{ to: { name: "x" }, n: "1" }, ' at "n": Invalid type: Expected number but received "1"'],
      [{ to: { name: "x" }, m: 1 }, ' at "m": Unknown key'],
    ];
    for (const [args, text] of wrong) {
      assert.equal(
        await bench.verdict("a.verb", args),
        `invalid: Arguments of "a.verb" are wrong${text}`,
      );
    }
    assert.equal(handled, 1);
    assert.equal(bench.dispatcher.counts.failed, wrong.length);
  });
});

Deno.test("dispatcher: a complaint about megabytes is short", async () => {
  await court(async (bench) => {
    bench.dispatcher.add("a", {
      verb: verb({ action: "read", args: v.number(), reply: v.number(), handle: (n) => n }),
    });
    const verdict = await bench.verdict("a.verb", "x".repeat(3_000_000));
    assert.ok(verdict.startsWith("invalid: ") && verdict.length < 600, `${verdict.length}`);
  });
});

Deno.test("dispatcher: authority is judged before the arguments are looked at", async () => {
  await court(async (bench) => {
    bench.dispatcher.add("a", {
      verb: verb({ action: "link", args: v.number(), reply: v.number(), handle: (n) => n }),
    });
    assert.ok((await bench.verdict("a.verb", "wrong")).startsWith("refused: "));
  });
});

Deno.test("dispatcher: once closed it refuses everything and says why", async () => {
  await court(async (bench) => {
    bench.declare("a.verb", "read");
    bench.dispatcher.close("This daemon is shutting down");
    assert.equal(await bench.verdict("a.verb"), "unreachable: This daemon is shutting down");
    assert.deepEqual(bench.ran, []);
  });
});

Deno.test("execute: reads need no signature, anything else does, and the first failure stops", async () => {
  await court(async (bench) => {
    for (const action of ACTIONS) bench.declare(`${action}.verb`, action);
    bench.declare("read.fails", "read", () => {
      throw new FileError("denied", "Could not read it");
    });
    bench.declare("read.items", "read", async function* () {
      yield 1;
      return "after the items";
    });
    // What core.execute hands on: the context of the module that asks.
    bench.declare(
      "core.execute",
      "internal",
      (args, context) =>
        bench.dispatcher.execute(args as { verb: string; args: unknown }[], context),
    );
    const execute = async (...names: string[]) =>
      await bench.ask("core.execute", names.map((name) => ({ verb: name, args: undefined })), {
        peer: { kind: "internal", module: "group" },
      });
    assert.deepEqual(await execute("read.verb", "read.items"), [
      { ok: true, value: "read.verb done" },
      { ok: true, value: "after the items" },
    ]);
    for (const action of ["internal", "link", "guarded", "root"]) {
      assert.deepEqual(await execute("read.verb", `${action}.verb`, "read.verb"), [
        { ok: true, value: "read.verb done" },
        {
          ok: false,
          class: "refused",
          message: `"${action}.verb" needs a request signed by a user`,
        },
      ]);
    }
    assert.deepEqual(await execute("read.fails", "read.verb"), [
      { ok: false, class: "failed", message: "Could not read it" },
    ]);
    assert.deepEqual(await execute("read.unknown"), [
      { ok: false, class: "unknown-verb", message: 'Nothing here executes "read.unknown"' },
    ]);
    assert.ok(bench.ran.every((each) => each.startsWith("read.") || each === "core.execute"));
  });
});

Deno.test("execute: a handler that never ends is left when the asker is gone", async () => {
  await court(async (bench) => {
    let finished = false;
    bench.declare("read.watch", "read", async function* () {
      try {
        for (let i = 0;; i++) {
          yield i;
          await bench.clock.yield();
        }
      } finally {
        finished = true;
      }
    });
    const controller = new AbortController();
    const context = {
      principal: { kind: "module", name: "group" },
      peer: { kind: "internal", module: "group" },
      signal: controller.signal,
      deadlineMs: 0,
      bound: false,
      input: [] as unknown as AsyncIterable<unknown>,
    } as const;
    const running = bench.dispatcher.execute([{ verb: "read.watch", args: undefined }], context);
    await bench.clock.yield();
    controller.abort(new CallError("cancelled", "Asker is gone"));
    assert.deepEqual(await running, [
      { ok: false, class: "cancelled", message: "Asker is gone" },
    ]);
    assert.equal(finished, true);
  });
});
