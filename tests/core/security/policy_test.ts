import assert from "node:assert/strict";
import fc from "fast-check";
import {
  defaultPolicy,
  formatDestination,
  judge,
  type Judgement,
  matchesPath,
  type Policy,
  POLICY_LIMITS_DEFAULT,
  type PolicyRule,
  type Question,
} from "../../../core/security/policy.ts";

const KEY = "ab".repeat(32);
const ALICE = { type: "user", name: "alice", groups: ["users"], keyId: KEY, unixUser: "alice" };

const RULE: PolicyRule = {
  who: ["group:users"],
  verbs: ["exec.*"],
  on: ["@compute"],
  as: ["$user"],
  commands: undefined,
  destinations: undefined,
  maxProcesses: undefined,
};

const QUESTION: Question = {
  principal: ALICE,
  verb: "exec.run",
  as: "",
  self: { name: "n1", groups: ["compute"] },
};

function policyOf(...rules: Partial<PolicyRule>[]): Policy {
  return { limits: POLICY_LIMITS_DEFAULT, rules: rules.map((rule) => ({ ...RULE, ...rule })) };
}

function ask(rule: Partial<PolicyRule>, question: Partial<Question> = {}): Judgement {
  return judge(policyOf(rule), { ...QUESTION, ...question });
}

function allowed(rule: Partial<PolicyRule>, question: Partial<Question> = {}): boolean {
  return ask(rule, question).allowed;
}

function why(rule: Partial<PolicyRule>, question: Partial<Question> = {}): string {
  const judgement = ask(rule, question);
  assert.ok(!judgement.allowed);
  return judgement.why;
}

Deno.test("policy: what no rule allows is refused", () => {
  assert.deepEqual(judge(policyOf(), QUESTION), {
    allowed: false,
    why: 'Policy has no rule for user "alice" (groups "users")',
  });
});

Deno.test("policy: of the rules that fit as a whole the one that limits least allows, and is named", () => {
  const policy = policyOf({ who: ["user:bob"] }, { maxProcesses: 64 }, {});
  assert.deepEqual(judge(policy, QUESTION), {
    allowed: true,
    rule: "allow[2]",
    as: "alice",
    maxProcesses: undefined,
    commandsOnly: false,
  });
  const copy = { ...QUESTION, path: "/srv/a" };
  const paths = ["/srv"];
  const two = policyOf({ paths, maxProcesses: 8 }, { as: ["root"] }, { maxProcesses: 2 });
  assert.deepEqual(judge(two, copy), {
    allowed: true,
    rule: "allow[0]",
    as: "alice",
    maxProcesses: 8,
    paths,
    commandsOnly: false,
    others: [{ rule: "allow[2]", maxProcesses: 2 }],
  });
});

Deno.test("policy: a rule for certain commands fits nothing that brings what would bend them", () => {
  const narrow = { commands: ["hostname"] };
  const asked = { ...QUESTION, argv: ["hostname"], bendsCommand: true };
  assert.deepEqual(judge(policyOf({ verbs: ["a.b"] }, narrow), asked), {
    allowed: false,
    why: "Rule allow[1] allows certain commands only, with no variables or folder of your own",
  });
  const judgement = judge(policyOf(narrow, {}), asked);
  assert.equal(judgement.allowed && judgement.rule, "allow[1]");
  assert.ok(allowed(narrow, { argv: ["hostname"] }));
});

Deno.test("policy: parts of several rules do not add up", () => {
  const policy = policyOf({ verbs: ["file.read"] }, { who: ["user:bob"] });
  assert.ok(!judge(policy, QUESTION).allowed);
});

