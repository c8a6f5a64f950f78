/** Daemons of which some are older: what each of them says and awaits (docs/protocol.md, "Versions"). */

import assert from "node:assert/strict";
import type { Module } from "../../../core/mod.ts";
import { createGroup } from "../../../modules/group/mod.ts";
import { callGroup } from "../../../modules/shared/group_client.ts";
import { startMesh, until } from "./daemons.ts";
import { evil } from "./evil.ts";

/** All that a partial had in protocol 1 before anything came to it; anything else was malformed. */
const FIRST_PARTIAL = new Set([
  ...["answered", "state", "failed", "refused", "unreachable", "timedOut", "items"],
]);
/** Little, but enough for all to begin on a machine that does much else. */
const BEGIN_MS = 2_000;

/** A group module as it was before anybody said that he has begun. */
function first(): Module {
  const module = createGroup();
  const { call, relay } = module.verbs as Record<string, Module["verbs"][string]>;
  const handle: Module["verbs"][string]["handle"] = async function* (args, context) {
    const parts = relay?.handle(args, context) as AsyncGenerator<object, object, void>;
    for (;;) {
      const { done, value } = await parts.next();
      if (done) return value;
      if (Object.keys(value).length > 0) yield value;
    }
  };
  return { ...module, verbs: { call, relay: { ...relay, handle } } as Module["verbs"] };
}

// A program that ran for longer than it had to begin was ended: its node was new, and the origin was not.
Deno.test("group: that a target has begun is said in a way that an older origin understands", async () => {
  await using mesh = await startMesh(["n1", "n2", "n3"], [["n1", "n2"], ["n2", "n3"]]);
  const link = mesh.get("n1").host.links.get(mesh.get("n2").host.self.keyId);
  const call = link!.stream("group.relay", {
    work: {
      id: "0".repeat(32),
      steps: [{ verb: "probe.hang" }],
      reduce: { kind: "sum" },
      startBy: Date.now() + BEGIN_MS,
      bytesPerNodeMax: 100,
    },
    mine: [0, 0],
    names: "n3",
    deadlineMs: 60_000,
    slackMs: BEGIN_MS,
    via: ["n1"],
    avoid: [],
  });
  const parts: object[] = [];
  for await (const part of call) {
    parts.push(part as object);
    mesh.get("n3").probe.release();
  }
  parts.push(await call.reply as object);
  const unknown = parts.flatMap((part) => Object.keys(part)).filter((key) =>
    !FIRST_PARTIAL.has(key)
  );
  assert.deepEqual(unknown, []);
  assert.deepEqual(parts[0], {});
});

// It was ended after six seconds, since it never said that it has begun.
Deno.test("group: of an older node no word is awaited, also where a relay carries it on", async () => {
  const old = ["n3", "n5"];
  const swallowed = Promise.withResolvers<unknown>();
  await using mesh = await startMesh(
    ["n1", "n2", "n3", "n4", "n5"],
    [["n1", "n2"], ["n2", "n3"], ["n1", "n4"], ["n1", "n5"]],
    {
      revision: (name) => old.includes(name) ? 0 : undefined,
      group: (name) =>
        old.includes(name)
          ? first()
          : name === "n4"
          ? evil((args) => args, () => swallowed.promise)
          : undefined,
    },
  );
  const steps = [{ verb: "probe.hang" }];
  const startBy = Date.now() + BEGIN_MS;
  const calling = callGroup(mesh.get("n1").group, { targets: "n3,n5", steps, startBy });
  await until(() => old.every((name) => mesh.get(name).probe.ran.length === 1));
  // Of this one a word is awaited, and for longer than it would be of the others.
  const { failures } = await callGroup(mesh.get("n1").group, { targets: "n4", steps, startBy });
  assert.equal(failures.get("n4")?.reason, 'No word from "n4" in time that it has begun');
  for (const name of old) mesh.get(name).probe.release();
  const { answered, failures: none } = await calling;
  assert.deepEqual([[...none.values()], [...answered].sort()], [[], old]);
  swallowed.resolve({});
});

Deno.test("group: whoever says again and again that something has begun is heard, and that is all", async () => {
  const parts = 1_000;
  const group = createGroup();
  const { call, relay } = group.verbs as Record<string, Module["verbs"][string]>;
  const handle: Module["verbs"][string]["handle"] = async function* () {
    for (let i = 0; i < parts; i++) yield await Promise.resolve({});
    return { answered: [0, 0], state: [[[0, 0], "ok"]] };
  };
  await using mesh = await startMesh(["n1", "n2", "n3"], [["n1", "n2"], ["n2", "n3"]], {
    group: (name) =>
      name === "n3"
        ? { ...group, verbs: { call, relay: { ...relay, handle } } as Module["verbs"] }
        : undefined,
  });
  const steps = [{ verb: "probe.say" }];
  const { values, failures } = await callGroup(mesh.get("n1").group, { targets: "n3", steps });
  assert.deepEqual([[...values], failures.size], [[["n3", "ok"]], 0]);
});
