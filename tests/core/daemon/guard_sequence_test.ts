// Requests that carry several verbs, and lists of targets beside the request.

import assert from "node:assert/strict";
import type { Peer } from "../../../core/conduit/conduit.ts";
import { CallError } from "../../../core/errors.ts";
import { defaultPolicy, type Policy, type PolicyRule } from "../../../core/mod.ts";
import { type Court, court, isRefused, SIGNED, VERB, withVerb } from "./court.ts";

function policy(...rules: (Partial<PolicyRule> & Pick<PolicyRule, "verbs">)[]): Policy {
  const { limits } = defaultPolicy("ops");
  return {
    limits,
    rules: rules.map((rule) => ({
      who: ["group:ops"],
      on: ["*"],
      as: ["$user"],
      commands: undefined,
      destinations: undefined,
      maxProcesses: undefined,
      ...rule,
    })),
  };
}

/** A module that hands a signed sequence on, as group operations do. */
function sequences(bench: Court): (request: Uint8Array, listedNames?: string[]) => Promise<string> {
  bench.declare("core.execute", "internal", (args, context) => {
    const { request, listedNames } = args as { request: Uint8Array; listedNames?: string[] };
    return bench.dispatcher.execute(request, context, listedNames);
  });
  return async (request, listedNames) => {
    const peer: Peer = { kind: "internal", module: "group" };
    try {
      return JSON.stringify(await bench.ask("core.execute", { request, listedNames }, { peer }));
    } catch (error) {
      return `${(error as CallError).class}: ${(error as CallError).message}`;
    }
  };
}

const sequence = (...steps: unknown[]) => ({ args: steps });

Deno.test("sequence: each verb is judged before the first one runs", async () => {
  const trust = () => ({ policy: policy({ verbs: ["a.one", "a.three"] }) });
  await court(async (bench) => {
    for (const name of ["a.one", "a.two", "a.three"]) bench.declare(name, "guarded");
    const execute = sequences(bench);
    const signed = (...steps: unknown[]) => bench.sign("core.sequence", sequence(...steps));
    const verdict = await execute(signed(["a.one", {}], ["a.three", {}], ["a.two", {}]));
    assert.ok(verdict.startsWith('refused: Policy has no rule for user "alice"'), verdict);
    assert.ok(verdict.includes('which allows "a.two"'), verdict);
    assert.deepEqual(bench.ran, ["core.execute"]);
    assert.equal(
      await execute(signed(["a.one", {}], ["a.three", {}])),
      '[{"ok":true,"value":"a.one done"},{"ok":true,"value":"a.three done"}]',
    );
    assert.deepEqual(bench.audited.map(({ allowed, verb }) => [allowed, verb]), [
      [false, "core.sequence"],
      [true, "core.sequence"],
    ]);
  }, { trust });
});

Deno.test("guard: a copy that comes by another way than the first one gets the same reply", async () => {
  // A relay that made a group operation's request a direct one left its targets without an account.
  await court(async (bench) => {
    bench.declare(VERB, "guarded", (args) => {
      if (args === "break") throw new CallError("busy", "Not now", { detail: { until: 5 } });
      return "done";
    });
    const execute = sequences(bench);
    const [direct, group] = [bench.sign(VERB), bench.sign(VERB)];
    assert.equal(await bench.ask(VERB, direct, SIGNED), "done");
    assert.equal(await execute(direct), '[{"ok":true,"value":"done"}]');
    assert.equal(await execute(group), '[{"ok":true,"value":"done"}]');
    assert.equal(await bench.ask(VERB, group, SIGNED), "done");
    await assert.rejects(bench.ask(VERB, bench.sign(VERB, { args: "break" }), SIGNED), {
      class: "busy",
      message: "Not now",
      detail: { until: 5 },
    });
  });
});

Deno.test("guard: a request that fails before policy is in the log, which says why", async () => {
  await withVerb(async (bench) => {
    const forged = bench.sign(VERB);
    forged[forged.length >> 2]! ^= 1;
    await assert.rejects(bench.ask(VERB, forged, SIGNED), { class: "refused" });
    assert.equal(bench.audited.length, 0);
    assert.equal(bench.logged.length, 1);
    assert.ok(bench.logged[0]?.startsWith("Signed request was not judged: "), bench.logged[0]);
    await bench.ask(VERB, bench.sign(VERB), SIGNED);
    assert.equal(bench.logged.length, 1);
  });
});