Deno.test("policy: a refusal says what the nearest rule lacks", () => {
  const who = 'Policy has no rule for user "alice" (groups "users")';
  assert.equal(why({ who: ["group:ops"] }), who);
  assert.equal(why({ verbs: ["file.*"] }), `${who} which allows "exec.run"`);
  const on = `${who} which allows "exec.run" on "n1" (groups "compute")`;
  assert.equal(why({ on: ["@login"] }), on);
  assert.equal(why({}, { as: "root" }), `${on} as unix user "root"`);
  assert.equal(why({ commands: ["hostname"] }, { argv: ["id"] }), `${on} with the command "id"`);
  assert.equal(why({ commands: ["hostname"] }), `${on} without a command`);
  const two = policyOf({ who: ["group:ops"] }, { on: ["@login"] }, { verbs: ["file.*"] });
  const judgement = judge(two, QUESTION);
  assert.equal(judgement.allowed ? "" : judgement.why, on);
});

Deno.test("policy: who is a group, a user by name, or a key", () => {
  assert.ok(allowed({ who: ["user:alice"] }));
  assert.ok(allowed({ who: [`key:${KEY}`] }));
  assert.ok(allowed({ who: ["group:ops", "group:users"] }));
  assert.ok(!allowed({ who: ["user:ali"] }));
  assert.ok(!allowed({ who: ["group:alice"] }));
  assert.ok(!allowed({ who: ["user:users"] }));
  assert.ok(!allowed({ who: [`key:${"cd".repeat(32)}`] }));
  assert.ok(!allowed({ who: ["*"] }));
});

Deno.test("policy: only users are granted anything, whatever a rule says", () => {
  for (const type of ["node", "issuer", "request"]) {
    const principal = { ...ALICE, type };
    assert.equal(
      why({ who: ["user:alice", "group:users", `key:${KEY}`] }, { principal }),
      `Policy grants "exec.run" to users only, this is ${type} "alice" (groups "users")`,
    );
  }
});

Deno.test("policy: verbs are all, a module's, or one", () => {
  assert.ok(allowed({ verbs: ["*"] }));
  assert.ok(allowed({ verbs: ["exec.run"] }));
  assert.ok(!allowed({ verbs: ["exec"] }));
  assert.ok(!allowed({ verbs: ["exec.ru"] }));
  assert.ok(!allowed({ verbs: ["exec.*"] }, { verb: "exec" }));
  assert.ok(!allowed({ verbs: ["exec.*"] }, { verb: "execute.run" }));
});

Deno.test("policy: on is all, a group of the target, or its name", () => {
  assert.ok(allowed({ on: ["*"] }));
  assert.ok(allowed({ on: ["n1"] }));
  assert.ok(allowed({ on: ["x", "n*"] }));
  assert.ok(!allowed({ on: ["n"] }));
  assert.ok(!allowed({ on: ["compute"] }));
  assert.ok(!allowed({ on: ["@n1"] }));
  assert.ok(!allowed({ on: ["@"] }, { self: { name: "n1", groups: [] } }));
});

Deno.test("policy: an empty list allows nothing", () => {
  assert.ok(allowed({}));
  assert.ok(!allowed({ who: [] }));
  assert.ok(!allowed({ verbs: [] }));
  assert.ok(!allowed({ on: [] }));
  assert.ok(!allowed({ as: [] }, { as: "alice" }));
  assert.ok(!allowed({ commands: [] }, { argv: ["hostname"] }));
});

Deno.test("policy: $user is the user in the certificate, and never root", () => {
  const asOf = (rule: Partial<PolicyRule>, question: Partial<Question> = {}) => {
    const judgement = ask(rule, question);
    return judgement.allowed ? judgement.as : undefined;
  };
  assert.equal(asOf({ as: ["$user"] }), "alice");
  assert.equal(asOf({ as: ["$user"] }, { as: "alice" }), "alice");
  assert.equal(asOf({ as: ["$user"] }, { as: "bob" }), undefined);
  assert.equal(asOf({ as: ["root"] }, { as: "root" }), "root");
  assert.equal(asOf({ as: ["root"] }), "");
  assert.equal(asOf({ as: [] }), "");
  assert.equal(asOf({ as: ["$user"] }, { as: "$user" }), undefined);
  const rootly = { ...ALICE, unixUser: "root" };
  assert.equal(asOf({ as: ["$user"] }, { principal: rootly, as: "root" }), undefined);
  assert.equal(asOf({ as: ["$user"] }, { principal: rootly }), "");
  assert.equal(asOf({ as: ["root"] }, { principal: rootly, as: "root" }), "root");
  const nobody = { ...ALICE, unixUser: undefined };
  assert.equal(asOf({ as: ["$user"] }, { principal: nobody }), "");
  assert.equal(asOf({ as: ["$user"] }, { principal: nobody, as: "alice" }), undefined);
});

