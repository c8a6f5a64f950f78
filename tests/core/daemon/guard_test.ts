import assert from "node:assert/strict";
import type { Peer } from "../../../core/conduit/conduit.ts";
import { CallError } from "../../../core/errors.ts";
import { defaultPolicy, encodeCanonical, type Policy, type PolicyRule } from "../../../core/mod.ts";
import { toHex } from "../../../core/wire/bytes.ts";
import { ManualClock } from "../../support/manual_clock.ts";
import { MeshKeys } from "../../support/mesh_keys.ts";
import { quiet } from "../../support/wait.ts";
import { type Court, court } from "./court.ts";

const VERB = "exec.run";
const SIGNED = { signed: true };

async function withVerb(run: (bench: Court) => Promise<void>, options = {}): Promise<void> {
  await court(async (bench) => {
    bench.declare(VERB, "guarded");
    await run(bench);
  }, options);
}

function reasonOf(error: unknown): unknown {
  assert.ok(error instanceof CallError, String(error));
  return error.detail?.reason;
}

async function isRefused(asking: Promise<unknown>, reason: string, text: string): Promise<void> {
  await assert.rejects(asking, (error: unknown) => {
    assert.equal(reasonOf(error), reason, String(error));
    assert.equal((error as CallError).class, "refused");
    assert.ok((error as Error).message.includes(text), (error as Error).message);
    return true;
  });
}

function policy(...rules: (Partial<PolicyRule> & Pick<PolicyRule, "verbs">)[]): Policy {
  const { limits } = defaultPolicy("ops");
  return {
    limits,
    rules: rules.map((rule) => ({
      who: ["group:ops"],
      on: ["*"],
      as: ["$user"],
      commands: undefined,
      maxProcesses: undefined,
      ...rule,
    })),
  };
}

Deno.test("guard: what a user signed and policy allows runs, on that user's authority", async () => {
  await withVerb(async (bench) => {
    let seen: unknown;
    bench.declare("exec.look", "guarded", (args, { principal }) => seen = { args, principal });
    const args = { argv: ["hostname"] };
    await bench.ask("exec.look", bench.sign("exec.look", { args }), SIGNED);
    const { principal, ...rest } = seen as { principal: Record<string, unknown> };
    assert.deepEqual(rest, { args });
    assert.deepEqual(
      [principal.kind, principal.as, principal.rule, (principal.identity as { name: string }).name],
      ["signed", "", "allow[0]", "alice"],
    );
  });
});

Deno.test("guard: the link peer is never the principal, whoever brings the request", async () => {
  await withVerb(async (bench) => {
    const { identity } = bench.user;
    for (const peer of [{ kind: "user", identity }, { kind: "nobody" }] satisfies Peer[]) {
      assert.ok((await bench.verdict(VERB, undefined, { peer })).startsWith("refused: "));
      assert.equal(await bench.verdict(VERB, bench.sign(VERB), { peer, signed: true }), "ok");
    }
  });
});

Deno.test("guard: a copy gets the first one's reply, and nothing runs twice", async () => {
  await court(async (bench) => {
    let runs = 0;
    bench.declare(VERB, "guarded", () => ++runs);
    const request = bench.sign(VERB);
    assert.equal(await bench.ask(VERB, request, SIGNED), 1);
    await bench.clock.advance(20_000);
    assert.equal(await bench.ask(VERB, request.slice(), SIGNED), 1);
    assert.equal(await bench.ask(VERB, bench.sign(VERB), SIGNED), 2);
    assert.equal(bench.audited.length, 2);
  });
});

Deno.test("guard: copies that come while the first one runs wait for its reply", async () => {
  await court(async (bench) => {
    const done = Promise.withResolvers<string>();
    let runs = 0;
    bench.declare(VERB, "guarded", () => (runs++, done.promise));
    const request = bench.sign(VERB);
    const asking = Promise.all(Array.from({ length: 10 }, () => bench.ask(VERB, request, SIGNED)));
    await quiet();
    assert.equal(runs, 1);
    done.resolve("once");
    assert.deepEqual(await asking, Array(10).fill("once"));
    assert.deepEqual([runs, bench.audited.length], [1, 1]);
  });
});

Deno.test("guard: a copy of what failed fails the same way, and does not run either", async () => {
  await court(async (bench) => {
    let runs = 0;
    bench.declare(VERB, "guarded", () => {
      runs++;
      throw new CallError("failed", "No such program");
    });
    const request = bench.sign(VERB);
    for (let i = 0; i < 3; i++) {
      assert.equal(await bench.verdict(VERB, request, SIGNED), "failed: No such program");
    }
    assert.equal(runs, 1);
  });
});