Deno.test("sequence: stops at the first failure, and a copy gets the same results", async () => {
  await court(async (bench) => {
    bench.declare("a.one", "guarded");
    bench.declare("a.fails", "guarded", () => {
      throw new CallError("failed", "It broke");
    });
    const execute = sequences(bench);
    const request = bench.sign("core.sequence", sequence(["a.one"], ["a.fails"], ["a.one"]));
    const expected =
      '[{"ok":true,"value":"a.one done"},{"ok":false,"class":"failed","message":"It broke"}]';
    assert.deepEqual([await execute(request), await execute(request)], [expected, expected]);
    assert.deepEqual(bench.ran.filter((each) => each.startsWith("a.one")), ["a.one as "]);
  });
});

Deno.test("sequence: each step runs as the user whom its own rule grants", async () => {
  // All ran as the last one's: a step granted to $user then ran as nobody in particular.
  const trust = () => ({
    policy: policy({ verbs: ["a.one"], as: ["$user"] }, { verbs: ["a.two"], as: [] }),
  });
  await court(async (bench) => {
    bench.declare("a.one", "guarded");
    bench.declare("a.two", "guarded");
    const execute = sequences(bench);
    const signer = withUnixUser(bench, "alice");
    await execute(bench.sign("core.sequence", { signer, ...sequence(["a.one"], ["a.two"]) }));
    assert.deepEqual(bench.ran, ["core.execute", "a.one as alice", "a.two as "]);
  }, { trust });
});

function withUnixUser(bench: Court, unixUser: string) {
  return bench.keys.person({ name: "alice", type: "user", unixUser });
}

Deno.test("sequence: what is no list of verbs with arguments is refused, and so is an empty one", async () => {
  await court(async (bench) => {
    bench.declare("a.one", "guarded");
    const execute = sequences(bench);
    const form = "invalid: A step of a sequence is [verb] or [verb, arguments]";
    const count = "invalid: A sequence has 1 to 64 verbs";
    const cases: [unknown, string][] = [
      [undefined, count],
      [{}, count],
      [[], count],
      [Array(65).fill(["a.one"]), count],
      [["a.one"], form],
      [[[]], form],
      [[[1, 2]], form],
      [[["a.one", {}, "more"]], form],
    ];
    for (const [args, text] of cases) {
      assert.equal(await execute(bench.sign("core.sequence", { args })), text);
    }
    const broken = bench.sign("core.sequence", { rawArguments: Uint8Array.of(0xc1) });
    assert.ok(
      (await execute(broken)).startsWith("invalid: Arguments of the request are wrong: Body"),
    );
    assert.equal(bench.journal.size, 0);
    await isRefused(
      bench.ask("a.one", bench.sign("core.sequence", sequence(["a.one"])), SIGNED),
      "malformed",
      'signed for "core.sequence" and not for "a.one"',
    );
  });
});

Deno.test("sequence: takes reads along, and no verb of another class", async () => {
  await court(async (bench) => {
    bench.declare("a.read", "read");
    for (const action of ["internal", "link", "root"] as const) {
      bench.declare(`${action}.verb`, action);
    }
    const execute = sequences(bench);
    const run = (name: string) => execute(bench.sign("core.sequence", sequence([name])));
    assert.equal(await run("a.read"), '[{"ok":true,"value":"a.read done"}]');
    for (const action of ["internal", "link", "root"]) {
      const message = `\\"${action}.verb\\" of class ${action} takes no signed request`;
      assert.equal(
        await run(`${action}.verb`),
        `[{"ok":false,"class":"refused","message":"${message}"}]`,
      );
    }
  });
});

Deno.test("targets: a list beside the request must be the one that was signed", async () => {
  await withVerb(async (bench) => {
    const execute = sequences(bench);
    const names = ["n0", "n1", "n2"];
    const { targetsHash } = await import("../../../core/mod.ts");
    const hash = targetsHash(bench.keys.primitives, names);
    const request = () => bench.sign(VERB, { targets: { kind: "listed", hash } });
    assert.ok((await execute(request(), names)).startsWith('[{"ok":true'));
    for (const listed of [undefined, [], ["n1"], [...names, "n3"], ["n1", "n0", "n2"]]) {
      const verdict = await execute(request(), listed);
      assert.ok(verdict.startsWith("refused: ") && verdict.includes("list of targets"), verdict);
    }
  });
});
