import assert from "node:assert/strict";
import fc from "fast-check";
import { parse } from "smol-toml";
import { UsageError } from "../../../core/errors.ts";
import { defaultPolicy, POLICY_LIMITS_DEFAULT } from "../../../core/security/policy.ts";
import { formatPolicy, parsePolicy } from "../../../core/security/policy_file.ts";
import { numbers } from "./documents.ts";

const RULE = { who: ["group:ops"], verbs: ["*"], on: ["*"], as: ["root"] };

function refuses(value: unknown, text: string): void {
  assert.throws(() => parsePolicy(value), new UsageError(text));
}

function refusesRule(rule: Record<string, unknown>, text: string): void {
  refuses({ allow: [RULE, { ...RULE, ...rule }] }, text);
}

Deno.test("policy file: the example of SECURITY.md is read", () => {
  const policy = parsePolicy(parse(`
    [[allow]]
    who   = ["group:ops"]
    verbs = ["*"]
    on    = ["*"]
    as    = ["root", "$user"]

    [[allow]]
    who   = ["group:users", "user:bob", "key:${"AB".repeat(32)}"]
    verbs = ["exec.*"]
    on    = ["@compute"]
    as    = ["$user"]
    commands = ["hostname", "/usr/bin/lscpu *"]
    max_processes = 64

    [limits]
    request_ttl_max = "2m"
    clock_skew      = "500ms"
    audit           = "optional"
  `));
  assert.deepEqual(policy.rules[0], defaultPolicy("ops").rules[0]);
  assert.deepEqual(policy.rules[1], {
    who: ["group:users", "user:bob", `key:${"ab".repeat(32)}`],
    verbs: ["exec.*"],
    on: ["@compute"],
    as: ["$user"],
    commands: ["hostname", "/usr/bin/lscpu *"],
    destinations: undefined,
    maxProcesses: 64,
  });
  assert.deepEqual(policy.limits, {
    requestTtlMaxMs: 120_000,
    clockSkewMs: 500,
    audit: "optional",
  });
});

Deno.test("policy file: an empty one allows nothing and has the default limits", () => {
  assert.deepEqual(parsePolicy({}), { rules: [], limits: POLICY_LIMITS_DEFAULT });
  assert.deepEqual(parsePolicy({ limits: {} }).limits, {
    requestTtlMaxMs: 60_000,
    clockSkewMs: 30_000,
    audit: "required",
  });
});

Deno.test("policy file: unknown keys refuse the file", () => {
  refuses({ allows: [] }, "policy.allows: is unknown, known are allow, limits");
  refusesRule(
    { deny: true },
    "allow[1].deny: is unknown, known are who, verbs, on, as, commands, destinations, paths, max_processes",
  );
  refuses(
    { limits: { ttl: "1s" } },
    "limits.ttl: is unknown, known are request_ttl_max, clock_skew, audit",
  );
  refuses(
    JSON.parse('{"__proto__": {"allow": []}}'),
    "policy.__proto__: is unknown, known are allow, limits",
  );
});

Deno.test("policy file: keys without which a rule allows nothing must be there", () => {
  const { on: _, ...rule } = RULE;
  refuses({ allow: [rule] }, "allow[0].on: is missing: without it, the rule allows nothing");
  assert.deepEqual(parsePolicy({ allow: [{ ...RULE, who: [] }] }).rules[0]?.who, []);
});