Deno.test("guard: the journal holds a request for as long as a copy could be accepted", async () => {
  await withVerb(async (bench) => {
    const request = bench.sign(VERB, { expiresMs: bench.clock.now() + 10_000 });
    await bench.ask(VERB, request, SIGNED);
    await bench.clock.advance(40_000);
    assert.equal(await bench.verdict(VERB, request, SIGNED), "ok");
    await bench.clock.advance(1);
    await isRefused(bench.ask(VERB, request, SIGNED), "expired", "expired 30001 ms ago");
    assert.equal(bench.ran.length, 1);
    await bench.clock.advance(30_000);
    assert.equal(bench.journal.size, 0);
  });
});

Deno.test("guard: altering any byte of a request makes it another one, which nobody signed", async () => {
  await withVerb(async (bench) => {
    const request = bench.sign(VERB, {
      args: { argv: ["rm", "x"] },
      targets: { kind: "names", names: ["n1"] },
    });
    for (let at = 0; at < request.length; at++) {
      const altered = request.slice();
      altered[at]! ^= 1 << (at % 8);
      const verdict = await bench.verdict(VERB, altered, SIGNED);
      assert.ok(verdict.startsWith("refused: "), `byte ${at}: ${verdict}`);
    }
    for (const altered of [request.subarray(0, -1), Uint8Array.of(...request, 0)]) {
      await isRefused(bench.ask(VERB, altered, SIGNED), "malformed", "Request is malformed");
    }
    assert.deepEqual([bench.ran, bench.audited, bench.journal.size], [[], [], 0]);
    assert.equal(await bench.verdict(VERB, request, SIGNED), "ok");
  });
});

Deno.test("guard: what is not for us, not now, not of this mesh or not by a user is refused", async () => {
  const clock = new ManualClock();
  const foreign = await makeForeign(clock);
  await withVerb(async (bench) => {
    const now = bench.clock.now();
    const expired = bench.keys.person({
      name: "old",
      type: "user",
      notBefore: now - 1_000,
      notAfter: now - 500,
    });
    const cases: [string, string, Parameters<Court["sign"]>[1]][] = [
      ["wrong-mesh", "this is", {
        keys: foreign,
        signer: foreign.person({ name: "x", type: "user" }),
      }],
      ["wrong-mesh", "is of mesh", { signer: foreign.person({ name: "x", type: "user" }) }],
      ["expired", "expired 30001 ms ago", { issuedMs: now - 40_000, expiresMs: now - 30_001 }],
      ["not-yet-valid", "in the future", { issuedMs: now + 30_001 }],
      ["policy", "policy allows 60000 ms", { expiresMs: now + 60_001 }],
      ["replay", "own certificate begins", { issuedMs: now - 1_001 }],
      ["not-a-target", 'this is "n1"', { targets: { kind: "names", names: ["n2", "n10"] } }],
      ["not-a-target", 'this is "n1"', { targets: { kind: "names", names: [] } }],
      ["not-a-target", 'is in "compute"', { targets: { kind: "groups", groups: ["gateways"] } }],
      ["not-a-target", "is in", { targets: { kind: "groups", groups: [] } }],
      ["not-a-target", "without its list", {
        targets: { kind: "listed", hash: new Uint8Array(32) },
      }],
      ["wrong-kind", "of type node, wanted is user", { signer: bench.keys.person({ name: "n2" }) }],
      ["wrong-kind", "of type node, wanted is user", { signer: bench.self }],
      ["expired", 'Certificate of "old" expired', { signer: expired }],
    ];
    for (const [reason, text, options] of cases) {
      await isRefused(bench.ask(VERB, bench.sign(VERB, options), SIGNED), reason, text);
    }
    assert.deepEqual([bench.ran, bench.journal.size], [[], 0]);
    for (
      const targets of [
        { kind: "all" },
        { kind: "names", names: ["n0", "n1"] },
        { kind: "groups", groups: ["x", "compute"] },
      ] as const
    ) {
      assert.equal(await bench.verdict(VERB, bench.sign(VERB, { targets }), SIGNED), "ok");
    }
  });
});

async function makeForeign(clock: ManualClock): Promise<MeshKeys> {
  let keys: MeshKeys | undefined;
  await court((bench) => {
    keys = bench.keys;
    return Promise.resolve();
  });
  assert.equal(clock.now(), new ManualClock().now());
  return keys as MeshKeys;
}

