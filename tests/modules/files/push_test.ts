/** A copy to many whose daemon, the one that was asked, is lost in the middle: nobody is forgotten. */

import assert from "node:assert/strict";
import { RealDisk } from "../../../core/environment/real_disk.ts";
import { type Call, CallError, type CallErrorClass } from "../../../core/mod.ts";
import { Ground } from "../../../modules/files/ground.ts";
import { Problems } from "../../../modules/files/problems.ts";
import { pushToAll } from "../../../modules/files/push.ts";
import type { MeshClient } from "../../../modules/shared/command.ts";
import { ManualClock } from "../../support/manual_clock.ts";
import { testPrimitives } from "../../support/mesh_keys.ts";
import { temporaryFolder } from "./scene.ts";

const SUMMARY = { files: 1, bytes: 3, same: 0, problems: 0, shown: [] };
const NONE = { failed: [], refused: [], unreachable: [], timedOut: [] };

/** A daemon that tells of n1, and then no more. */
function clientThat(ends: (signal: AbortSignal) => Promise<never>): MeshClient {
  const client: Partial<MeshClient> = {
    via: { name: "n9", endpoint: "tcp:n9:1", groups: undefined, revision: 0 },
    sign: () => Promise.resolve(new Uint8Array(1)),
    signBytes: () => Promise.resolve(new Uint8Array(1)),
    request: () => new Promise(() => {}),
    stream(_verb, _args, options): Call {
      const reply = ends(options?.signal as AbortSignal);
      reply.catch(() => {});
      return {
        reply,
        send: () => Promise.resolve(),
        end: () => Promise.resolve(),
        cancel() {},
        async *[Symbol.asyncIterator]() {
          yield { account: { answered: "n1", ...NONE }, values: [["n1", SUMMARY]] };
          await reply;
        },
      };
    },
  };
  return client as MeshClient;
}

async function push(client: MeshClient, clock = new ManualClock()) {
  using folder = temporaryFolder();
  Deno.writeTextFileSync(`${folder.path}/a`, "one");
  const primitives = await testPrimitives();
  const random = { bytes: (length: number) => new Uint8Array(length) };
  const { signal } = new AbortController();
  const account = await pushToAll({ env: { clock, random } as never, signal }, client, {
    nodes: ["n1", "n2", "n3"],
    as: "$user",
    connectMs: 1_000,
    order: { path: "/tmp/", single: true, stalledMs: 4_000 },
    source: () => ({
      ground: new Ground(new RealDisk(), { stands: false }),
      roots: [{ path: `${folder.path}/a`, name: "a" }],
      problems: new Problems(),
      startSha256: () => primitives.startSha256(),
    }),
  });
  assert.equal(clock.timers, 0);
  return account;
}

Deno.test("push: when the daemon that was asked is lost, every node is accounted for", async () => {
  const kinds: [CallErrorClass, string, string, string][] = [
    ["unreachable", "was asked and is gone", "maybe", "may have run"],
    ["busy", "takes no more", "never", "nothing was run"],
  ];
  for (const [kind, what, ran, words] of kinds) {
    const account = await push(clientThat(() => Promise.reject(new CallError(kind, "Why"))));
    assert.deepEqual([...account.summaries], [["n1", SUMMARY]]);
    const reason = `Node "n9" ${what}: Why`;
    const failure = { failure: "unreachable", reason, ran };
    assert.deepEqual(account.json(), {
      nodes: [
        { node: "n1", ...SUMMARY },
        { node: "n2", ...failure },
        { node: "n3", ...failure },
      ],
      exitCode: 1,
    });
    assert.deepEqual(account.lines({ now: 0 }), [
      `n[2-3]: unreachable: ${reason} (${words})`,
    ]);
  }
});

Deno.test("push: a daemon that was asked and freezes is waited for no longer than the disk of a node", async () => {
  const clock = new ManualClock();
  const client = clientThat((signal) =>
    new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)))
  );
  const request: MeshClient["request"] = async (_verb, _args, { deadlineMs = 0 } = {}) => {
    await clock.sleep(deadlineMs);
    throw new CallError("timeout", "No answer");
  };
  const frozen = { ...client, request };
  const pushed = push(frozen, clock);
  await clock.advance(9_000);
  const { summaries, failures } = await pushed;
  assert.deepEqual([...summaries.keys()], ["n1"]);
  const silent = 'Given up: the daemon of "n9" has said nothing for 4 s';
  assert.equal(
    failures.get("n3")?.reason,
    `Node "n9" was asked and does not answer: ${silent}`,
  );
});

Deno.test("push: what nobody foresaw is no loss, and is told as it is", async () => {
  const bug = clientThat(() => Promise.reject(new TypeError("A bug")));
  await assert.rejects(push(bug), { message: "A bug" });
});