Deno.test("policy file: unknown prefixes and patterns refuse the file, with their path", () => {
  const prefixes = 'wanted is "group:NAME", "user:NAME", "key:HEX" or "node:NAME"';
  refusesRule({ who: ["group:a", "host:n1"] }, `allow[1].who[1]: is "host:n1": ${prefixes}`);
  refusesRule(
    { who: ["node:"] },
    'allow[1].who[0]: is "node:": "" is no name, nor a pattern of one',
  );
  refusesRule({ who: ["*"] }, `allow[1].who[0]: is "*": ${prefixes}`);
  refusesRule({ who: ["alice"] }, `allow[1].who[0]: is "alice": ${prefixes}`);
  refusesRule({ who: ["user:"] }, 'allow[1].who[0]: is "user:": "" is no name');
  refusesRule({ who: ["group:*"] }, 'allow[1].who[0]: is "group:*": "*" is no name');
  refusesRule(
    { who: ["key:ab"] },
    'allow[1].who[0]: is "key:ab": a key id has 64 hexadecimal digits',
  );
  const verbs = 'wanted is "*", "module.*" or "module.verb"';
  for (const verb of ["", "exec.ru*", "*.run", "**", "Exec.run", ".*"]) {
    refusesRule({ verbs: [verb] }, `allow[1].verbs[0]: is ${JSON.stringify(verb)}: ${verbs}`);
  }
  const on = 'wanted is "*", "@group" or a name of a node, in which "*" stands for any characters';
  for (const target of ["", "@", "@*", "n[1-4]", "a,b", "!n1"]) {
    refusesRule({ on: [target] }, `allow[1].on[0]: is ${JSON.stringify(target)}: ${on}`);
  }
  for (const user of ["", "0", "$group", "*"]) {
    refusesRule(
      { as: [user] },
      `allow[1].as[0]: is ${JSON.stringify(user)}: wanted is "$user" or the name of a unix user`,
    );
  }
  refusesRule(
    { commands: [" "] },
    'allow[1].commands[0]: is " ": wanted are words of a command line',
  );
});

Deno.test("policy file: verbs that do not exist refuse the file where verbs are known", () => {
  const verbs = ["exec.run", "exec.kill", "core.shutdown"];
  parsePolicy({ allow: [{ ...RULE, verbs: ["*", "exec.*", "core.shutdown"] }] }, { verbs });
  for (const verb of ["exec.rum", "exe.*", "exec"]) {
    assert.throws(
      () => parsePolicy({ allow: [{ ...RULE, verbs: [verb] }] }, { verbs }),
      new UsageError(`allow[0].verbs[0]: is "${verb}": there is no such verb`),
    );
  }
});

Deno.test("policy file: wrong types refuse the file", () => {
  refuses(null, "policy: is null, wanted is a table");
  refuses([], "policy: is a list, wanted is a table");
  refuses({ allow: {} }, "allow: is a table, wanted is a list");
  refuses({ allow: ["x"] }, 'allow[0]: is "x", wanted is a table');
  refusesRule({ who: "group:ops" }, 'allow[1].who: is "group:ops", wanted is a list');
  refusesRule({ who: [7] }, "allow[1].who[0]: is 7, wanted is text");
  for (const count of [0, -1, 1.5, "64", Infinity]) {
    const shown = typeof count === "string" ? `"${count}"` : count;
    refusesRule(
      { max_processes: count },
      `allow[1].max_processes: is ${shown}, wanted is a whole number above 0`,
    );
  }
  refuses({ limits: { audit: "no" } }, 'limits.audit: is "no", wanted is "required" or "optional"');
});

Deno.test("policy file: times need a unit and lie in a range", () => {
  const wanted = 'wanted is a time such as "500ms", "60s" or "5m"';
  for (const time of ["60", "1d", "-1s", "1.5s", ""]) {
    refuses({ limits: { clock_skew: time } }, `limits.clock_skew: is "${time}", ${wanted}`);
  }
  refuses({ limits: { clock_skew: 60 } }, `limits.clock_skew: is 60, ${wanted}`);
  refuses(
    { limits: { request_ttl_max: "999ms" } },
    'limits.request_ttl_max: is "999ms", wanted are 1000 ms to 3600000 ms',
  );
  refuses(
    { limits: { clock_skew: "1h" } },
    'limits.clock_skew: is "1h", wanted are 0 ms to 600000 ms',
  );
  assert.equal(
    parsePolicy({ limits: { request_ttl_max: "1h" } }).limits.requestTtlMaxMs,
    3_600_000,
  );
});

