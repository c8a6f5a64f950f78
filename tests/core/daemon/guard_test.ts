import assert from "node:assert/strict";
import type { Peer } from "../../../core/conduit/conduit.ts";
import { CallError } from "../../../core/errors.ts";
import { encodeCanonical } from "../../../core/mod.ts";
import { toHex } from "../../../core/wire/bytes.ts";
import { ManualClock } from "../../support/manual_clock.ts";
import { MeshKeys } from "../../support/mesh_keys.ts";
import { quiet } from "../../support/wait.ts";
import { type Court, court, isRefused, SIGNED, VERB, withVerb } from "./court.ts";

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
    const user = { kind: "user", identity, session: "00".repeat(32), clockOffsetMs: 0 } as const;
    for (const peer of [user, { kind: "nobody" }] satisfies Peer[]) {
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
      ["replay", "from which this node knows what it ran", { issuedMs: now - 1_001 }],
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

Deno.test("guard: what was issued before the machine came up is refused", async () => {
  await court(async (bench) => {
    bench.declare(VERB, "guarded", () => "ran");
    const now = bench.clock.now();
    await isRefused(
      bench.ask(VERB, bench.sign(VERB, { issuedMs: now + 99 }), SIGNED),
      "replay",
      "issued 1 ms before the time from which this node knows what it ran",
    );
    assert.equal(await bench.ask(VERB, bench.sign(VERB, { issuedMs: now + 100 }), SIGNED), "ran");
  }, { sinceMs: new ManualClock().now() + 100 });
});

Deno.test("guard: a journal that cannot be written holds up everything but a shutdown", async () => {
  const store = { append: () => Promise.reject(new Error("No space")) };
  await court(async (bench) => {
    bench.declare(VERB, "guarded", () => "ran");
    bench.declare("core.shutdown", "guarded", () => "stopped");
    await assert.rejects(bench.ask(VERB, bench.sign(VERB), SIGNED), {
      class: "refused",
      message: "Request cannot be recorded: No space",
    });
    const shutdown = bench.sign("core.shutdown");
    assert.equal(await bench.ask("core.shutdown", shutdown, SIGNED), "stopped");
  }, { journal: { store } });
});

Deno.test("guard: variables and folders of one's own are judged, and refused in the audit", async () => {
  await court(async (bench) => {
    const { policy: { rules: [rule], limits } } = bench.trust;
    const rules = [{ ...rule!, commands: ["hostname"] }];
    bench.trust = { ...bench.trust, policy: { rules, limits } };
    bench.declare(VERB, "guarded");
    const argv = ["hostname"];
    const ask = (more: Record<string, unknown>) =>
      bench.verdict(VERB, bench.sign(VERB, { args: { argv, ...more } }), SIGNED);
    const why =
      "Rule allow[0] allows certain commands only, with no variables or folder of your own";
    for (const more of [{ variables: [["A", "1"]] }, { variables: "A" }, { folder: "/tmp" }]) {
      assert.equal(await ask(more), `refused: ${why}`);
    }
    assert.equal(await ask({ variables: [] }), "ok");
    assert.deepEqual(bench.audited.map(({ allowed }) => allowed), [false, false, false, true]);
    assert.equal(bench.audited[0]?.why, why);
  });
});