Deno.test("policy: a rule with commands grants only verbs that carry a command", () => {
  const rule = { commands: ["hostname"] };
  assert.ok(allowed(rule, { argv: ["hostname"] }));
  assert.ok(!allowed(rule, { verb: "exec.kill" }));
});

Deno.test("policy: a rule with destinations grants only verbs that carry one that fits", () => {
  const rule = { destinations: ["db:5432", "10.0.0.*:*", "[fd00::*]:22"] };
  const cases: readonly (readonly [string, boolean])[] = [
    ["db:5432", true],
    ["db:543", false],
    ["db:54321", false],
    ["xdb:5432", false],
    ["10.0.0.7:80", true],
    ["10.0.1.7:80", false],
    ["[fd00::1]:22", true],
    ["[fd00::1]:23", false],
  ];
  for (const [destination, wanted] of cases) {
    assert.equal(allowed(rule, { destination }), wanted, destination);
  }
  assert.ok(!allowed(rule));
  const on =
    'Policy has no rule for user "alice" (groups "users") which allows "exec.run" on "n1" ' +
    '(groups "compute")';
  assert.equal(why(rule, { destination: "db:1" }), `${on} to "db:1"`);
  assert.equal(why(rule, { argv: ["id"] }), `${on} without a destination`);
  assert.ok(allowed({}, { destination: "anywhere:1" }));
});

Deno.test("policy: a pattern of an address fits no name, which could be anywhere", () => {
  const cases: readonly (readonly [string, string, boolean])[] = [
    ["10.0.0.*:*", "10.0.0.attacker.example:22", false],
    ["10.0.0.*:*", "10.0.0.x:22", false],
    ["10.0.0.*:*", "10.0.0.7:22", true],
    ["10.*:*", "10.example:22", false],
    ["10*:*", "1000000000:22", false],
    ["10.*:*", "10.0.0.010:22", false],
    ["10.*:*", "10.0.0.256:22", false],
    ["10.*:*", "10.0.0.255:22", true],
    ["*.7:*", "host.7:22", false],
    ["*.7:*", "10.0.0.7:22", true],
    ["[fd00::*]:*", "[fd00::x]:22", false],
    ["[fd00::*]:*", "[fd00::7]:22", true],
    ["[*]:*", "[::1]:22", true],
    ["*:*", "anywhere.example:22", true],
    ["*.lab:*", "10.lab:22", true],
    ["node1*:22", "node10:22", true],
  ];
  for (const [pattern, destination, wanted] of cases) {
    assert.equal(
      allowed({ destinations: [pattern] }, { destination }),
      wanted,
      `${pattern} ${destination}`,
    );
  }
});

Deno.test("policy: destinations mean the same in upper case, and IPv6 is in brackets", () => {
  assert.equal(formatDestination("DB.Lab", 1), "db.lab:1");
  assert.equal(formatDestination("FD00::1", 22), "[fd00::1]:22");
});

