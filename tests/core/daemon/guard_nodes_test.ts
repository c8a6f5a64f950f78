// What a node may have of guarded verbs: those that are made for it, where the policy names it (R6).

import assert from "node:assert/strict";
import * as v from "valibot";
import type { Peer } from "../../../core/conduit/conduit.ts";
import { verb } from "../../../core/daemon/module.ts";
import { defaultPolicy, type Policy } from "../../../core/mod.ts";
import { type Court, court, SIGNED } from "./court.ts";
import { NO_PEER_FIELDS } from "./peers.ts";

/** Users of ops, and the node n2, may everything that rules can grant. */
function policy(): Policy {
  const { rules: [rule], limits } = defaultPolicy("ops");
  return { limits, rules: [{ ...rule!, who: ["group:ops", "node:n2"] }] };
}

/** One verb of each class, and one that is made for nodes too. */
function declare(bench: Court): string[] {
  const classes = ["internal", "link", "read", "local", "guarded", "root"] as const;
  for (const action of classes) bench.declare(`${action}.verb`, action);
  const forNodes = verb({
    action: "guarded",
    forNodes: true,
    args: v.optional(v.unknown()),
    reply: v.unknown(),
    handle: (_args, { principal }) => {
      bench.ran.push("nodes.verb");
      return principal.kind === "signed" ? principal.identity.name : "?";
    },
  });
  bench.dispatcher.add("nodes", { verb: forNodes });
  return [...classes.map((action) => `${action}.verb`), "nodes.verb"];
}

Deno.test("guard: every kind of signer x every verb x every way; a node gets what is made for it", async () => {
  await court(async (bench) => {
    const verbs = declare(bench);
    const { keys, user } = bench;
    const signers = {
      "user with a rule": user,
      "user without a rule": keys.person({ name: "eve", type: "user", groups: ["users"] }),
      "user named as the node": keys.person({ name: "n2", type: "user", groups: ["users"] }),
      "node with a rule": keys.person({ name: "n2" }),
      "node without a rule": keys.person({ name: "n3" }),
      "node in a group with a rule": keys.person({ name: "n4", groups: ["ops"] }),
      "issuer": keys.person({ name: "n2", type: "issuer", groups: ["ops"] }),
    };
    const peers: Peer[] = [
      { kind: "local" },
      { kind: "nobody" },
      { kind: "internal", module: "mesh" },
      { kind: "node", identity: signers["node with a rule"].identity, ...NO_PEER_FIELDS },
      { kind: "user", identity: user.identity, session: "00".repeat(32), clockOffsetMs: 0 },
    ];
    const ran: string[] = [];
    for (const [who, signer] of Object.entries(signers)) {
      for (const name of verbs) {
        for (const peer of peers) {
          const verdict = await bench.verdict(name, bench.sign(name, { signer }), {
            ...SIGNED,
            peer,
          });
          if (verdict === "ok") ran.push(`${who}: ${name} over ${peer.kind}`);
          else assert.match(verdict, /^refused: /, `${who}: ${name}`);
        }
      }
    }
    const everywhere = (what: string) => peers.map(({ kind }) => `${what} over ${kind}`);
    assert.deepEqual(ran, [
      ...everywhere("user with a rule: guarded.verb"),
      ...everywhere("user with a rule: nodes.verb"),
      ...everywhere("node with a rule: nodes.verb"),
    ]);
    assert.equal(bench.ran.length, ran.length);
  }, { trust: () => ({ policy: policy() }) });
});

Deno.test("guard: no sequence of a node runs, not even of verbs that are made for nodes", async () => {
  await court(async (bench) => {
    declare(bench);
    const signer = bench.keys.person({ name: "n2" });
    const execute = (request: Uint8Array) =>
      bench.dispatcher.execute(request, { ...NOBODY, peer: { kind: "internal", module: "group" } });
    const steps = [["nodes.verb", {}]];
    await assert.rejects(
      () => execute(bench.sign("core.sequence", { signer, args: steps })),
      /user/,
    );
    assert.deepEqual(bench.ran, []);
    const single = await execute(bench.sign("nodes.verb", { signer, args: {} }));
    assert.deepEqual(single, [{ ok: true, value: "n2" }]);
    const asUser = await execute(bench.sign("core.sequence", { args: steps }));
    assert.deepEqual(asUser, [{ ok: true, value: "alice" }]);
  }, { trust: () => ({ policy: policy() }) });
});

Deno.test("guard: a mesh as booted grants its nodes nothing", async () => {
  await court(async (bench) => {
    declare(bench);
    const signer = bench.keys.person({ name: "n2", groups: ["ops"] });
    assert.equal(
      await bench.verdict("nodes.verb", bench.sign("nodes.verb", { signer }), SIGNED),
      'refused: Policy has no rule for node "n2" (groups "ops")',
    );
    assert.equal(bench.audited.length, 1);
  });
});

Deno.test("guard: where a verb connects to is judged, and stands in the audit", async () => {
  const { rules: [rule], limits } = defaultPolicy("ops");
  const only = { limits, rules: [{ ...rule!, destinations: ["db:5432"] }] };
  await court(async (bench) => {
    bench.declare("forward.connect", "guarded");
    const to = (host: unknown, port: unknown) =>
      bench.verdict(
        "forward.connect",
        bench.sign("forward.connect", { args: { host, port } }),
        SIGNED,
      );
    assert.equal(await to("DB", 5432), "ok");
    assert.match(await to("db", 22), /^refused: .* to "db:22"$/);
    assert.match(await to(7, 22), /^refused: .* without a destination$/);
    assert.deepEqual(bench.audited.map(({ allowed, destination }) => [allowed, destination]), [
      [true, "db:5432"],
      [false, "db:22"],
      [false, undefined],
    ]);
  }, { trust: () => ({ policy: only }) });
});

const NOBODY = {
  principal: { kind: "nobody" },
  signal: new AbortController().signal,
  deadlineMs: 0,
  bound: false,
  input: { async *[Symbol.asyncIterator]() {} },
} as const;