Deno.test("guard: a revoked user, and one of a revoked issuer, are refused from then on", async () => {
  await withVerb(async (bench) => {
    const registrar = bench.keys.person({ name: "registrar", type: "issuer" });
    const bob = bench.keys.person({ name: "bob", type: "user", issuer: registrar });
    assert.equal(await bench.verdict(VERB, bench.sign(VERB, { signer: bob }), SIGNED), "ok");
    for (const { identity } of [bob, registrar]) {
      const isRevoked = (keyId: string) => keyId === identity.keyId;
      bench.trust = bench.keys.trust({ revocations: { isRevoked } });
      const asking = bench.ask(VERB, bench.sign(VERB, { signer: bob }), SIGNED);
      await isRefused(asking, "revoked", "is revoked");
    }
    assert.equal(bench.ran.length, 1);
  });
});

Deno.test("guard: the verb of the message must be the one that was signed", async () => {
  await withVerb(async (bench) => {
    bench.declare("exec.kill", "guarded");
    await isRefused(
      bench.ask("exec.kill", bench.sign(VERB), SIGNED),
      "malformed",
      `Request was signed for "${VERB}" and not for "exec.kill"`,
    );
    assert.deepEqual(bench.ran, []);
  });
});

Deno.test("guard: what policy does not allow is refused, audited, and remembered", async () => {
  await withVerb(async (bench) => {
    const eve = bench.keys.person({ name: "eve", type: "user", groups: ["users"] });
    const request = bench.sign(VERB, { signer: eve, args: { argv: ["id"] } });
    for (let i = 0; i < 2; i++) {
      const asking = bench.ask(VERB, request, SIGNED);
      await isRefused(asking, "policy", 'Policy has no rule for user "eve"');
    }
    assert.deepEqual(bench.ran, []);
    assert.equal(bench.audited.length, 1);
    const [record] = bench.audited;
    const argumentsHash = toHex(bench.keys.primitives.sha256(encodeCanonical({ argv: ["id"] })));
    assert.deepEqual({ ...record, requestId: "", why: "" }, {
      time: bench.clock.now(),
      node: "n1",
      requestId: "",
      verb: VERB,
      principal: "eve",
      keyId: eve.identity.keyId,
      target: "all",
      as: "",
      allowed: false,
      why: "",
      argumentsHash,
    });
    assert.ok(record?.why?.startsWith('Policy has no rule for user "eve"'));
  });
});

Deno.test("guard: what was allowed is audited before it runs, with the rule", async () => {
  await court(async (bench) => {
    bench.declare(VERB, "guarded", () => bench.audited.length);
    const targets = { kind: "groups", groups: ["compute"] } as const;
    assert.equal(await bench.ask(VERB, bench.sign(VERB, { targets }), SIGNED), 1);
    const [record] = bench.audited;
    assert.deepEqual(
      [record?.allowed, record?.rule, record?.target, record?.principal],
      [true, "allow[0]", "@compute", "alice"],
    );
  });
});

Deno.test("guard: nothing runs whose audit record cannot be written, but for the shutdown", async () => {
  const audit = () => Promise.reject(new Error("no space left"));
  await withVerb(async (bench) => {
    bench.declare("core.shutdown", "guarded");
    assert.equal(
      await bench.verdict(VERB, bench.sign(VERB), SIGNED),
      "refused: Audit record cannot be written: no space left",
    );
    assert.deepEqual(bench.ran, []);
    const request = bench.sign("core.shutdown");
    assert.equal(await bench.verdict("core.shutdown", request, SIGNED), "ok");
    const { policy: { rules, limits } } = bench.trust;
    bench.trust = { ...bench.trust, policy: { rules, limits: { ...limits, audit: "optional" } } };
    assert.equal(await bench.verdict(VERB, bench.sign(VERB), SIGNED), "ok");
  }, { audit });
});

Deno.test("guard: a key whose quota is full is refused alone, and nothing of it is forgotten", async () => {
  await withVerb(async (bench) => {
    const requests = [1, 2, 3].map(() => bench.sign(VERB));
    for (const request of requests) await bench.ask(VERB, request, SIGNED);
    await isRefused(bench.ask(VERB, bench.sign(VERB), SIGNED), "quota", "3 is the most");
    for (const request of requests) await bench.ask(VERB, request, SIGNED);
    assert.equal(bench.ran.length, 3);
    const bob = bench.keys.person({ name: "bob", type: "user" });
    assert.equal(await bench.verdict(VERB, bench.sign(VERB, { signer: bob }), SIGNED), "ok");
    await bench.clock.advance(70_000);
    assert.equal(await bench.verdict(VERB, bench.sign(VERB), SIGNED), "ok");
  }, { journal: { requestsPerKeyMax: 3 } });
});

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