Deno.test("policy: a node is granted only what is made for nodes, by a rule that names it", () => {
  const node = {
    type: "node",
    name: "n2",
    groups: ["ops", "users"],
    keyId: KEY,
    unixUser: undefined,
  };
  const asked = { principal: node, as: "", forNodes: true };
  const byOthers = ["group:ops", "group:users", "user:n2", `key:${KEY}`, "node:n3", "node:n"];
  assert.ok(!allowed({ who: byOthers }, asked));
  for (const who of ["node:n2", "node:n*", "node:*"]) {
    assert.ok(allowed({ who: [who] }, asked), who);
    assert.ok(!allowed({ who: [who] }, { ...asked, forNodes: false }), who);
    assert.ok(!allowed({ who: [who] }), "a user is no node");
  }
  assert.equal(
    why({ who: ["node:*"] }, { ...asked, forNodes: false }),
    'Policy grants "exec.run" to users only, this is node "n2" (groups "ops", "users")',
  );
  for (const type of ["issuer", "request"]) {
    assert.ok(
      !allowed({ who: ["node:*", `key:${KEY}`] }, { ...asked, principal: { ...node, type } }),
    );
  }
});

Deno.test("policy: a mesh made by boot lets its ops group do everything", () => {
  const policy = defaultPolicy("ops");
  const ops = { ...ALICE, groups: ["ops"] };
  for (const as of ["", "root", "alice"]) {
    assert.ok(judge(policy, { ...QUESTION, principal: ops, as, verb: "core.shutdown" }).allowed);
  }
  assert.ok(!judge(policy, { ...QUESTION, principal: ops, as: "bob" }).allowed);
  assert.ok(!judge(policy, QUESTION).allowed);
  assert.ok(!judge(policy, { ...QUESTION, principal: { ...ops, type: "node" } }).allowed);
});

Deno.test("policy: the order of rules never changes what is allowed", () => {
  const texts = (...all: string[]) => fc.subarray(all);
  const rule = fc.record({
    who: texts("group:users", "group:ops", "user:alice", "user:bob"),
    verbs: texts("*", "exec.*", "exec.run", "file.*"),
    on: texts("*", "@compute", "n1", "m*"),
    as: texts("$user", "root", "bob"),
    commands: fc.option(texts("hostname", "id *"), { nil: undefined }),
    destinations: fc.constant(undefined),
    paths: fc.option(texts("/a", "/b"), { nil: undefined }),
    maxProcesses: fc.option(fc.constantFrom(1, 2), { nil: undefined }),
  });
  const question = fc.record({
    as: fc.constantFrom("", "alice", "root"),
    verb: fc.constantFrom("exec.run", "file.read", "core.shutdown"),
    argv: fc.constantFrom(["hostname"], ["id", "-u"], undefined),
    bendsCommand: fc.boolean(),
    path: fc.constantFrom("/a/x", "/b/x", undefined),
  });
  // What the verb finds out later: how many run, and where the path really leads.
  const later = fc.record({ running: fc.nat(2), real: fc.constantFrom("/a/y", "/b/y", "/c") });
  const rules = fc.array(rule, { maxLength: 6 });
  const shuffled = rules.chain((all) =>
    fc.tuple(fc.constant(all), fc.shuffledSubarray(all, { minLength: all.length }))
  );
  fc.assert(
    fc.property(shuffled, question, later, ([all, others], asked, { running, real }) => {
      const { argv, path, ...rest } = asked;
      const whole = { ...QUESTION, ...rest, ...(argv && { argv }), ...(path && { path }) };
      const verdict = (...some: readonly Partial<PolicyRule>[]) => {
        const judgement = judge(policyOf(...some), whole);
        if (!judgement.allowed) return "refused";
        // A verb that runs programs knows no paths.
        const grants = [judgement, ...path === undefined ? [] : judgement.others ?? []];
        const kept = grants.some(({ maxProcesses = 9, paths }) =>
          running < maxProcesses && (paths ?? [real]).some((each) => matchesPath(each, real))
        );
        return kept ? `as "${judgement.as}"` : "refused later";
      };
      const forwards = verdict(...all);
      assert.equal(verdict(...others), forwards);
      const each = all.map((one) => verdict(one));
      if (forwards === "refused") assert.ok(each.every((one) => one === "refused"));
      else assert.ok(each.includes(forwards), `${forwards} of ${each}`);
      if (forwards === "refused later") assert.ok(!each.some((one) => /^as "\w/.test(one)));
    }),
    { seed: 12, numRuns: 3_000 },
  );
});