Deno.test("policy file: destinations are a host and a port, either of them any", () => {
  const good = ["*:*", "db:5432", "10.0.0.*:443", "[fd00::*]:22", "*.lab:*"];
  assert.deepEqual(
    parsePolicy({ allow: [{ ...RULE, destinations: good }] }).rules[0]?.destinations,
    good,
  );
  for (
    const wrong of ["", "*", "db", "db:", ":22", "db:0", "db:65536", "db:x", "DB:1", "fd00::1:22"]
  ) {
    refusesRule(
      { destinations: [wrong] },
      `allow[1].destinations[0]: is ${
        JSON.stringify(wrong)
      }: wanted is "HOST:PORT" in lower case, ` +
        'in which "*" stands for any port or any characters of the host; IPv6 in brackets',
    );
  }
});

Deno.test("policy file: lists and texts are bounded", () => {
  refuses(
    { allow: Array.from({ length: 1_025 }, () => RULE) },
    "allow: has 1025 items, 1024 is the most",
  );
  refusesRule(
    { commands: ["x".repeat(1_025)] },
    "allow[1].commands[0]: has 1025 characters, 1024 is the most",
  );
});

Deno.test("policy file: what is written is read as the same policy", () => {
  const texts = (...all: string[]) => fc.subarray(all);
  const rule = fc.record({
    who: texts("group:a", "user:b", "node:n*", `key:${"0f".repeat(32)}`),
    verbs: texts("*", "exec.*", "core.shutdown"),
    on: texts("*", "@g", "n1", "n*"),
    as: texts("$user", "root"),
    commands: fc.option(texts("hostname", "id *"), { nil: undefined }),
    destinations: fc.option(texts("*:*", "db:5432"), { nil: undefined }),
    maxProcesses: fc.option(fc.integer({ min: 1 }), { nil: undefined }),
  }, { noNullPrototype: true });
  const limits = fc.record({
    requestTtlMaxMs: fc.integer({ min: 1_000, max: 3_600_000 }),
    clockSkewMs: fc.integer({ min: 0, max: 600_000 }),
    audit: fc.constantFrom("required" as const, "optional" as const),
  }, { noNullPrototype: true });
  fc.assert(
    fc.property(fc.array(rule), limits, (rules, limits) => {
      assert.deepEqual(parsePolicy(formatPolicy({ rules, limits })), { rules, limits });
    }),
    { seed: 13, numRuns: 300 },
  );
});

Deno.test("policy file: any value is a policy or a usage error", () => {
  const key = fc.constantFrom(
    "allow",
    "limits",
    "who",
    "verbs",
    "on",
    "as",
    "commands",
    "__proto__",
  );
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof(
      { maxDepth: 5 },
      fc.constantFrom<unknown>(null, undefined, 1, NaN, true, "*", "group:a", 1n),
      fc.array(tie("value"), { maxLength: 3 }),
      fc.array(fc.tuple(key, tie("value")), { maxLength: 4 }).map((pairs) =>
        Object.fromEntries(pairs)
      ),
    ),
  }));
  fc.assert(
    fc.property(value, (value) => {
      try {
        parsePolicy(value);
      } catch (error) {
        assert.ok(error instanceof UsageError, String(error));
        assert.match(error.message, /^(policy|allow|limits)[^:]*: /);
      }
    }),
    { seed: 14, numRuns: 5_000 },
  );
});

Deno.test("policy file: 10,000 mutated texts give a policy of as many rules or a usage error", () => {
  const next = numbers(15);
  const text = JSON.stringify({ allow: [RULE, { ...RULE, commands: ["id *"], max_processes: 3 }] });
  let objects = 0;
  for (let count = 0; count < 10_000; count++) {
    const at = next(text.length);
    const mutant = text.slice(0, at) + String.fromCharCode(32 + next(95)) + text.slice(at + 1);
    let value: unknown;
    try {
      value = JSON.parse(mutant);
    } catch {
      continue;
    }
    objects++;
    try {
      const { rules } = parsePolicy(value);
      assert.equal(rules.length, 2);
    } catch (error) {
      assert.ok(error instanceof UsageError, String(error));
    }
  }
  assert.ok(objects > 2_000, String(objects));
});
