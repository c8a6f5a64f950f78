/** What is asked of a daemon, also of one that is older than this program. */

import assert from "node:assert/strict";
import { type Caller, REVISION, REVISION_NEWEST } from "../../../core/mod.ts";
import { callGroup, callTargets } from "../../../modules/shared/group_client.ts";
import { parseNodeset } from "../../../modules/shared/nodeset.ts";

/** All that `group.call` took in protocol 1 before anything came to it; anything else was refused. */
const FIRST_ARGUMENTS = new Set([
  ...["id", "targets", "steps", "signed", "listed", "stream", "input"],
  ...["reduce", "startBy", "deadlineMs", "bytesPerNodeMax", "progress"],
]);

function daemon(revision: number) {
  const asked: Record<string, unknown>[] = [];
  const caller = {
    via: { revision },
    stream(_verb: string, args: { targets: string }) {
      asked.push(args);
      const none = { failed: [], refused: [], unreachable: [], timedOut: [] };
      const { length } = parseNodeset(args.targets);
      const reply = {
        account: { answered: args.targets, ...none },
        values: [[args.targets, "ok"]],
        id: "00".repeat(16),
        targets: args.targets,
        counts: { asked: length, answered: length, ...none, failed: 0 },
      };
      const counts = { ...reply.counts, refused: 0, unreachable: 0, timedOut: 0 };
      return {
        reply: Promise.resolve({ ...reply, counts }),
        cancel: () => {},
        async *[Symbol.asyncIterator]() {},
      };
    },
  };
  return { asked, caller: caller as unknown as Caller & { readonly via: typeof caller.via } };
}

const STEPS = { steps: [{ verb: "core.ping" }] };
const AWAY = { name: "n9", set: "unreachable", reason: "Not seen", ran: "never" } as const;

Deno.test("group client: whoever expects nobody says nothing that an older daemon does not know", async () => {
  const { asked, caller } = daemon(0);
  await callGroup(caller, { ...STEPS, targets: "n1", expected: "" });
  assert.deepEqual(Object.keys(asked[0] ?? {}).filter((name) => !FIRST_ARGUMENTS.has(name)), []);
});

Deno.test("group client: an older daemon is asked for those that are there, and the others are told", async () => {
  const { asked, caller } = daemon(REVISION.starts - 1);
  const targets = { names: ["n1"], missing: [AWAY] };
  const order = (nodes: readonly string[]) => {
    assert.deepEqual(nodes, ["n1"]);
    return Promise.resolve(STEPS);
  };
  const { values, failures } = await callTargets(caller, targets, order);
  assert.deepEqual([[...values], [...failures.keys()]], [[["n1", "ok"]], ["n9"]]);
  assert.equal(asked.length, 1);
  assert.deepEqual(Object.keys(asked[0] ?? {}).filter((name) => !FIRST_ARGUMENTS.has(name)), []);
  const nobody = await callTargets(caller, { names: [], missing: [AWAY] }, order);
  assert.deepEqual([[...nobody.failures.keys()], asked.length], [["n9"], 1]);
});

Deno.test("group client: a daemon that knows it is asked for all, and says itself who is missing", async () => {
  const { asked, caller } = daemon(REVISION_NEWEST);
  const targets = { names: ["n1"], missing: [AWAY] };
  await callTargets(caller, targets, (nodes) => {
    assert.deepEqual(nodes, ["n1", "n9"]);
    return Promise.resolve(STEPS);
  });
  assert.deepEqual([asked[0]?.targets, asked[0]?.expected], ["n[1,9]", "n9"]);
});
